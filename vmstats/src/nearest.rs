//! The names that a misspelt name may mean.
//!
//! In: what somebody typed, and the names that exist. Out: the nearest of them,
//! or a list of all, as part of a sentence. This file knows no kind of name.

use std::collections::BTreeSet;

/// The similarity from which a name is offered, from 0 to 1.
const SIMILARITY_MIN: f64 = 0.75;

/// The number of names that are offered.
const NEAREST_MAX: usize = 3;

/// The number of names that are listed if none is near.
const LISTED_MAX: usize = 8;

/// Returns the names that are most similar to `wanted`, the nearest first.
#[must_use]
pub fn nearest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let wanted = folded(wanted);
    let mut near: Vec<(f64, &str)> = names
        .into_iter()
        .map(|name| (similarity(&wanted, &folded(name)), name))
        .filter(|(similarity, _)| *similarity >= SIMILARITY_MIN)
        .collect();
    near.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    near.dedup_by(|left, right| left.1 == right.1);
    near.truncate(NEAREST_MAX);
    near.into_iter().map(|(_, name)| name).collect()
}

/// Returns the part of an error message that follows the wrong name: the nearest
/// names, or all of them if there are few, or their number.
#[must_use]
pub fn hint(wanted: &str, names: &[&str]) -> String {
    let near = nearest(wanted, names.iter().copied());
    if !near.is_empty() {
        return format!("did you mean {}?", listed(&near, "or"));
    }
    let distinct: BTreeSet<&str> = names.iter().copied().collect();
    let names: Vec<&str> = distinct.into_iter().collect();
    match names.as_slice() {
        [] => "there are none".to_owned(),
        [name] => format!("there is only '{name}'"),
        names if names.len() <= LISTED_MAX => format!("there are {}", listed(names, "and")),
        names => format!("none of the {} that there are is similar", names.len()),
    }
}

/// Returns the names in quotation marks, the last one after a conjunction.
#[must_use]
pub fn listed(names: &[&str], conjunction: &str) -> String {
    match names {
        [] => String::new(),
        [name] => format!("'{name}'"),
        [first @ .., last] => {
            format!("'{}' {conjunction} '{last}'", first.join("', '"))
        }
    }
}

/// Returns a name without the differences that people do not remember.
fn folded(name: &str) -> String {
    name.to_lowercase().replace('-', "_")
}

fn similarity(wanted: &str, name: &str) -> f64 {
    let by_letters = strsim::jaro_winkler(wanted, name);
    // A part of a name is near however long the name is.
    let is_part = wanted.chars().count() >= 3 && name.contains(wanted);
    if is_part {
        by_letters.max(0.9)
    } else {
        by_letters
    }
}

#[cfg(test)]
mod tests {
    use super::{hint, nearest};

    const NAMES: [&str; 4] = ["exits", "halt_exits", "halt_wait_ns", "tlb_flush"];

    #[test]
    fn nearest_names_come_first_when_a_name_is_misspelt() {
        for (wanted, first) in [
            ("exit", "exits"),
            ("halt-exits", "halt_exits"),
            ("HALT_WAIT", "halt_wait_ns"),
            ("flush", "tlb_flush"),
            ("tlbflush", "tlb_flush"),
        ] {
            assert_eq!(nearest(wanted, NAMES).first(), Some(&first), "{wanted}");
        }
        assert!(nearest("qqq", NAMES).is_empty());
    }

    #[test]
    fn hint_lists_what_there_is_when_nothing_is_near() {
        assert_eq!(hint("exitz", &["exits"]), "did you mean 'exits'?");
        assert_eq!(hint("qqq", &["exits", "exits"]), "there is only 'exits'");
        assert_eq!(hint("qqq", &["a", "b", "c"]), "there are 'a', 'b' and 'c'");
        assert_eq!(hint("qqq", &[]), "there are none");
        assert_eq!(
            hint("qqq", &["a", "b", "c", "d", "e", "f", "g", "h", "i"]),
            "none of the 9 that there are is similar"
        );
    }
}
