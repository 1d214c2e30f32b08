//! The interface of a schema.
//!
//! In: a checked schema. Out: an [`Interface`] with everything that the schema
//! defines, or with what exists in one configuration.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Branch, Command, CommandFacts, Event, Interface, Member, Object, Place, Scalar, Shape, Traits,
    Type, Variants,
};
use crate::schema::{self, Builtin, CheckedSchema, Cond, Feature, TypeId, TypeKind};
use crate::source::{SourceMap, Span};

impl Interface {
    /// Returns the interface of a schema, with everything that is conditional.
    #[must_use]
    pub fn of_schema(schema: &CheckedSchema, sources: &SourceMap) -> Self {
        Reading {
            schema,
            sources,
            config: None,
        }
        .interface()
    }

    /// Returns the interface of a schema in a build: what exists if exactly the
    /// symbols in `defined` are defined.
    #[must_use]
    pub fn of_build(
        schema: &CheckedSchema,
        sources: &SourceMap,
        defined: &BTreeSet<String>,
    ) -> Self {
        Reading {
            schema,
            sources,
            config: Some(defined),
        }
        .interface()
    }
}

struct Reading<'a> {
    schema: &'a CheckedSchema,
    sources: &'a SourceMap,
    config: Option<&'a BTreeSet<String>>,
}

impl Reading<'_> {
    fn interface(&self) -> Interface {
        let schema = self.schema;
        let exists = |common: &schema::Common| self.exists(common.cond.as_ref());
        let commands = schema.commands().filter(|(_, item)| exists(&item.common));
        let events = schema.events().filter(|(_, item)| exists(&item.common));
        let named = schema
            .types()
            .filter(|(_, ty)| exists(&ty.common) && ty.is_written());
        Interface {
            commands: commands
                .map(|(_, command)| (command.common.name.to_string(), self.command(command)))
                .collect(),
            events: events
                .map(|(_, event)| {
                    let traits = self.common(&event.common);
                    let arg = self.object_or_empty(event.arg);
                    (event.common.name.to_string(), Event { traits, arg })
                })
                .collect(),
            named: named
                .map(|(id, ty)| (ty.common.name.to_string(), index(id)))
                .collect(),
            types: schema.types().map(|(id, ty)| self.ty(id, ty)).collect(),
            is_schema: true,
        }
    }

    fn command(&self, command: &schema::Command) -> Command {
        Command {
            traits: self.common(&command.common),
            arg: self.object_or_empty(command.arg),
            ret: self.object_or_empty(command.ret),
            allow_oob: command.allow_oob,
            schema: Some(CommandFacts {
                success_response: command.success_response,
                allow_preconfig: command.allow_preconfig,
                open_arguments: !command.gen_code,
            }),
        }
    }

    fn ty(&self, id: TypeId, ty: &schema::Type) -> Type {
        let shape = match &ty.kind {
            TypeKind::Builtin(builtin) => Shape::Scalar(scalar(*builtin)),
            TypeKind::Enum(kind) => {
                let values = kind.values.iter();
                let values = values.filter(|value| self.exists(value.cond.as_ref()));
                let value = |value: &schema::EnumValue| {
                    let traits = self.traits(value.cond.as_ref(), &value.features, value.span);
                    (value.name.to_string(), traits)
                };
                Shape::Enum(values.map(value).collect())
            }
            TypeKind::Array(element) => Shape::Array(index(*element)),
            TypeKind::Object(object) => Shape::Object(self.object(id, object)),
            TypeKind::Alternate(alternate) => {
                let branches = alternate.branches.iter();
                let branches = branches.filter(|branch| self.exists(branch.cond.as_ref()));
                let branch = |branch: &schema::Branch| Branch {
                    name: Some(branch.name.to_string()),
                    traits: self.traits(branch.cond.as_ref(), &[], branch.span),
                    ty: index(branch.ty),
                };
                Shape::Alternate(branches.map(branch).collect())
            }
        };
        let is_named = ty.is_written();
        Type {
            name: is_named.then(|| ty.common.name.to_string()),
            module: is_named.then(|| self.schema.module(ty.common.module).name.clone()),
            traits: self.common(&ty.common),
            shape,
        }
    }

    fn object(&self, id: TypeId, object: &schema::Object) -> Object {
        let lineage = self.schema.lineage(id);
        let members = lineage.iter().flat_map(|id| self.schema.own_members(*id));
        let members = members.filter(|member| self.exists(member.cond.as_ref()));
        let member = |member: &schema::Member| {
            let traits = self.traits(member.cond.as_ref(), &member.features, member.span);
            let (ty, optional) = (index(member.ty), member.optional);
            (
                member.name.to_string(),
                Member {
                    traits,
                    ty,
                    optional,
                },
            )
        };
        let members: BTreeMap<String, Member> = members.map(member).collect();
        let variants = object.branches.as_ref().map(|branches| {
            let spans: BTreeMap<&str, Option<Span>> = branches
                .list
                .iter()
                .map(|branch| (branch.name.as_str(), branch.span))
                .collect();
            let cases = self.schema.cases(branches).into_iter();
            let cases = cases.filter(|case| self.exists(case.cond));
            Variants {
                tag: branches.tag.to_string(),
                cases: cases
                    .map(|case| {
                        let span = spans.get(case.name).copied().flatten();
                        let traits = self.traits(case.cond, &[], span);
                        (
                            case.name.to_owned(),
                            Branch {
                                name: None,
                                traits,
                                ty: index(case.ty),
                            },
                        )
                    })
                    .collect(),
            }
        });
        Object { members, variants }
    }

    fn common(&self, common: &schema::Common) -> Traits {
        self.traits(common.cond.as_ref(), &common.features, common.span)
    }

    fn traits(&self, cond: Option<&Cond>, features: &[Feature], span: Option<Span>) -> Traits {
        let features = features.iter();
        let features = features.filter(|feature| self.exists(feature.cond.as_ref()));
        Traits {
            features: features.map(|feature| feature.name.to_string()).collect(),
            // A build has no conditions any more.
            cond: cond.filter(|_| self.config.is_none()).cloned(),
            place: Place::of(self.sources, span),
        }
    }

    fn exists(&self, cond: Option<&Cond>) -> bool {
        match (self.config, cond) {
            (Some(defined), Some(cond)) => cond.holds(defined),
            _ => true,
        }
    }

    fn object_or_empty(&self, ty: Option<TypeId>) -> usize {
        index(ty.unwrap_or_else(|| self.schema.predefined("q_empty")))
    }
}

fn index(id: TypeId) -> usize {
    id.0 as usize
}

fn scalar(builtin: Builtin) -> Scalar {
    match builtin {
        Builtin::Str => Scalar::String,
        Builtin::Number => Scalar::Number,
        Builtin::Bool => Scalar::Bool,
        Builtin::Null => Scalar::Null,
        Builtin::Any => Scalar::Any,
        width => Scalar::Int(Some(width)),
    }
}
