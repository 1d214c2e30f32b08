//! Conditions, and what they mean.
//!
//! In: a condition, the configuration symbols that are defined. Out: whether
//! it holds; of a schema, which conditions there are. Where symbols come from
//! and what is left out, others know.
//!
//! Conditions nest as deeply as the parser lets values nest, which bounds the
//! recursion here.

use std::collections::BTreeSet;

use super::{Branch, Enum, Feature, Schema, TypeKind};

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

impl Schema {
    /// The conditions of everything in the schema that has one, those of
    /// members, values, branches and features included.
    pub fn conditions(&self) -> impl Iterator<Item = &Cond> {
        let definitions = self.entities().iter().flat_map(|entity| {
            let common = self.common(*entity);
            common.cond.iter().chain(features(&common.features))
        });
        let parts = self.types().flat_map(|(_, ty)| match &ty.kind {
            TypeKind::Enum(Enum { values, .. }) => values
                .iter()
                .flat_map(|value| value.cond.iter().chain(features(&value.features)))
                .collect(),
            TypeKind::Object(object) => {
                let members = object
                    .members
                    .iter()
                    .flat_map(|member| member.cond.iter().chain(features(&member.features)));
                let branches = object.branches.iter().flat_map(|branches| &branches.list);
                members.chain(branches.filter_map(condition)).collect()
            }
            TypeKind::Alternate(alternate) => {
                alternate.branches.iter().filter_map(condition).collect()
            }
            TypeKind::Builtin(_) | TypeKind::Array(_) => Vec::new(),
        });
        definitions.chain(parts)
    }
}

fn condition(branch: &Branch) -> Option<&Cond> {
    branch.cond.as_ref()
}

fn features(features: &[Feature]) -> impl Iterator<Item = &Cond> {
    features.iter().filter_map(|feature| feature.cond.as_ref())
}
