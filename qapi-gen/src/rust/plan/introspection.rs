//! Planning of the schema as data.
//!
//! In: the table that `query-qmp-schema` tells. Out: the same as it will stand
//! in a static, without what does not exist in the chosen configuration. Types
//! are numbered over the whole schema, whichever crate their code is in.

use super::Planner;
use crate::introspect::{self, Info, Meta, Typed};
use crate::schema::{Cond, Feature, TypeId};

/// An entry.
pub(crate) struct InfoPlan {
    pub(crate) name: String,
    pub(crate) meta: MetaPlan,
    pub(crate) features: Vec<String>,
}

/// What an entry tells of.
pub(crate) enum MetaPlan {
    Builtin {
        json_type: &'static str,
    },
    Enum {
        /// The name in the schema, if values can be registered at run time.
        open: Option<String>,
        members: Vec<EnumMemberPlan>,
    },
    Array {
        element: String,
    },
    Object {
        members: Vec<MemberPlan>,
        tag: Option<String>,
        variants: Vec<MemberPlan>,
    },
    Alternate {
        types: Vec<String>,
    },
    Command {
        arg: String,
        ret: String,
        allow_oob: bool,
    },
    Event {
        arg: String,
    },
}

/// A value of an enumeration.
pub(crate) struct EnumMemberPlan {
    pub(crate) name: String,
    pub(crate) features: Vec<String>,
}

/// A member of an object, or the case of a union.
pub(crate) struct MemberPlan {
    pub(crate) name: String,
    pub(crate) ty: String,
    pub(crate) optional: bool,
    pub(crate) features: Vec<String>,
}

impl Planner<'_> {
    /// Plans the table of the whole schema.
    pub(super) fn introspection(&self) -> Vec<InfoPlan> {
        let infos = introspect::table(self.schema, false);
        let included = self.existing(infos, |info| info.common.cond.as_ref());
        included.map(|info| self.info(info)).collect()
    }

    fn info(&self, info: Info<'_>) -> InfoPlan {
        InfoPlan {
            meta: match info.meta {
                Meta::Builtin { json_type } => MetaPlan::Builtin { json_type },
                Meta::Enum { id, values } => MetaPlan::Enum {
                    open: self.open_name(id),
                    members: self
                        .existing(values, |value| value.cond.as_ref())
                        .map(|value| EnumMemberPlan {
                            name: value.name.to_string(),
                            features: self.features_told(&value.features),
                        })
                        .collect(),
                },
                Meta::Array { element } => MetaPlan::Array { element },
                Meta::Object { members, union } => MetaPlan::Object {
                    members: self.members_told(members),
                    tag: union.as_ref().map(|union| union.tag.to_owned()),
                    variants: self.members_told(union.map(|union| union.cases).unwrap_or_default()),
                },
                Meta::Alternate { branches } => MetaPlan::Alternate {
                    types: self
                        .existing(branches, |branch| branch.cond)
                        .map(|branch| branch.ty)
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
            },
            features: self.features_told(&info.common.features),
            name: info.name,
        }
    }

    fn members_told(&self, members: Vec<Typed<'_>>) -> Vec<MemberPlan> {
        self.existing(members, |member| member.cond)
            .map(|member| MemberPlan {
                name: member.name.to_owned(),
                features: self.features_told(member.features),
                ty: member.ty,
                optional: member.optional,
            })
            .collect()
    }

    fn features_told(&self, features: &[Feature]) -> Vec<String> {
        self.existing(features, |feature| feature.cond.as_ref())
            .map(|feature| feature.name.to_string())
            .collect()
    }

    fn open_name(&self, id: TypeId) -> Option<String> {
        let name = &self.schema.ty(id).common.name;
        self.graph.is_open(id).then(|| name.to_string())
    }

    /// What exists in the chosen configuration. A condition that is to be
    /// decided when the generated code is compiled would go into the plan
    /// here, to become an attribute of the element.
    fn existing<T>(
        &self,
        items: impl IntoIterator<Item = T>,
        cond: impl for<'i> Fn(&'i T) -> Option<&'i Cond>,
    ) -> impl Iterator<Item = T> {
        items
            .into_iter()
            .filter(move |item| self.includes_part(cond(item)))
    }
}
