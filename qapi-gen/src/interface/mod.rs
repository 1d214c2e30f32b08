//! The interface that clients and servers see: commands, events and their types,
//! by structure.
//!
//! In: a checked schema, or a reply to `query-qmp-schema`. Out: an [`Interface`],
//! in which types are numbers and their names matter to nobody. What a difference
//! between two interfaces means is not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::cond::Cond;
use crate::schema::Builtin;
use crate::source::{SourceMap, Span};

mod history;
mod of_schema;
pub(crate) mod paths;
#[cfg(feature = "wire")]
mod reply;

pub use history::{History, Since, Step as HistoryStep};
pub use paths::TooManyPaths;
#[cfg(feature = "wire")]
pub use reply::ReplyError;

/// The commands and events of a server, with the types of everything that is sent
/// and received.
///
/// ```
/// use qapi_gen::interface::Interface;
/// use qapi_gen::{MemoryLoader, check};
///
/// let schema = "{ 'command': 'stop', 'data': { '*force': 'bool' } }";
/// let outcome = check("a.json", &MemoryLoader::from_iter([("a.json", schema)]));
/// let interface = Interface::of_schema(&outcome.schema.unwrap(), &outcome.sources);
/// assert!(interface.has("stop/arg-type/*force"));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Interface {
    pub(crate) commands: BTreeMap<String, Command>,
    pub(crate) events: BTreeMap<String, Event>,
    pub(crate) types: Vec<Type>,
    /// The types that a schema names, whether or not a command or an event uses them.
    pub(crate) named: BTreeMap<String, TypeIndex>,
    /// Whether the interface comes from a schema. A reply does not tell widths of
    /// integers, conditions, places and names.
    pub(crate) is_schema: bool,
}

/// The depth to which types may contain each other, which bounds recursion. QEMU's
/// types need 20.
pub(crate) const DEPTH_MAX: usize = 300;

/// The index of a type in its [`Interface`].
pub(crate) type TypeIndex = usize;

