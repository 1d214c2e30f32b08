//! Plans the branches of unions, and alternates.
//!
//! In: the branches in the schema, and for a union the values of its
//! discriminator. Out: a plan for each variant.

use proc_macro2::{Ident, Span, TokenStream};

use super::items::{AlternateBranchPlan, AlternatePlan, BranchPlan};
use super::planner::Planner;
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::name;
use crate::backend::rust::paths::Place;
use crate::schema::{
    Alternate, Branch, Branches, Builtin, Common, Entity, ModuleId, TypeId, TypeKind,
};

impl<'s> Planner<'_, 's> {
    /// Plans a variant for each value of the discriminator, with or without a
    /// branch.
    pub(super) fn branches(
        &self,
        id: TypeId,
        branches: &'s Branches,
        place: Place,
    ) -> Vec<BranchPlan> {
        let tag = self.schema.ty(branches.tag_type);
        let doc = tag.common.doc.as_ref();
        let TypeKind::Enum(enumeration) = &tag.kind else {
            return Vec::new();
        };
        // A member of the base takes precedence over a branch of the same name.
        let is_member = |name: &str| self.members(id, None).iter().any(|(it, _)| it.name == name);
        let mut plans = Vec::new();
        for value in &enumeration.values {
            let Some(mut head) = self.value(id, value, doc) else {
                continue;
            };
            if !head.attributes.is_empty() && is_member(&value.name) {
                head.attributes = TokenStream::new();
            }
            let carries = |branch: &&Branch| branch.name == value.name && !self.is_empty(branch.ty);
            let branch = branches.list.iter().find(carries).and_then(|branch| {
                // A branch whose condition equals that of its value needs no
                // `#[cfg]` of its own.
                let when = match branch.cond == value.cond {
                    true => Presence::ALWAYS,
                    false => self.presence(branch.cond.as_ref())?,
                };
                Some((self.boxed_if_recursive(id, branch.ty, place), when))
            });
            let Some((ty, when)) = branch else {
                plans.push(BranchPlan { head, ty: None });
                continue;
            };
            let otherwise = when.not();
            let without = (!otherwise.is_never()).then(|| {
                let mut head = head.clone();
                head.cfg = head.cfg.and(&otherwise);
                BranchPlan { head, ty: None }
            });
            head.cfg = head.cfg.and(&when);
            plans.push(BranchPlan { head, ty: Some(ty) });
            plans.extend(without);
        }
        plans
    }

    /// Plans an alternate. Returns `None` if the configuration leaves it out.
    pub(super) fn alternate(
        &self,
        id: TypeId,
        common: &'s Common,
        alternate: &'s Alternate,
        module: ModuleId,
    ) -> Option<AlternatePlan> {
        let branches = alternate.branches.iter().filter_map(|branch| {
            Some(AlternateBranchPlan {
                head: self.part(
                    Entity::Type(id),
                    name::camel(&branch.name),
                    &branch.name,
                    branch.cond.as_ref(),
                    &[],
                    common.doc.as_ref(),
                )?,
                ty: self.boxed_if_recursive(id, branch.ty, Place::Module(module)),
                kind: Ident::new(self.json_kind(branch.ty), Span::call_site()),
            })
        });
        Some(AlternatePlan {
            head: self.head(Entity::Type(id), self.graph.is_exact(id), &[])?,
            branches: branches.collect(),
        })
    }

    /// Returns the JSON type of a type's values, as a variant of
    /// `qapi_wire::Kind`.
    fn json_kind(&self, id: TypeId) -> &'static str {
        match &self.schema.ty(id).kind {
            TypeKind::Builtin(Builtin::Str) | TypeKind::Enum(_) => "String",
            TypeKind::Builtin(Builtin::Bool) => "Bool",
            TypeKind::Builtin(Builtin::Null) => "Null",
            TypeKind::Builtin(_) => "Number",
            TypeKind::Array(_) => "Array",
            TypeKind::Object(_) | TypeKind::Alternate(_) => "Object",
        }
    }
}
