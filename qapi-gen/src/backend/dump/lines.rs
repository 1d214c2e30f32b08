//! The spelling of the canonical text.
//!
//! In: pieces of lines, and conditions. Out: text.

use crate::schema::{Cond, CondKind};

/// Text under construction.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// Adds a line that consists of pieces, without separators.
    pub(super) fn line(&mut self, indent: usize, pieces: &[&str]) {
        self.0.extend(std::iter::repeat_n(' ', indent));
        self.0.extend(pieces.iter().copied());
        self.0.push('\n');
    }

    /// Returns the text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// Returns a truth value as QEMU's tests expect it.
pub(super) fn flag(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// Returns a condition as QEMU's tests expect it. A symbol is in quotes only
/// within an operator.
pub(super) fn cond(cond: &Cond) -> String {
    let mut text = String::new();
    match cond.kind() {
        CondKind::Symbol(symbol) => text.push_str(symbol),
        _ => operand(cond, &mut text),
    }
    text
}

/// Writes a condition within an operator. The recursion is bounded, because the
/// parser limits how deeply conditions nest.
fn operand(cond: &Cond, text: &mut String) {
    let (operator, operands) = match cond.kind() {
        CondKind::Symbol(symbol) => {
            text.extend(["'", symbol, "'"]);
            return;
        }
        CondKind::Not(inner) => {
            text.push_str("{'not': ");
            operand(inner, text);
            text.push('}');
            return;
        }
        CondKind::All(conds) => ("all", conds),
        CondKind::Any(conds) => ("any", conds),
    };
    text.extend(["{'", operator, "': ["]);
    for (index, inner) in operands.iter().enumerate() {
        if index > 0 {
            text.push_str(", ");
        }
        operand(inner, text);
    }
    text.push_str("]}");
}
