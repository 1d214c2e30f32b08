//! The table of `SchemaInfo` that `query-qmp-schema` returns.
//!
//! In: a checked schema. Out: all commands and events, module by module, then the
//! types in the order in which the entries before refer to them. This module must
//! not know any output language.
//!
//! Conditional items are part of the table, with their condition. They take part
//! in the numbering, so that numbers are the same in every configuration.

mod used_types;

use crate::schema::{
    Alternate, Command, Common, Cond, Entity, EnumValue, Event, Feature, Member, Object, Schema,
    TypeId, TypeKind,
};
use used_types::{Used, json_type};

/// An entry of the table.
pub(crate) struct Info<'a> {
    /// The name that clients see, which is a number for a masked type.
    pub(crate) name: String,
    /// The name in the schema, the condition and the features.
    pub(crate) common: &'a Common,
    pub(crate) meta: Meta<'a>,
}

/// The content of an entry, which depends on its kind.
pub(crate) enum Meta<'a> {
    Builtin {
        json_type: &'static str,
    },
    Enum {
        id: TypeId,
        values: &'a [EnumValue],
    },
    Array {
        element: String,
    },
    Object {
        members: Vec<Typed<'a>>,
        union: Option<UnionInfo<'a>>,
    },
    Alternate {
        branches: Vec<Typed<'a>>,
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

/// The additional content of the entry of a union.
pub(crate) struct UnionInfo<'a> {
    pub(crate) tag: &'a str,
    pub(crate) cases: Vec<Typed<'a>>,
}

/// A member, a branch, or a case of a union: something that has a type.
pub(crate) struct Typed<'a> {
    pub(crate) name: &'a str,
    /// The name of the type, as clients see it.
    pub(crate) ty: String,
    pub(crate) optional: bool,
    pub(crate) features: &'a [Feature],
    pub(crate) cond: Option<&'a Cond>,
}

/// Returns the table for the commands and events of a schema for which `contains`
/// holds. With `unmask`, types keep their names.
pub(crate) fn table(
    schema: &Schema,
    unmask: bool,
    contains: impl Fn(Entity) -> bool,
) -> Vec<Info<'_>> {
    let mut table = Table {
        schema,
        used: Used::new(schema, unmask),
    };
    let mut infos = Vec::new();
    for (_, module) in schema.modules() {
        for &entity in module.entities.iter().filter(|entity| contains(**entity)) {
            match entity {
                Entity::Command(id) => infos.push(table.command(schema.command(id))),
                Entity::Event(id) => infos.push(table.event(schema.event(id))),
                Entity::Type(_) => {}
            }
        }
    }
    while let Some(id) = table.used.next() {
        infos.push(table.ty(id));
    }
    infos
}

struct Table<'a> {
    schema: &'a Schema,
    used: Used<'a>,
}

impl<'a> Table<'a> {
    fn command(&mut self, command: &'a Command) -> Info<'a> {
        Info {
            name: command.common.name.to_string(),
            common: &command.common,
            meta: Meta::Command {
                arg: self.object_type(command.arg),
                ret: self.object_type(command.ret),
                allow_oob: command.allow_oob,
            },
        }
    }

    fn event(&mut self, event: &'a Event) -> Info<'a> {
        Info {
            name: event.common.name.to_string(),
            common: &event.common,
            meta: Meta::Event {
                arg: self.object_type(event.arg),
            },
        }
    }

    fn ty(&mut self, id: TypeId) -> Info<'a> {
        let ty = self.schema.ty(id);
        // Number the type before the types that it uses, as QEMU does.
        let name = self.name(id);
        let meta = match &ty.kind {
            TypeKind::Builtin(builtin) => Meta::Builtin {
                json_type: json_type(*builtin),
            },
            TypeKind::Enum(kind) => Meta::Enum {
                id,
                values: &kind.values,
            },
            TypeKind::Array(element) => Meta::Array {
                element: self.name(*element),
            },
            TypeKind::Object(object) => self.object(id, object),
            TypeKind::Alternate(alternate) => self.alternate(alternate),
        };
        Info {
            name,
            common: &ty.common,
            meta,
        }
    }

    fn object(&mut self, id: TypeId, object: &'a Object) -> Meta<'a> {
        let schema = self.schema;
        let members = schema
            .lineage(id)
            .into_iter()
            .flat_map(|ancestor| schema.own_members(ancestor))
            .map(|member| self.member(member))
            .collect();
        let union = object.branches.as_ref().map(|branches| UnionInfo {
            tag: &branches.tag,
            cases: schema
                .cases(branches)
                .into_iter()
                .map(|case| self.typed(case.name, case.ty, case.cond))
                .collect(),
        });
        Meta::Object { members, union }
    }

    fn alternate(&mut self, alternate: &'a Alternate) -> Meta<'a> {
        let branches = alternate.branches.iter();
        Meta::Alternate {
            branches: branches
                .map(|branch| self.typed(&branch.name, branch.ty, branch.cond.as_ref()))
                .collect(),
        }
    }

    fn member(&mut self, member: &'a Member) -> Typed<'a> {
        Typed {
            optional: member.optional,
            features: &member.features,
            ..self.typed(&member.name, member.ty, member.cond.as_ref())
        }
    }

    fn typed(&mut self, name: &'a str, ty: TypeId, cond: Option<&'a Cond>) -> Typed<'a> {
        Typed {
            name,
            ty: self.name(ty),
            optional: false,
            features: &[],
            cond,
        }
    }

    /// Returns the name of an argument or reply type. A missing type is the empty
    /// object.
    fn object_type(&mut self, ty: Option<TypeId>) -> String {
        self.name(ty.unwrap_or_else(|| self.schema.predefined("q_empty")))
    }

    fn name(&mut self, id: TypeId) -> String {
        self.used.name(id).into_owned()
    }
}
