//! Conditions on configuration symbols.
//!
//! In: a condition and the symbols that are defined. Out: whether the
//! condition holds. Which parts of a schema have conditions is not known here.
//!
//! Conditions nest as deeply as the parser lets values nest, which bounds the
//! recursion here.

use std::collections::BTreeSet;

/// A condition on configuration symbols. It is as large as a pointer, because
/// few parts of a schema have one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cond(Box<CondKind>);

/// A kind of condition.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CondKind {
    /// Holds if the symbol is defined.
    Symbol(String),
    /// Holds if the other condition does not.
    Not(Cond),
    /// Holds if all of the conditions hold.
    All(Vec<Cond>),
    /// Holds if any of the conditions holds.
    Any(Vec<Cond>),
}

impl From<CondKind> for Cond {
    fn from(kind: CondKind) -> Self {
        Self(Box::new(kind))
    }
}

impl Cond {
    /// Returns the kind of condition.
    #[must_use]
    pub fn kind(&self) -> &CondKind {
        &self.0
    }

    /// Returns whether the condition holds if exactly the symbols in `defined`
    /// are defined.
    #[must_use]
    pub fn holds(&self, defined: &BTreeSet<String>) -> bool {
        match self.kind() {
            CondKind::Symbol(symbol) => defined.contains(symbol),
            CondKind::Not(cond) => !cond.holds(defined),
            CondKind::All(conds) => conds.iter().all(|cond| cond.holds(defined)),
            CondKind::Any(conds) => conds.iter().any(|cond| cond.holds(defined)),
        }
    }
}
