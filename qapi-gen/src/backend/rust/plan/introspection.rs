//! Plans the schema as data.
//!
//! In: the table for `query-qmp-schema`. Out: the entries of a static, without
//! those that the configuration leaves out. Types are numbered over the whole
//! schema, also those whose code is in another crate.

use super::items::{BranchTypePlan, EnumMemberPlan, InfoPlan, MemberPlan, MetaPlan};
use super::planner::Planner;
use crate::analysis::schema_info::{self, Info, Meta, Typed};
use crate::schema::{EnumValue, TypeId};

impl<'s> Planner<'_, 's> {
    /// Plans the table of the selected part of the schema.
    pub(super) fn introspection(&self) -> Vec<InfoPlan> {
        let infos = schema_info::table(self.schema, false, |entity| {
            self.choices.selection.contains(entity)
        });
        let mut plans = Vec::with_capacity(infos.len());
        plans.extend(infos.into_iter().filter_map(|info| self.info(info)));
        plans
    }

    fn info(&self, info: Info<'_>) -> Option<InfoPlan> {
        Some(InfoPlan {
            cfg: self
                .conditions
                .presence(info.common.cond.as_ref())
                .unless_never()?,
            meta: self.meta(info.meta),
            features: self.features(&info.common.features, None).list,
            name: info.name,
        })
    }

    fn meta(&self, meta: Meta<'_>) -> MetaPlan {
        match meta {
            Meta::Builtin { json_type } => MetaPlan::Builtin { json_type },
            Meta::Enum { id, values } => MetaPlan::Enum {
                open: self.open_name(id),
                members: values
                    .iter()
                    .filter_map(|value| self.enum_member(value))
                    .collect(),
            },
            Meta::Array { element } => MetaPlan::Array { element },
            Meta::Object { members, union } => MetaPlan::Object {
                members: self.existing_members(members),
                tag: union.as_ref().map(|union| union.tag.to_owned()),
                variants: self.existing_members(union.map(|union| union.cases).unwrap_or_default()),
            },
            Meta::Alternate { branches } => MetaPlan::Alternate {
                types: branches
                    .into_iter()
                    .filter_map(|branch| self.branch_type(branch))
                    .collect(),
            },
            Meta::Command {
                arg,
                ret,
                allow_oob,
            } => MetaPlan::Command {
                arg,
                ret,
                allow_oob,
            },
            Meta::Event { arg } => MetaPlan::Event { arg },
        }
    }

    fn enum_member(&self, value: &EnumValue) -> Option<EnumMemberPlan> {
        Some(EnumMemberPlan {
            name: value.name.to_string(),
            cfg: self
                .conditions
                .presence(value.cond.as_ref())
                .unless_never()?,
            features: self.features(&value.features, None).list,
        })
    }

    fn branch_type(&self, branch: Typed<'_>) -> Option<BranchTypePlan> {
        Some(BranchTypePlan {
            cfg: self.conditions.presence(branch.cond).unless_never()?,
            ty: branch.ty,
        })
    }

    fn existing_members(&self, members: Vec<Typed<'_>>) -> Vec<MemberPlan> {
        let plan = |member: Typed<'_>| {
            Some(MemberPlan {
                name: member.name.to_owned(),
                cfg: self.conditions.presence(member.cond).unless_never()?,
                features: self.features(member.features, None).list,
                ty: member.ty,
                optional: member.optional,
            })
        };
        let mut plans = Vec::with_capacity(members.len());
        plans.extend(members.into_iter().filter_map(plan));
        plans
    }

    fn open_name(&self, id: TypeId) -> Option<String> {
        let name = &self.schema.ty(id).common.name;
        self.graph.is_open(id).then(|| name.to_string())
    }
}
