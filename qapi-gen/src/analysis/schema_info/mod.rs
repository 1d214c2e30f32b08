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
    Alternate, Common, Cond, Entity, EnumValue, Feature, Member, Object, Schema, TypeId, TypeKind,
};
use used_types::{Used, json_type};

/// The choices for a table. `C` is the form that conditions have in it.
pub(crate) struct Choices<'c, C> {
    /// Whether types keep their names. By default they have numbers.
    pub(crate) unmask: bool,
    /// Returns whether the table has a command or an event.
    pub(crate) contains: &'c dyn Fn(Entity) -> bool,
    /// Returns whether values can be added to an enumeration at run time.
    pub(crate) is_open: &'c dyn Fn(TypeId) -> bool,
    /// Returns the condition of an item, or `None` if the table leaves the item
    /// out.
    pub(crate) presence: &'c dyn Fn(Option<&Cond>) -> Option<C>,
}

/// An entry of the table.
pub(crate) struct Info<'a, C> {
    /// The name that clients see, which is a number for a masked type.
    pub(crate) name: String,
    pub(crate) cond: C,
    pub(crate) meta: Meta<'a, C>,
    pub(crate) features: Features<'a, C>,
}

/// The content of an entry, which depends on its kind.
pub(crate) enum Meta<'a, C> {
    Builtin {
        json_type: &'static str,
    },
    Enum {
        /// The name in the schema, if values can be added at run time.
        open: Option<&'a str>,
        values: Vec<Value<'a, C>>,
    },
    Array {
        element: String,
    },
    Object {
        members: Vec<Typed<'a, C>>,
        union: Option<UnionInfo<'a, C>>,
    },
    Alternate {
        branches: Vec<Typed<'a, C>>,
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
pub(crate) struct UnionInfo<'a, C> {
    pub(crate) tag: &'a str,
    pub(crate) cases: Vec<Typed<'a, C>>,
}

/// A value of an enumeration.
pub(crate) struct Value<'a, C> {
    pub(crate) name: &'a str,
    pub(crate) cond: C,
    pub(crate) features: Features<'a, C>,
}

/// A member, a branch, or a case of a union: something that has a type.
pub(crate) struct Typed<'a, C> {
    pub(crate) name: &'a str,
    /// The name of the type, as clients see it.
    pub(crate) ty: String,
    pub(crate) optional: bool,
    pub(crate) cond: C,
    pub(crate) features: Features<'a, C>,
}

/// The features of an item.
pub(crate) struct Features<'a, C> {
    /// Whether the schema lists features, although the table may leave them out.
    pub(crate) any_listed: bool,
    /// The names and the conditions.
    pub(crate) present: Vec<(&'a str, C)>,
}

/// Returns the table of a schema.
pub(crate) fn table<'a, C>(schema: &'a Schema, choices: &Choices<'_, C>) -> Vec<Info<'a, C>> {
    let mut table = Table {
        schema,
        choices,
        used: Used::new(schema, choices.unmask),
    };
    let mut infos = Vec::new();
    for (_, module) in schema.modules() {
        let entities = module.entities.iter().copied();
        for entity in entities.filter(|entity| (choices.contains)(*entity)) {
            let meta = match entity {
                Entity::Command(id) => {
                    let command = schema.command(id);
                    Meta::Command {
                        arg: table.object_type(command.arg),
                        ret: table.object_type(command.ret),
                        allow_oob: command.allow_oob,
                    }
                }
                Entity::Event(id) => Meta::Event {
                    arg: table.object_type(schema.event(id).arg),
                },
                Entity::Type(_) => continue,
            };
            let common = schema.common(entity);
            infos.extend(table.info(common.name.to_string(), common, meta));
        }
    }
    while let Some(id) = table.used.next() {
        infos.extend(table.ty(id));
    }
    infos
}

struct Table<'a, 'c, C> {
    schema: &'a Schema,
    choices: &'c Choices<'c, C>,
    used: Used<'a>,
}

impl<'a, C> Table<'a, '_, C> {
    fn info(&self, name: String, common: &'a Common, meta: Meta<'a, C>) -> Option<Info<'a, C>> {
        Some(Info {
            name,
            cond: (self.choices.presence)(common.cond.as_ref())?,
            meta,
            features: self.features(&common.features),
        })
    }

    fn ty(&mut self, id: TypeId) -> Option<Info<'a, C>> {
        let ty = self.schema.ty(id);
        // Number the type before the types that it uses, as QEMU does.
        let name = self.used.name(id);
        let meta = match &ty.kind {
            TypeKind::Builtin(builtin) => Meta::Builtin {
                json_type: json_type(*builtin),
            },
            TypeKind::Enum(kind) => {
                let value = |value: &'a EnumValue| {
                    Some(Value {
                        name: &value.name,
                        cond: (self.choices.presence)(value.cond.as_ref())?,
                        features: self.features(&value.features),
                    })
                };
                Meta::Enum {
                    open: (self.choices.is_open)(id).then_some(&ty.common.name),
                    values: kind.values.iter().filter_map(value).collect(),
                }
            }
            TypeKind::Array(element) => Meta::Array {
                element: self.used.name(*element),
            },
            TypeKind::Object(object) => self.object(id, object),
            TypeKind::Alternate(alternate) => self.alternate(alternate),
        };
        self.info(name, &ty.common, meta)
    }

    fn object(&mut self, id: TypeId, object: &'a Object) -> Meta<'a, C> {
        let schema = self.schema;
        let members = schema
            .lineage(id)
            .into_iter()
            .flat_map(|ancestor| schema.own_members(ancestor))
            .filter_map(|member| self.member(member))
            .collect();
        let union = object.branches.as_ref().map(|branches| UnionInfo {
            tag: &branches.tag,
            cases: schema
                .cases(branches)
                .into_iter()
                .filter_map(|case| self.typed(case.name, case.ty, case.cond))
                .collect(),
        });
        Meta::Object { members, union }
    }

    fn alternate(&mut self, alternate: &'a Alternate) -> Meta<'a, C> {
        let branches = alternate.branches.iter();
        Meta::Alternate {
            branches: branches
                .filter_map(|branch| self.typed(&branch.name, branch.ty, branch.cond.as_ref()))
                .collect(),
        }
    }

    fn member(&mut self, member: &'a Member) -> Option<Typed<'a, C>> {
        Some(Typed {
            optional: member.optional,
            features: self.features(&member.features),
            ..self.typed(&member.name, member.ty, member.cond.as_ref())?
        })
    }

    fn typed(&mut self, name: &'a str, ty: TypeId, cond: Option<&Cond>) -> Option<Typed<'a, C>> {
        // Number the type even if its item is left out: numbers are the same in
        // every configuration.
        let ty = self.used.name(ty);
        Some(Typed {
            name,
            ty,
            optional: false,
            cond: (self.choices.presence)(cond)?,
            features: self.features(&[]),
        })
    }

    fn features(&self, features: &'a [Feature]) -> Features<'a, C> {
        let present = features.iter().filter_map(|feature| {
            let cond = (self.choices.presence)(feature.cond.as_ref())?;
            Some((feature.name.as_str(), cond))
        });
        Features {
            any_listed: !features.is_empty(),
            present: present.collect(),
        }
    }

    /// Returns the name of an argument or reply type. A missing type is the empty
    /// object.
    fn object_type(&mut self, ty: Option<TypeId>) -> String {
        let ty = ty.unwrap_or_else(|| self.schema.predefined("q_empty"));
        self.used.name(ty)
    }
}
