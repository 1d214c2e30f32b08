//! The cases of a union: one for each value of the discriminator.
//!
//! In: a union's branches. Out: the branches, and an empty case for each value
//! for which the schema lists no branch.

use rustc_hash::FxHashSet as HashSet;

use super::{Branches, Schema, TypeId, TypeKind};
use crate::cond::Cond;

/// A value of a discriminator with the members that it selects.
#[derive(Clone, Copy, Debug)]
pub struct UnionCase<'a> {
    /// The value.
    pub name: &'a str,
    /// The object type whose members the union has in this case.
    pub ty: TypeId,
    /// The condition under which the case exists.
    pub cond: Option<&'a Cond>,
}

impl Schema {
    /// Returns the cases of a union: the branches that the schema lists, in
    /// schema order, then an empty object for each other value of the
    /// discriminator, under the condition of the value.
    #[must_use]
    pub fn cases<'a>(&'a self, branches: &'a Branches) -> Vec<UnionCase<'a>> {
        let given = branches.list.iter().map(|branch| UnionCase {
            name: &branch.name,
            ty: branch.ty,
            cond: branch.cond.as_ref(),
        });
        let names: HashSet<&str> = given.clone().map(|case| case.name).collect();
        let values = match &self.ty(branches.tag_type).kind {
            TypeKind::Enum(tag) => &*tag.values,
            _ => &[],
        };
        let empty = self.predefined("q_empty");
        let absent = values
            .iter()
            .filter(|value| !names.contains(value.name.as_str()))
            .map(|value| UnionCase {
                name: &value.name,
                ty: empty,
                cond: value.cond.as_ref(),
            });
        given.chain(absent).collect()
    }
}
