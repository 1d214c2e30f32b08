//! Conditions of schemas of QEMU 6.1 and earlier, which are written in C.
//!
//! In: an expression of C's preprocessor, such as `defined(A) && !defined(B)`. Out:
//! the condition, or nothing if the expression has another form.

use crate::cond::{Cond, CondKind};

/// The depth to which parentheses and negations may nest, which bounds the
/// recursion. QEMU's conditions do not nest.
const NESTING_MAX: usize = 50;

/// Parses a condition.
pub(super) fn parse(text: &str) -> Option<Cond> {
    let mut rest = Rest { text, depth: 0 };
    let cond = rest.any()?;
    rest.text.trim_start().is_empty().then_some(cond)
}

/// The part of an expression that is not parsed yet.
struct Rest<'t> {
    text: &'t str,
    depth: usize,
}

impl<'t> Rest<'t> {
    /// Skips a token if it is next, and returns whether it was.
    fn take(&mut self, token: &str) -> bool {
        let rest = self.text.trim_start().strip_prefix(token);
        self.text = rest.unwrap_or(self.text);
        rest.is_some()
    }

    /// Parses operands of `||`.
    fn any(&mut self) -> Option<Cond> {
        let mut conds = vec![self.all()?];
        while self.take("||") {
            conds.push(self.all()?);
        }
        joined(conds, CondKind::Any)
    }

    /// Parses operands of `&&`.
    fn all(&mut self) -> Option<Cond> {
        let mut conds = vec![self.operand()?];
        while self.take("&&") {
            conds.push(self.operand()?);
        }
        joined(conds, CondKind::All)
    }

    fn operand(&mut self) -> Option<Cond> {
        if self.depth == NESTING_MAX {
            return None;
        }
        self.depth += 1;
        let cond = if self.take("!") {
            self.operand().map(|cond| CondKind::Not(cond).into())
        } else if self.take("(") {
            self.any().filter(|_| self.take(")"))
        } else if self.take("defined") {
            let is_enclosed = self.take("(");
            let symbol = self.symbol()?;
            (!is_enclosed || self.take(")")).then(|| CondKind::Symbol(symbol.to_owned()).into())
        } else {
            None
        };
        self.depth -= 1;
        cond
    }

    fn symbol(&mut self) -> Option<&'t str> {
        let text = self.text.trim_start();
        let ends = |c: char| !c.is_ascii_alphanumeric() && c != '_';
        let (symbol, rest) = text.split_at(text.find(ends).unwrap_or(text.len()));
        self.text = rest;
        (!symbol.is_empty()).then_some(symbol)
    }
}

/// Joins conditions. Returns `None` for an empty list.
pub(super) fn joined(mut conds: Vec<Cond>, join: fn(Vec<Cond>) -> CondKind) -> Option<Cond> {
    match conds.len() {
        1 => conds.pop(),
        0 => None,
        _ => Some(join(conds).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbol(name: &str) -> Cond {
        CondKind::Symbol(name.to_owned()).into()
    }

    #[test]
    fn c_condition_has_the_precedence_of_c() {
        let (a, b, c) = (symbol("A"), symbol("B_1"), symbol("C"));
        let not_c = CondKind::Not(c).into();
        let all = CondKind::All(vec![b, not_c]).into();
        let any: Cond = CondKind::Any(vec![a.clone(), all]).into();
        let parsed = parse("defined(A) || defined( B_1 )&&!defined C");
        assert_eq!(parsed, Some(any.clone()));
        let parsed = parse("(defined(A) || (defined(B_1) && !(defined(C))))");
        assert_eq!(parsed, Some(any));
        assert_eq!(parse("defined(A)"), Some(a));
    }

    #[test]
    fn c_condition_is_refused_when_it_has_another_form() {
        let deep = "(".repeat(100_000);
        for text in [
            "",
            " ",
            "A",
            "defined()",
            "defined(A",
            "defined(A) &&",
            &deep,
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("defined(A) defined(B)"), None);
        assert_eq!(parse(&"!".repeat(100_000)), None);
    }
}
