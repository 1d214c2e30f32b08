//! Unions: the discriminator is an enum of the base, branches are values of it,
//! and no member of the base is also in a branch.
//!
//! In: a schema. Out: reports. Names within the base are checked elsewhere.

use std::borrow::Cow;

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::c_name::c_name;
use crate::diag::{DefinitionPart, Diagnostics, Problem, Site};
use crate::rules::Fact;
use crate::schema::describe;
use crate::schema::provenance::ResolvedSchema;
use crate::schema::qemu_order::CheckPoint;
use crate::schema::{
    Branches, CONTAINMENT_DEPTH_MAX, Entity, Enum, Member, Object, ObjectOrigin, Schema, TypeId,
    TypeKind,
};
use crate::source::Span;

/// Checks every union.
pub(super) fn check(schema: &ResolvedSchema, diagnostics: &mut Diagnostics) {
    let mut unions = Unions {
        schema,
        diagnostics,
    };
    for (id, ty) in schema.types() {
        if let TypeKind::Object(object) = &ty.kind
            && let Some(branches) = &object.branches
        {
            unions.union(id, object, branches);
        }
    }
}

/// A member with the object that has it.
type OwnedMember<'a> = (TypeId, &'a Member);

/// A checker of unions.
struct Unions<'a, 'd> {
    schema: &'a ResolvedSchema,
    diagnostics: &'d mut Diagnostics,
}

