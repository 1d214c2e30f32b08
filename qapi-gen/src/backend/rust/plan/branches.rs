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
            let cfg = self.conditions.presence(value.cond.as_ref());
            if cfg.is_never() {
                continue;
            }
            let plan = |ty, cfg| BranchPlan {
                ident: name::camel(&value.name),
                wire: value.name.to_string(),
                ty,
                cfg,
                docs: self.member_docs(doc, &value.name, &value.features),
                features: self.features(&value.features, doc),
                attributes: match self.additions.member(Entity::Type(id), &value.name) {
                    added if added.is_empty() || is_member(&value.name) => TokenStream::new(),
                    added => added,
                },
            };
            let carries = |branch: &&Branch| branch.name == value.name && !self.is_empty(branch.ty);
            let branch = branches.list.iter().find(carries).and_then(|branch| {
                // A branch whose condition equals that of its value needs no
                // `#[cfg]` of its own.
                let when = match branch.cond == value.cond {
                    true => Presence::ALWAYS,
                    false => self
                        .conditions
                        .presence(branch.cond.as_ref())
                        .unless_never()?,
                };
                Some((self.boxed_if_recursive(id, branch.ty, place), when))
            });
            let Some((ty, when)) = branch else {
                plans.push(plan(None, cfg));
                continue;
            };
            plans.push(plan(Some(ty), cfg.and(&when)));
            let otherwise = when.not();
            if !otherwise.is_never() {
                plans.push(plan(None, cfg.and(&otherwise)));
            }
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
                ident: name::camel(&branch.name),
                wire: branch.name.to_string(),
                ty: self.boxed_if_recursive(id, branch.ty, Place::Module(module)),
                kind: Ident::new(self.json_kind(branch.ty), Span::call_site()),
                cfg: self
                    .conditions
                    .presence(branch.cond.as_ref())
                    .unless_never()?,
                docs: self.member_docs(common.doc.as_ref(), &branch.name, &[]),
                attributes: self.additions.member(Entity::Type(id), &branch.name),
            })
        });
        Some(AlternatePlan {
            head: self.head(id, common, &[])?,
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
