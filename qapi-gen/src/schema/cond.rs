//! Conditions, and what they mean.
//!
//! In: a condition, the configuration symbols that are defined. Out: whether
//! it holds. Where symbols come from and what is left out, others know.
//!
//! Conditions nest as deeply as the parser lets values nest, which bounds the
//! recursion here.

use std::collections::BTreeSet;

/// A condition on configuration symbols. Few things have one, so it takes no
/// more room than a pointer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cond(Box<CondKind>);

/// The kinds of conditions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CondKind {
    /// The symbol is defined.
    Symbol(String),
    /// Not this.
    Not(Cond),
    /// All of these.
    All(Vec<Cond>),
    /// Any of these.
    Any(Vec<Cond>),
}

impl From<CondKind> for Cond {
    fn from(kind: CondKind) -> Self {
        Self(Box::new(kind))
    }
}

impl Cond {
    /// What kind of condition it is.
    #[must_use]
    pub fn kind(&self) -> &CondKind {
        &self.0
    }

    /// Whether the condition holds when these symbols are defined, and no
    /// others.
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
