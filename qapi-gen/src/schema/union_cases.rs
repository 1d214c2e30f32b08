//! What the values of a union's discriminator stand for.
//!
//! In: a union's branches. Out: one case for every value, also for those that
//! the schema leaves out. It adds nothing to the schema.

use rustc_hash::FxHashSet as HashSet;

use super::{Branches, Schema, TypeId, TypeKind};
use crate::cond::Cond;

/// A value of a discriminator, and what it stands for.
#[derive(Clone, Copy, Debug)]
pub struct UnionCase<'a> {
    /// The value.
    pub name: &'a str,
    /// The object type whose members come with it.
    pub ty: TypeId,
    /// The condition under which it exists.
    pub cond: Option<&'a Cond>,
}

impl Schema {
    /// The cases of a union: the branches that the schema gives, in schema
    /// order, then the empty object for each other value of the discriminator,
    /// under the condition of the value.
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
