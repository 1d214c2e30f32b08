//! What a server's introspection says of its commands.
//!
//! In: the entries of `query-qmp-schema`, type names masked or not. Out:
//! commands, their arguments, the values that these take. It asks nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use qapi_stats::introspect::{JSONType, SchemaInfo, SchemaInfoBranch, SchemaInfoObject};
use qapi_stats::wire::Value;

/// How deep one looks into types: a server's could contain themselves.
const DEPTH_MAX: usize = 4;

/// A server's commands and types.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// The type of the arguments, by command.
    commands: BTreeMap<String, String>,
    types: HashMap<String, Type>,
}

/// What is known of a type.
#[derive(Debug)]
enum Type {
    Object {
        members: Vec<Member>,
        tag: Option<String>,
        /// The type whose members a value of the tag adds.
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

    /// The names of the commands, in alphabetical order.
    pub(super) fn commands(&self) -> impl Iterator<Item = &str> {
        self.commands.keys().map(String::as_str)
    }

    pub(super) fn has_command(&self, name: &str) -> bool {
        self.commands.contains_key(name)
    }

    /// What can be written as `NAME=` behind a command, or as `PATH.NAME=`:
    /// the members of the object there, those of a union's branch included if
    /// `value_at` knows the tag's value, which it is asked for by its path.
    pub(super) fn members(
        &self,
        command: &str,
        path: &[&str],
        value_at: &dyn Fn(&[&str]) -> Option<Value>,
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
            // Borrowed from the index again, where it lives longer.
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
        value_at: &dyn Fn(&[&str]) -> Option<Value>,
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
                let variant = tag_value
                    .as_ref()
                    .and_then(Value::as_str)
                    .and_then(|value| variants.get(value));
                if let Some(variant) = variant.filter(|_| depth < DEPTH_MAX) {
                    members.extend(self.members_of(variant, path, value_at, depth + 1));
                }
                members
            }
            // One branch at most is an object.
            Some(Type::Alternate(branches)) => branches
                .iter()
                .find(|branch| matches!(self.types.get(*branch), Some(Type::Object { .. })))
                .map(|branch| self.members_of(branch, path, value_at, depth))
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }

    /// The values that a member can have, if they can be listed.
    pub(super) fn values(&self, member: &Member) -> Vec<&str> {
        let mut values = BTreeSet::new();
        self.collect_values(&member.ty, &mut values);
        values.into_iter().collect()
    }

    fn collect_values<'a>(&'a self, ty: &str, values: &mut BTreeSet<&'a str>) {
        match self.types.get(ty) {
            Some(Type::Enum(names)) => values.extend(names.iter().map(String::as_str)),
            Some(Type::Builtin("boolean")) => values.extend(["true", "false"]),
            // QEMU's alternates have no alternate in them.
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

    /// Whether a member is an object, to be written as `NAME.MEMBER=`.
    pub(super) fn is_object(&self, member: &Member) -> bool {
        matches!(self.types.get(&member.ty), Some(Type::Object { .. }))
    }

    /// What a member takes, in a word or two.
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
                // It has no alternate in it: one level is enough.
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
