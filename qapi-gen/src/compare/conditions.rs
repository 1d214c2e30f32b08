//! The difference between two conditions.
//!
//! In: conditions of a part in two schemas. Out: the code of the difference.

use std::collections::BTreeSet;

use super::codes::Code;
use crate::cond::{Cond, CondKind};

/// The symbols for which all combinations are tried. Real conditions have few; with
/// more, a difference counts as narrower.
const SYMBOLS_MAX: usize = 12;

/// Returns the code of a difference, or `None` if the conditions hold in the same
/// builds.
pub(super) fn difference(old: Option<&Cond>, new: Option<&Cond>) -> Option<Code> {
    match (old, new) {
        (None, None) => None,
        (None, Some(new)) => (!implies(None, Some(new))).then_some(Code::ConditionAdded),
        (Some(old), None) => (!implies(None, Some(old))).then_some(Code::ConditionRemoved),
        (Some(a), Some(b)) if a == b => None,
        (Some(_), Some(_)) => match (implies(old, new), implies(new, old)) {
            (true, true) => None,
            (true, false) => Some(Code::ConditionWidened),
            (false, _) => Some(Code::ConditionNarrowed),
        },
    }
}

/// Returns whether every build in which `a` holds is one in which `b` holds.
fn implies(a: Option<&Cond>, b: Option<&Cond>) -> bool {
    let mut symbols = BTreeSet::new();
    for cond in [a, b].into_iter().flatten() {
        collect(cond, &mut symbols);
    }
    if symbols.len() > SYMBOLS_MAX {
        return false;
    }
    let symbols: Vec<&String> = symbols.iter().collect();
    (0..1_u32 << symbols.len()).all(|bits| {
        let defined = symbols.iter().enumerate();
        let defined: BTreeSet<String> = defined
            .filter(|(at, _)| bits >> at & 1 == 1)
            .map(|(_, symbol)| (*symbol).clone())
            .collect();
        let holds = |cond: Option<&Cond>| cond.is_none_or(|cond| cond.holds(&defined));
        !holds(a) || holds(b)
    })
}

fn collect(cond: &Cond, symbols: &mut BTreeSet<String>) {
    match cond.kind() {
        CondKind::Symbol(symbol) => {
            symbols.insert(symbol.clone());
        }
        CondKind::Not(cond) => collect(cond, symbols),
        CondKind::All(conds) | CondKind::Any(conds) => {
            for cond in conds {
                collect(cond, symbols);
            }
        }
    }
}

/// Returns a condition as the schema language spells it.
pub(super) fn text(cond: Option<&Cond>) -> String {
    let Some(cond) = cond else {
        return "no condition".to_owned();
    };
    let list = |conds: &[Cond], word: &str| {
        let conds: Vec<String> = conds.iter().map(|cond| text(Some(cond))).collect();
        format!("({})", conds.join(word))
    };
    match cond.kind() {
        CondKind::Symbol(symbol) => symbol.clone(),
        CondKind::Not(cond) => format!("!{}", text(Some(cond))),
        CondKind::All(conds) => list(conds, " && "),
        CondKind::Any(conds) => list(conds, " || "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str) -> Cond {
        CondKind::Symbol(name.to_owned()).into()
    }

    #[test]
    fn difference_is_the_one_between_the_builds() {
        let both: Cond = CondKind::All(vec![symbol("A"), symbol("B")]).into();
        let swapped: Cond = CondKind::All(vec![symbol("B"), symbol("A")]).into();
        let either: Cond = CondKind::Any(vec![symbol("A"), symbol("B")]).into();
        let cases = [
            (None, Some(&both), Some(Code::ConditionAdded)),
            (Some(&both), None, Some(Code::ConditionRemoved)),
            (Some(&both), Some(&swapped), None),
            (Some(&both), Some(&either), Some(Code::ConditionWidened)),
            (Some(&either), Some(&both), Some(Code::ConditionNarrowed)),
        ];
        for (old, new, expected) in cases {
            assert_eq!(difference(old, new), expected, "{old:?} {new:?}");
        }
    }
}
