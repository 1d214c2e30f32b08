//! The spelling of the canonical text.
//!
//! In: pieces of lines, conditions. Out: text. It knows nothing of schemas but
//! their conditions.

use crate::schema::{Cond, CondKind};

/// Text that grows line by line.
#[derive(Debug, Default)]
pub(super) struct Text(String);

impl Text {
    /// Adds a line of pieces that are not separated.
    pub(super) fn line(&mut self, indent: usize, pieces: &[&str]) {
        self.0.extend(std::iter::repeat_n(' ', indent));
        self.0.extend(pieces.iter().copied());
        self.0.push('\n');
    }

    /// All of it.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// A truth value, as QEMU's tests expect it.
pub(super) fn flag(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// A condition, as QEMU's tests expect it: a symbol stands for itself, but
/// within an operator it is in quotes.
pub(super) fn cond(cond: &Cond) -> String {
    let mut text = String::new();
    match cond.kind() {
        CondKind::Symbol(symbol) => text.push_str(symbol),
        _ => operand(cond, &mut text),
    }
    text
}

/// It calls itself as deeply as the parser lets conditions nest.
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
