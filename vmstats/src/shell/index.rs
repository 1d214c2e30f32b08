//! An index of a server's commands, from the server's introspection.
//!
//! In: the entries of `query-qmp-schema`, with or without the names of types.
//! Out: commands, their arguments, and the values of these. This file asks no
//! server.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use qapi_stats::introspect::{JSONType, SchemaInfo, SchemaInfoBranch, SchemaInfoObject};

/// The depth to which types are followed. A server's types could contain
/// themselves.
const DEPTH_MAX: usize = 4;

/// A function that returns the text of the argument at a path, if the line has
/// that argument.
type ValueAt<'a> = &'a dyn Fn(&[&str]) -> Option<&'a str>;

/// The commands and types of a server.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The name of the type of the arguments, by command.
    commands: BTreeMap<String, String>,
    types: HashMap<String, Type>,
}

/// A type.
#[derive(Debug)]
enum Type {
    Object {
        members: Vec<Member>,
        tag: Option<String>,
        /// The type whose members a value of the tag adds: by the value, the name
        /// of the type.
        variants: HashMap<String, String>,
    },
    Enum(Vec<String>),
    Array(String),
    Alternate(Vec<String>),
    Builtin(&'static str),
}

/// A member of an object type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) is_optional: bool,
    ty: String,
}

impl Index {
    pub(super) fn new(entries: Vec<SchemaInfo>) -> Self {
        let mut index = Self::default();
        for entry in entries {
            let known = match entry.meta_type {
                SchemaInfoBranch::Command(command) => {
                    index.commands.insert(entry.name, command.arg_type);
                    continue;
                }
                SchemaInfoBranch::Object(object) => object_type(object),
                SchemaInfoBranch::Enum(values) => {
                    Type::Enum(values.members.into_iter().map(|value| value.name).collect())
                }
                SchemaInfoBranch::Array(array) => Type::Array(array.element_type),
                SchemaInfoBranch::Alternate(alternate) => Type::Alternate(
                    alternate
                        .members
                        .into_iter()
                        .map(|branch| branch.type_)
                        .collect(),
                ),
                SchemaInfoBranch::Builtin(builtin) => Type::Builtin(json_type(&builtin.json_type)),
                SchemaInfoBranch::Event(_) | SchemaInfoBranch::Unknown { .. } => continue,
            };
            index.types.insert(entry.name, known);
        }
        index
    }

    /// Returns the names of the commands in alphabetical order.
    pub(super) fn commands(&self) -> impl Iterator<Item = &str> {
        self.commands.keys().map(String::as_str)
    }

    pub(super) fn has_command(&self, name: &str) -> bool {
        self.commands.contains_key(name)
    }

    /// Returns the members of the object at `path` in the arguments of a command;
    /// for an empty path, of the arguments themselves. The members of a union's
    /// branch are included if `value_at` returns the value of the tag, whose path
    /// it gets.
    pub(super) fn members(
        &self,
        command: &str,
        path: &[&str],
        value_at: ValueAt<'_>,
    ) -> Vec<Member> {
        let Some(mut ty) = self.commands.get(command) else {
            return Vec::new();
        };
        for (depth, name) in path.iter().enumerate() {
            let walked = path.get(..depth).unwrap_or_default();
            let members = self.members_of(ty, walked, value_at, 0);
            let Some(member) = members.into_iter().find(|member| member.name == *name) else {
                return Vec::new();
            };
            // Borrow the name from the index, because `member` is dropped here.
            let Some((name, _)) = self.types.get_key_value(&member.ty) else {
                return Vec::new();
            };
            ty = name;
        }
        self.members_of(ty, path, value_at, 0)
    }

    fn members_of(
        &self,
        ty: &str,
        path: &[&str],
        value_at: ValueAt<'_>,
        depth: usize,
    ) -> Vec<Member> {
        match self.types.get(ty) {
            Some(Type::Object {
                members,
                tag,
                variants,
            }) => {
                let mut members = members.clone();
                let tag_value = tag.as_deref().and_then(|tag| {
                    let mut path = path.to_vec();
                    path.push(tag);
                    value_at(&path)
                });
                let variant = tag_value.and_then(|value| variants.get(value));
                if let Some(variant) = variant.filter(|_| depth < DEPTH_MAX) {
                    members.extend(self.members_of(variant, path, value_at, depth + 1));
                }
                members
            }
            // At most one branch is an object.
            Some(Type::Alternate(branches)) => branches
                .iter()
                .find(|branch| matches!(self.types.get(*branch), Some(Type::Object { .. })))
                .map(|branch| self.members_of(branch, path, value_at, depth))
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// Returns the values that a member can have; nothing if they are too many to
    /// be listed.
    pub(super) fn values(&self, member: &Member) -> Vec<&str> {
        let mut values = BTreeSet::new();
        self.collect_values(&member.ty, &mut values);
        values.into_iter().collect()
    }

    fn collect_values<'a>(&'a self, ty: &str, values: &mut BTreeSet<&'a str>) {
        match self.types.get(ty) {
            Some(Type::Enum(names)) => values.extend(names.iter().map(String::as_str)),
            Some(Type::Builtin("boolean")) => values.extend(["true", "false"]),
            // An alternate in an alternate does not occur in QEMU's schema, and
            // could be endless in another one.
            Some(Type::Alternate(branches)) => {
                for branch in branches {
                    if !matches!(self.types.get(branch), Some(Type::Alternate(_))) {
                        self.collect_values(branch, values);
                    }
                }
            }
            _ => {}
        }
    }

    /// Returns whether a member is an object, which is written as `NAME.MEMBER=`.
    pub(super) fn is_object(&self, member: &Member) -> bool {
        matches!(self.types.get(&member.ty), Some(Type::Object { .. }))
    }

    /// Describes the values of a member in a few words.
    pub(super) fn describe(&self, member: &Member) -> String {
        self.describe_type(&member.ty, 0)
    }

    fn describe_type(&self, ty: &str, depth: usize) -> String {
        match self.types.get(ty) {
            Some(Type::Builtin(name)) => (*name).to_owned(),
            Some(Type::Enum(values)) => values.join("|"),
            Some(Type::Object { .. }) => "object".to_owned(),
            Some(Type::Array(element)) if depth < DEPTH_MAX => {
                format!("[{}]", self.describe_type(element, depth + 1))
            }
            Some(Type::Alternate(branches)) if depth < DEPTH_MAX => branches
                .iter()
                // One level is enough, because a branch is not an alternate.
                .map(|branch| self.describe_type(branch, DEPTH_MAX))
                .collect::<Vec<_>>()
                .join(" or "),
            _ => "value".to_owned(),
        }
    }
}

fn object_type(object: SchemaInfoObject) -> Type {
    let member = |member: qapi_stats::introspect::SchemaInfoObjectMember| Member {
        name: member.name,
        is_optional: member.default.is_some(),
        ty: member.type_,
    };
    let variants = object.variants.unwrap_or_default().into_iter();
    Type::Object {
        members: object.members.into_iter().map(member).collect(),
        tag: object.tag,
        variants: variants
            .map(|variant| (variant.case, variant.type_))
            .collect(),
    }
}

fn json_type(ty: &JSONType) -> &'static str {
    match ty {
        JSONType::String => "string",
        JSONType::Number => "number",
        JSONType::Int => "integer",
        JSONType::Boolean => "boolean",
        JSONType::Null => "null",
        JSONType::Object => "object",
        JSONType::Array => "array",
        _ => "value",
    }
}
