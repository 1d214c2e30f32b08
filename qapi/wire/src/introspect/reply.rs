//! The reply to `query-qmp-schema`: the table as JSON, member for member as
//! QEMU's.
//!
//! In: the table, values registered at run time, a set of commands. Out: QEMU's
//! array of `SchemaInfo`, whose members come in the order in which
//! `qapi-gen introspect` prints them.

use std::fmt;

use super::table::{EnumMember, Member, Meta, SchemaInfo, Variant, find};
use crate::command::CommandSet;
use crate::compat::Policy;
use crate::encode::{ArrayWriter, Encode, ObjectWriter, Writer};
use crate::features::SpecialFeatures;
use crate::open_values::OpenValues;

/// The reply to `query-qmp-schema`: the schema as this server serves it now.
///
/// ```
/// use qapi_wire::introspect::{Introspection, Meta, SchemaInfo};
/// use qapi_wire::to_json;
///
/// static SCHEMA: &[SchemaInfo] = &[SchemaInfo {
///     name: "STOP",
///     meta: Meta::Event { arg_type: "0" },
///     features: &[],
/// }];
/// assert_eq!(
///     to_json(&Introspection::new(SCHEMA)),
///     r#"[{"name": "STOP", "meta-type": "event", "arg-type": "0"}]"#
/// );
/// ```
#[derive(Clone, Copy)]
pub struct Introspection<'a> {
    schema: &'static [SchemaInfo],
    open: Option<&'a dyn OpenValues>,
    commands: Option<&'a dyn CommandSet>,
}

impl<'a> Introspection<'a> {
    /// Makes the reply with the whole schema, as it was compiled.
    #[must_use]
    pub const fn new(schema: &'static [SchemaInfo]) -> Self {
        Self {
            schema,
            open: None,
            commands: None,
        }
    }

    /// Adds the values to enumerations that are registered now.
    #[must_use]
    pub const fn with_open_values(self, open: &'a dyn OpenValues) -> Self {
        Self {
            open: Some(open),
            ..self
        }
    }

    /// Lists only the commands of a set. The numbers of types do not change.
    #[must_use]
    pub const fn restricted_to(self, commands: &'a dyn CommandSet) -> Self {
        Self {
            commands: Some(commands),
            ..self
        }
    }

    fn is_served(&self, info: &SchemaInfo) -> bool {
        match (self.commands, info.meta) {
            (Some(commands), Meta::Command { .. }) => commands.command(info.name).is_some(),
            _ => true,
        }
    }

    /// Returns the values of an enumeration that are registered and not in the
    /// schema.
    fn registered(&self, name: Option<&str>, members: &[EnumMember]) -> Vec<String> {
        let (Some(open), Some(name)) = (self.open, name) else {
            return Vec::new();
        };
        let mut registered = open.registered(name);
        registered.retain(|value| members.iter().all(|member| member.name() != value));
        registered
    }

    /// Returns the values of a union's tag that are registered and not in the
    /// schema.
    fn registered_tags(&self, members: &[Member], tag: &str) -> Vec<String> {
        let tag = members.iter().find(|member| member.name() == tag);
        match tag.and_then(|tag| find(self.schema, tag.ty())) {
            Some(SchemaInfo {
                meta: Meta::Enum { open, members },
                ..
            }) => self.registered(*open, members),
            _ => Vec::new(),
        }
    }

    /// Returns the name of the object type without members, if there is one.
    fn empty_type(&self) -> Option<&'static str> {
        let is_empty = |info: &&SchemaInfo| {
            matches!(
                info.meta,
                Meta::Object {
                    members: [],
                    tag: None,
                    ..
                }
            )
        };
        self.schema.iter().find(is_empty).map(|info| info.name)
    }
}

/// The registered values of an enumeration or of a union's tag.
struct Registered<'a> {
    values: &'a [String],
    /// The object type without members, whose members come with a registered tag;
    /// `None` if the schema has no such type.
    empty_type: Option<&'static str>,
}

impl fmt::Debug for Introspection<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection")
            .field("entries", &self.schema.len())
            .field("open", &self.open.is_some())
            .field("commands", &self.commands.is_some())
            .finish()
    }
}

impl Encode for Introspection<'_> {
    fn encode(&self, out: &mut Writer<'_>) {
        let policy = out.policy();
        let mut infos = out.array();
        let told = |info: &&SchemaInfo| self.is_served(info) && is_told(info.features, policy);
        for info in self.schema.iter().filter(told) {
            let registered = match info.meta {
                Meta::Enum { open, members } => self.registered(open, members),
                Meta::Object {
                    members,
                    tag: Some(tag),
                    ..
                } => self.registered_tags(members, tag),
                _ => Vec::new(),
            };
            let registered = Registered {
                values: &registered,
                empty_type: self.empty_type(),
            };
            info.encode_with(&registered, infos.element());
        }
        infos.end();
    }
}

