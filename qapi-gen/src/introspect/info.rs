//! One `SchemaInfo` after the other.
//!
//! In: a checked schema. Out: all commands and events, module by module, then
//! the types they use and the types these use, in the order in which they are
//! come across. How types are named it does not know.
//!
//! What is left out for its condition uses its types nevertheless: numbers
//! are the same in every configuration.

use super::Introspection;
use super::json::Json;
use super::used::{Used, json_type};
use crate::schema::check::describe;
use crate::schema::{
    Command, Common, Cond, Entity, Enum, EnumValue, Event, Feature, Member, Object, Schema, TypeId,
    TypeKind,
};

/// A whole schema as a JSON array.
pub(super) fn write(schema: &Schema, introspection: &Introspection) -> String {
    let mut writer = Writer {
        schema,
        introspection,
        used: Used::new(schema, introspection.unmask),
        json: Json::default(),
    };
    writer.json.begin_array();
    for (_, module) in schema.modules() {
        for &entity in &module.entities {
            match entity {
                Entity::Command(id) => writer.command(schema.command(id)),
                Entity::Event(id) => writer.event(schema.event(id)),
                Entity::Type(_) => {}
            }
        }
    }
    while let Some(id) = writer.used.next() {
        writer.ty(id);
    }
    writer.json.end_lines();
    writer.json.end_array();
    writer.json.finish()
}

struct Writer<'a> {
    schema: &'a Schema,
    introspection: &'a Introspection,
    used: Used<'a>,
    json: Json,
}

impl Writer<'_> {
    fn command(&mut self, command: &Command) {
        let common = &command.common;
        self.info(common, &common.name, "command", |writer| {
            writer.object_type("arg-type", command.arg);
            writer.object_type("ret-type", command.ret);
            if command.allow_oob {
                writer.json.key("allow-oob");
                writer.json.word("true");
            }
        });
    }

    fn event(&mut self, event: &Event) {
        let common = &event.common;
        self.info(common, &common.name, "event", |writer| {
            writer.object_type("arg-type", event.arg);
        });
    }

    fn ty(&mut self, id: TypeId) {
        let schema = self.schema;
        let ty = schema.ty(id);
        let name = self.used.name(id);
        let info = |writer: &mut Self, meta, body: &mut dyn FnMut(&mut Self)| {
            writer.info(&ty.common, &name, meta, body);
        };
        match &ty.kind {
            TypeKind::Builtin(builtin) => info(self, "builtin", &mut |writer| {
                writer.json.member("json-type", json_type(*builtin));
            }),
            TypeKind::Enum(kind) => info(self, "enum", &mut |writer| writer.enumeration(kind)),
            TypeKind::Array(element) => info(self, "array", &mut |writer| {
                writer.type_member("element-type", *element);
            }),
            TypeKind::Object(object) => {
                info(self, "object", &mut |writer| writer.object(id, object));
            }
            TypeKind::Alternate(alternate) => info(self, "alternate", &mut |writer| {
                writer.array("members", &alternate.branches, |writer, branch| {
                    writer.conditional(branch.cond.as_ref(), |writer| {
                        writer.json.begin_object();
                        writer.type_member("type", branch.ty);
                        writer.json.end_object();
                    });
                });
            }),
        }
    }

    fn enumeration(&mut self, kind: &Enum) {
        self.array("members", &kind.values, Self::value);
        // What there was before values had features, and what older clients
        // look at.
        self.array("values", &kind.values, |writer, value| {
            writer.conditional(value.cond.as_ref(), |writer| {
                writer.json.string(&value.name);
            });
        });
    }

    fn value(&mut self, value: &EnumValue) {
        self.conditional(value.cond.as_ref(), |writer| {
            writer.json.begin_object();
            writer.json.member("name", &value.name);
            writer.features(&value.features);
            writer.json.end_object();
        });
    }

    fn object(&mut self, id: TypeId, object: &Object) {
        let schema = self.schema;
        let members: Vec<&Member> = describe::lineage(schema, id)
            .into_iter()
            .flat_map(|ancestor| describe::members(schema, ancestor))
            .collect();
        self.array("members", &members, |writer, member| writer.member(member));
        let Some(branches) = &object.branches else {
            return;
        };
        self.json.member("tag", &branches.tag);
        self.array("variants", &schema.cases(branches), |writer, case| {
            writer.conditional(case.cond, |writer| {
                writer.json.begin_object();
                writer.json.member("case", case.name);
                writer.type_member("type", case.ty);
                writer.json.end_object();
            });
        });
    }

    fn member(&mut self, member: &Member) {
        self.conditional(member.cond.as_ref(), |writer| {
            writer.json.begin_object();
            writer.json.member("name", &member.name);
            writer.type_member("type", member.ty);
            if member.optional {
                // What the default is nobody tells; that there is one says
                // that the member may be absent.
                writer.json.key("default");
                writer.json.word("null");
            }
            writer.features(&member.features);
            writer.json.end_object();
        });
    }

    /// What every `SchemaInfo` has, with what `body` adds.
    fn info(&mut self, common: &Common, name: &str, meta: &str, body: impl FnOnce(&mut Self)) {
        self.conditional(common.cond.as_ref(), |writer| {
            writer.json.begin_line();
            writer.json.begin_object();
            writer.json.member("name", name);
            writer.json.member("meta-type", meta);
            body(writer);
            writer.features(&common.features);
            writer.json.end_object();
        });
    }

    fn features(&mut self, features: &[Feature]) {
        if features.is_empty() {
            return;
        }
        self.array("features", features, |writer, feature| {
            writer.conditional(feature.cond.as_ref(), |writer| {
                writer.json.string(&feature.name);
            });
        });
    }

    /// A type for whose absence there is the empty object.
    fn object_type(&mut self, key: &str, ty: Option<TypeId>) {
        let ty = ty.unwrap_or_else(|| self.schema.predefined("q_empty"));
        self.type_member(key, ty);
    }

    fn type_member(&mut self, key: &str, ty: TypeId) {
        let name = self.used.name(ty);
        self.json.member(key, &name);
    }

    fn array<T>(&mut self, key: &str, items: &[T], item: impl Fn(&mut Self, &T)) {
        self.json.key(key);
        self.json.begin_array();
        for each in items {
            item(self, each);
        }
        self.json.end_array();
    }

    /// Writes something, and takes it back if it is to be left out.
    fn conditional(&mut self, cond: Option<&Cond>, write: impl FnOnce(&mut Self)) {
        let mark = self.json.mark();
        write(self);
        if !self.introspection.includes(cond) {
            self.json.take_back(&mark);
        }
    }
}