impl<'a> Unions<'a, '_> {
    fn report(&mut self, union: TypeId, problem: Problem, shown: Option<Span>, step: (u32, u32)) {
        let entity = Entity::Type(union);
        let site = self.schema.site(entity).map(|site| site.showing(shown));
        let step = CheckPoint::new(entity, step.0, step.1);
        self.diagnostics.report_ranked(problem, site, step.rank());
    }

    /// Returns whether a union's branch can have a type.
    fn can_be_branch(&self, ty: TypeId) -> bool {
        match &self.schema.ty(ty).kind {
            TypeKind::Object(object) => {
                object.branches.is_none() || self.schema.rules.have(Fact::UnionBranches)
            }
            _ => false,
        }
    }

    /// Checks one union.
    fn union(&mut self, id: TypeId, object: &'a Object, branches: &'a Branches) {
        let base_is_struct = |base: TypeId| matches!(&self.schema.ty(base).kind, TypeKind::Object(base) if base.branches.is_none());
        let base = match object.base {
            Some(base) if self.schema.is_unresolved(base) || !base_is_struct(base) => {
                // `member_names` reports a wrong base.
                None
            }
            base => Some(base),
        };
        if let Some(base) = base {
            let values = self.discriminator(id, base, branches);
            if let Some((tag, kind)) = values {
                self.branch_names(id, tag, kind, branches);
            }
        }
        for (branch, segment) in branches.list.iter().zip(1u32..) {
            let unresolved = self.schema.is_unresolved(branch.ty);
            if !unresolved && !self.can_be_branch(branch.ty) {
                let problem = Problem::CannotUse {
                    user: DefinitionPart::Branch(branch.name.to_string(), None),
                    ty: describe::type_name(self.schema, branch.ty),
                };
                self.report(id, problem, branch.span, (segment, 1));
            }
        }
        if let Some(Some(base)) = base {
            self.clashes(id, base, branches);
        }
    }

    /// Checks the discriminator. Returns its type, or `None` if it is wrong.
    fn discriminator(
        &mut self,
        id: TypeId,
        base: Option<TypeId>,
        branches: &'a Branches,
    ) -> Option<(TypeId, &'a Enum)> {
        let schema = self.schema;
        let found = base
            .map(|base| schema.lineage(base))
            .unwrap_or_default()
            .into_iter()
            .find_map(|owner| {
                let members = schema.own_members(owner);
                Some((
                    owner,
                    members.iter().find(|member| member.name == branches.tag)?,
                ))
            });
        let Some((owner, member)) = found else {
            let owners = base.map(|base| schema.lineage(base)).unwrap_or_default();
            let members = owners.iter().flat_map(|&owner| schema.own_members(owner));
            let names = members.map(|member| member.name.as_str());
            let problem = Problem::DiscriminatorMissing {
                name: branches.tag.to_string(),
                similar: self.diagnostics.similar(&branches.tag, names),
            };
            self.report(id, problem, None, (1, 0));
            return None;
        };
        let kind = match &schema.ty(member.ty).kind {
            TypeKind::Enum(kind) => Some(kind),
            _ => None,
        };
        let must = if kind.is_none() {
            Some("be of enum type")
        } else if member.optional {
            Some("not be optional")
        } else if member.cond.is_some() {
            Some("not be conditional")
        } else {
            None
        };
        if let Some(must) = must {
            if !schema.is_unresolved(member.ty) {
                let owner = &schema.ty(owner);
                let implicit = matches!(
                    &owner.kind,
                    TypeKind::Object(object)
                        if !matches!(object.origin, ObjectOrigin::Struct | ObjectOrigin::Union)
                );
                let problem = Problem::DiscriminatorKind {
                    name: branches.tag.to_string(),
                    base: (!implicit).then(|| owner.common.name.to_string()),
                    must,
                };
                self.report(id, problem, None, (1, 0));
            }
            return None;
        }
        kind.map(|kind| (member.ty, kind))
    }

    /// Checks that the names of the branches are values of the discriminator.
    fn branch_names(&mut self, id: TypeId, tag: TypeId, kind: &'a Enum, branches: &Branches) {
        if kind.values.is_empty() && branches.list.is_empty() {
            self.report(id, Problem::NoBranches, None, (1, 0));
        }
        let names = || kind.values.iter().map(|value| value.name.as_str());
        let values: HashSet<&str> = names().collect();
        let wrong: Vec<_> = branches
            .list
            .iter()
            .zip(1u32..)
            .filter(|(branch, _)| !values.contains(branch.name.as_str()))
            .collect();
        for (branch, segment) in wrong {
            let problem = Problem::BranchNotValue {
                branch: branch.name.to_string(),
                of: describe::type_name(self.schema, tag),
                similar: self.diagnostics.similar(&branch.name, names()),
            };
            self.report(id, problem, branch.span, (segment, 1));
        }
    }

    /// Checks that no member of the base is also in a branch.
    fn clashes(&mut self, id: TypeId, base: TypeId, branches: &Branches) {
        let schema = self.schema;
        let mut of_base: HashMap<Cow<'_, str>, OwnedMember<'_>> = HashMap::default();
        for owner in schema.lineage(base) {
            for member in schema.own_members(owner) {
                let name = c_name(&member.name);
                of_base.entry(name).or_insert((owner, member));
            }
        }
        let last = u32::try_from(branches.list.len())
            .unwrap_or(u32::MAX)
            .saturating_add(1);
        for branch in &branches.list {
            // QEMU iterates over the branch, so the branch's first clash counts.
            let clash = contents(schema, branch.ty)
                .into_iter()
                .find_map(|what| Some((*of_base.get(&c_name(&what.1.name))?, what)));
            let Some((with, what)) = clash else {
                continue;
            };
            let site: Option<Site> = schema.site(Entity::Type(id));
            let part = |(owner, member): OwnedMember<'_>| {
                describe::member_part_of(schema, owner, member, site.as_ref())
            };
            let problem = Problem::Collision {
                what: part(what),
                with: part(with),
            };
            self.report(id, problem, branch.span, (last, 2));
        }
    }
}

/// Collects the members of an object, its bases and its branches, in QEMU's
/// order. Each type is visited once, because a second visit adds no names. Types
/// that are too deep have been reported, and are skipped.
fn contents(schema: &Schema, id: TypeId) -> Vec<OwnedMember<'_>> {
    let mut contents = Vec::new();
    let mut seen = HashSet::default();
    let mut todo = vec![(id, 0)];
    while let Some((id, depth)) = todo.pop() {
        if depth > CONTAINMENT_DEPTH_MAX || seen.contains(&id) {
            continue;
        }
        for owner in schema.lineage(id) {
            if seen.insert(owner) {
                let members = schema.own_members(owner).iter();
                contents.extend(members.map(|member| (owner, member)));
            }
        }
        if let TypeKind::Object(Object {
            branches: Some(branches),
            ..
        }) = &schema.ty(id).kind
        {
            let branches = branches.list.iter().rev();
            todo.extend(branches.map(|branch| (branch.ty, depth + 1)));
        }
    }
    contents
}