/// A line of a schema file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The name of the file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl Place {
    /// Returns the line in which a span begins; `None` without a span.
    pub(crate) fn of(sources: &SourceMap, span: Option<Span>) -> Option<Self> {
        let span = span?;
        let file = sources.get(span.file)?;
        Some(Self {
            file: file.name().to_owned(),
            line: file.line(span.start),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The properties that all parts of an interface have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traits {
    pub(crate) features: BTreeSet<String>,
    /// The condition under which the part exists, in a schema.
    pub(crate) cond: Option<Cond>,
    /// The place of the definition, in a schema.
    pub(crate) place: Option<Place>,
}

impl Traits {
    pub(crate) fn is_deprecated(&self) -> bool {
        self.features.contains("deprecated")
    }

    pub(crate) fn is_unstable(&self) -> bool {
        self.features.contains("unstable")
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Command {
    pub(crate) traits: Traits,
    pub(crate) arg: TypeIndex,
    pub(crate) ret: TypeIndex,
    pub(crate) allow_oob: bool,
    /// The facts that a reply to `query-qmp-schema` does not tell.
    pub(crate) schema: Option<CommandFacts>,
}

/// The properties of a command that only its schema tells.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommandFacts {
    pub(crate) success_response: bool,
    pub(crate) allow_preconfig: bool,
    /// Whether the handler reads the arguments itself (`'gen': false`), so that a
    /// client may send members that the schema does not list.
    pub(crate) open_arguments: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) traits: Traits,
    pub(crate) arg: TypeIndex,
}

#[derive(Clone, Debug)]
pub(crate) struct Type {
    /// The name in the schema, which is not on the wire.
    pub(crate) name: Option<String>,
    /// The schema file that defines the type.
    pub(crate) module: Option<String>,
    pub(crate) traits: Traits,
    pub(crate) shape: Shape,
}

#[derive(Clone, Debug)]
pub(crate) enum Shape {
    Scalar(Scalar),
    Enum(BTreeMap<String, Traits>),
    Array(TypeIndex),
    Object(Object),
    /// The types, no two of the same JSON type.
    Alternate(Vec<Branch>),
}

/// A type without parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scalar {
    String,
    Number,
    /// An integer. A reply does not tell the width.
    Int(Option<Builtin>),
    Bool,
    Null,
    Any,
}

/// The members of a struct or union, those of its base included.
#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    pub(crate) members: BTreeMap<String, Member>,
    pub(crate) variants: Option<Variants>,
}

#[derive(Clone, Debug)]
pub(crate) struct Member {
    pub(crate) traits: Traits,
    pub(crate) ty: TypeIndex,
    pub(crate) optional: bool,
}

/// The variants of a union: an object type for each value of the tag.
#[derive(Clone, Debug)]
pub(crate) struct Variants {
    pub(crate) tag: String,
    pub(crate) cases: BTreeMap<String, Branch>,
}

#[derive(Clone, Debug)]
pub(crate) struct Branch {
    /// The name in an alternate, which is not on the wire and not in a reply.
    pub(crate) name: Option<String>,
    pub(crate) traits: Traits,
    pub(crate) ty: TypeIndex,
}

impl Interface {
    #[expect(
        clippy::indexing_slicing,
        reason = "an index is made together with its type"
    )]
    pub(crate) fn ty(&self, index: TypeIndex) -> &Type {
        &self.types[index]
    }

    /// Returns whether the interface comes from a schema, and not from a reply to
    /// `query-qmp-schema`.
    #[must_use]
    pub fn is_of_schema(&self) -> bool {
        self.is_schema
    }

    /// Returns the names of all commands, in alphabetic order.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.commands.keys().map(String::as_str)
    }

    /// Returns the names of all events, in alphabetic order.
    pub fn events(&self) -> impl Iterator<Item = &str> {
        self.events.keys().map(String::as_str)
    }

    /// Returns the members of an object type, or nothing for another type.
    pub(crate) fn object(&self, index: TypeIndex) -> Option<&Object> {
        match &self.ty(index).shape {
            Shape::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Returns what a type accepts, in a few words: `[string]`, `object|string`.
    pub(crate) fn describe(&self, index: TypeIndex) -> String {
        self.describe_to(index, 3)
    }

    /// Describes a type, and the types that it consists of up to a depth, because an
    /// alternate may contain an array of itself.
    fn describe_to(&self, index: TypeIndex, depth: usize) -> String {
        let Some(depth) = depth.checked_sub(1) else {
            return "…".to_owned();
        };
        match &self.ty(index).shape {
            Shape::Scalar(scalar) => scalar.name().to_owned(),
            Shape::Enum(_) => "enum".to_owned(),
            Shape::Array(element) => format!("[{}]", self.describe_to(*element, depth)),
            Shape::Object(object) if object.variants.is_some() => "union".to_owned(),
            Shape::Object(_) => "object".to_owned(),
            Shape::Alternate(branches) => {
                let kinds = branches
                    .iter()
                    .map(|branch| self.describe_to(branch.ty, depth));
                kinds.collect::<Vec<_>>().join("|")
            }
        }
    }

    /// Returns the JSON type that the values of a type have, by which an alternate
    /// chooses; `None` if they have several.
    pub(crate) fn json_kind(&self, index: TypeIndex) -> Option<JsonKind> {
        Some(match &self.ty(index).shape {
            Shape::Scalar(Scalar::String) | Shape::Enum(_) => JsonKind::String,
            Shape::Scalar(Scalar::Number | Scalar::Int(_)) => JsonKind::Number,
            Shape::Scalar(Scalar::Bool) => JsonKind::Bool,
            Shape::Scalar(Scalar::Null) => JsonKind::Null,
            Shape::Scalar(Scalar::Any) | Shape::Alternate(_) => return None,
            Shape::Array(_) => JsonKind::Array,
            Shape::Object(_) => JsonKind::Object,
        })
    }
}

/// A JSON type, as alternates distinguish it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum JsonKind {
    Null,
    Bool,
    Number,
    String,
    Array,
    Object,
}

impl Scalar {
    /// Returns the name in a reply to `query-qmp-schema`, which knows no widths.
    pub(crate) fn json_name(self) -> &'static str {
        match self {
            Self::String => "str",
            Self::Number => "number",
            Self::Int(_) => "int",
            Self::Bool => "bool",
            Self::Null => "null",
            Self::Any => "any",
        }
    }

    /// Returns the name of the type, which is a width if it is known.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Bool => "boolean",
            Self::Null => "null",
            Self::Any => "any",
            Self::Int(width) => match width {
                None | Some(Builtin::Int) => "int",
                Some(Builtin::Int8) => "int8",
                Some(Builtin::Int16) => "int16",
                Some(Builtin::Int32) => "int32",
                Some(Builtin::Uint8) => "uint8",
                Some(Builtin::Uint16) => "uint16",
                Some(Builtin::Uint32) => "uint32",
                Some(Builtin::Uint64) => "uint64",
                Some(Builtin::Size) => "size",
                Some(_) => "int64",
            },
        }
    }

    /// Returns the least and the greatest value of an integer type.
    pub(crate) fn range(self) -> Option<(i128, i128)> {
        let Self::Int(Some(width)) = self else {
            return None;
        };
        let unsigned = |bits: u32| (0, (1_i128 << bits) - 1);
        let signed = |bits: u32| (-(1_i128 << (bits - 1)), (1_i128 << (bits - 1)) - 1);
        Some(match width {
            Builtin::Int8 => signed(8),
            Builtin::Int16 => signed(16),
            Builtin::Int32 => signed(32),
            Builtin::Uint8 => unsigned(8),
            Builtin::Uint16 => unsigned(16),
            Builtin::Uint32 => unsigned(32),
            Builtin::Uint64 | Builtin::Size => unsigned(64),
            _ => signed(64),
        })
    }
}