impl Encode for SchemaInfo {
    fn encode(&self, out: &mut Writer<'_>) {
        let none = Registered {
            values: &[],
            empty_type: None,
        };
        self.encode_with(&none, out);
    }
}

impl SchemaInfo {
    /// Writes the entry. Registered values follow the other values of an
    /// enumeration, and the other cases of a union.
    fn encode_with(&self, registered: &Registered<'_>, out: &mut Writer<'_>) {
        let mut object = out.object();
        object.required("name", self.name);
        object.required("meta-type", self.meta.name());
        self.meta.encode_members(registered, &mut object);
        features(self.features, &mut object);
        object.end();
    }
}

impl Meta {
    fn encode_members(&self, registered: &Registered<'_>, out: &mut ObjectWriter<'_, '_>) {
        match *self {
            Self::Builtin { json_type } => out.required("json-type", json_type),
            Self::Enum { members, .. } => enumeration(members, registered.values, out),
            Self::Array { element_type } => out.required("element-type", element_type),
            Self::Object {
                members,
                tag,
                variants,
            } => {
                let policy = out.policy();
                let told = members.iter().filter(|m| is_told(m.features(), policy));
                list("members", told, out);
                if let Some(tag) = tag {
                    out.required("tag", tag);
                    let mut list = out.name("variants").array();
                    elements(variants, &mut list);
                    if let Some(empty_type) = registered.empty_type {
                        for case in registered.values {
                            let mut object = list.element().object();
                            object.required("case", case);
                            object.required("type", empty_type);
                            object.end();
                        }
                    }
                    list.end();
                }
            }
            Self::Alternate { members } => {
                let mut branches = out.name("members").array();
                for ty in members {
                    let mut branch = branches.element().object();
                    branch.required("type", *ty);
                    branch.end();
                }
                branches.end();
            }
            Self::Command {
                arg_type,
                ret_type,
                allow_oob,
            } => {
                out.required("arg-type", arg_type);
                out.required("ret-type", ret_type);
                if allow_oob {
                    out.required("allow-oob", &true);
                }
            }
            Self::Event { arg_type } => out.required("arg-type", arg_type),
        }
    }
}

impl Encode for EnumMember {
    fn encode(&self, out: &mut Writer<'_>) {
        let mut object = out.object();
        object.required("name", self.name());
        features(self.features(), &mut object);
        object.end();
    }
}

impl Encode for Member {
    fn encode(&self, out: &mut Writer<'_>) {
        let mut object = out.object();
        object.required("name", self.name());
        object.required("type", self.ty());
        if self.is_optional() {
            // Like QEMU, say that there is a default, which makes the member
            // optional, but not which one.
            object.required("default", &());
        }
        features(self.features(), &mut object);
        object.end();
    }
}

impl Encode for Variant {
    fn encode(&self, out: &mut Writer<'_>) {
        let mut object = out.object();
        object.required("case", self.0);
        object.required("type", self.1);
        object.end();
    }
}

/// Writes the values of an enumeration, and their names once more under the name
/// `values`, where older clients look for them.
fn enumeration(members: &[EnumMember], registered: &[String], out: &mut ObjectWriter<'_, '_>) {
    let mut list = out.name("members").array();
    elements(members, &mut list);
    for value in registered {
        let mut object = list.element().object();
        object.required("name", value);
        object.end();
    }
    list.end();
    let mut list = out.name("values").array();
    for member in members {
        list.push(member.name());
    }
    elements(registered, &mut list);
    list.end();
}

fn features(features: &[&str], out: &mut ObjectWriter<'_, '_>) {
    if !features.is_empty() {
        let mut list = out.name("features").array();
        for feature in features {
            list.push(*feature);
        }
        list.end();
    }
}

/// Returns whether the policy shows an entry or a member with these features. As
/// in QEMU's `query-qmp-schema`, only deprecated ones can be hidden.
fn is_told(features: &[&str], policy: Policy) -> bool {
    !(features.contains(&"deprecated") && policy.hides(SpecialFeatures::DEPRECATED))
}

fn list<'t, T: Encode + 't>(
    name: &str,
    items: impl IntoIterator<Item = &'t T>,
    out: &mut ObjectWriter<'_, '_>,
) {
    let mut list = out.name(name).array();
    elements(items, &mut list);
    list.end();
}

fn elements<'t, T: Encode + 't>(
    items: impl IntoIterator<Item = &'t T>,
    list: &mut ArrayWriter<'_, '_>,
) {
    for item in items {
        list.push(item);
    }
}
