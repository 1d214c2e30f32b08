//! The table as JSON text, member for member as QEMU's.
//!
//! In: entries, values registered at run time. Out: objects, in the order in
//! which `qapi-gen introspect` prints their members.

use super::{EnumMember, Introspection, Member, Meta, SchemaInfo, Variant};
use crate::encode::{ArrayWriter, Encode, ObjectWriter, Writer};

impl Encode for Introspection<'_> {
    fn encode(&self, out: &mut Writer<'_>) {
        let mut infos = out.array();
        for info in self.schema.iter().filter(|info| self.is_served(info)) {
            let registered = match info.meta {
                Meta::Enum { open, members } => self.registered(open, members),
                _ => Vec::new(),
            };
            info.encode_with(&registered, infos.slot());
        }
        infos.end();
    }
}

impl Encode for SchemaInfo {
    fn encode(&self, out: &mut Writer<'_>) {
        self.encode_with(&[], out);
    }
}

impl SchemaInfo {
    /// Writes it; an enumeration has the registered values at its end.
    fn encode_with(&self, registered: &[String], out: &mut Writer<'_>) {
        let mut object = out.object();
        object.member("name", self.name);
        object.member("meta-type", self.meta.name());
        self.meta.encode_members(registered, &mut object);
        features(self.features, &mut object);
        object.end();
    }
}

impl Meta {
    fn encode_members(&self, registered: &[String], out: &mut ObjectWriter<'_, '_>) {
        match *self {
            Self::Builtin { json_type } => out.member("json-type", json_type),
            Self::Enum { members, .. } => enumeration(members, registered, out),
            Self::Array { element_type } => out.member("element-type", element_type),
            Self::Object {
                members,
                tag,
                variants,
            } => {
                list("members", members, out);
                if let Some(tag) = tag {
                    out.member("tag", tag);
                    list("variants", variants, out);
                }
            }
            Self::Alternate { members } => {
                let mut branches = out.name("members").array();
                for ty in members {
                    let mut branch = branches.slot().object();
                    branch.member("type", *ty);
                    branch.end();
                }
                branches.end();
            }
            Self::Command {
                arg_type,
                ret_type,
                allow_oob,
            } => {
                out.member("arg-type", arg_type);
                out.member("ret-type", ret_type);
                if allow_oob {
                    out.member("allow-oob", &true);
                }
            }
            Self::Event { arg_type } => out.member("arg-type", arg_type),
        }
    }
}

impl Encode for EnumMember {
    fn encode(&self, out: &mut Writer<'_>) {
        let mut object = out.object();
        object.member("name", self.name());
        features(self.features(), &mut object);
        object.end();
    }
}

impl Encode for Member {
    fn encode(&self, out: &mut Writer<'_>) {
        let mut object = out.object();
        object.member("name", self.name());
        object.member("type", self.ty());
        if self.is_optional() {
            // What the default is nobody tells; that there is one says that
            // the member may be absent.
            object.member("default", &());
        }
        features(self.features(), &mut object);
        object.end();
    }
}

impl Encode for Variant {
    fn encode(&self, out: &mut Writer<'_>) {
        let mut object = out.object();
        object.member("case", self.0);
        object.member("type", self.1);
        object.end();
    }
}

/// The values of an enumeration, also as older clients look for them.
fn enumeration(members: &[EnumMember], registered: &[String], out: &mut ObjectWriter<'_, '_>) {
    let mut list = out.name("members").array();
    elements(members, &mut list);
    for value in registered {
        let mut object = list.slot().object();
        object.member("name", value);
        object.end();
    }
    list.end();
    let mut list = out.name("values").array();
    for member in members {
        list.element(member.name());
    }
    elements(registered, &mut list);
    list.end();
}

fn features(features: &[&str], out: &mut ObjectWriter<'_, '_>) {
    if !features.is_empty() {
        let mut list = out.name("features").array();
        for feature in features {
            list.element(*feature);
        }
        list.end();
    }
}

fn list<T: Encode>(name: &str, items: &[T], out: &mut ObjectWriter<'_, '_>) {
    let mut list = out.name(name).array();
    elements(items, &mut list);
    list.end();
}

fn elements<T: Encode>(items: &[T], list: &mut ArrayWriter<'_, '_>) {
    for item in items {
        list.element(item);
    }
}
