//! Conditions, and what they mean.
//!
//! In: a condition, the configuration symbols that are defined. Out: whether
//! it holds. Where symbols come from and what is left out, others know.
//!
//! Conditions nest as deeply as the parser lets values nest, which bounds the
//! recursion here.

use std::collections::BTreeSet;

/// A condition on configuration symbols.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cond {
    /// The symbol is defined.
    Symbol(String),
    /// Not this.
    Not(Box<Cond>),
    /// All of these.
    All(Vec<Cond>),
    /// Any of these.
    Any(Vec<Cond>),
}

impl Cond {
    /// Whether the condition holds when these symbols are defined, and no
    /// others.
    #[must_use]
    pub fn holds(&self, defined: &BTreeSet<String>) -> bool {
        match self {
            Self::Symbol(symbol) => defined.contains(symbol),
            Self::Not(cond) => !cond.holds(defined),
            Self::All(conds) => conds.iter().all(|cond| cond.holds(defined)),
            Self::Any(conds) => conds.iter().any(|cond| cond.holds(defined)),
        }
    }
}
