//! The parts of definitions that messages name.
//!
//! In: names from a schema. Out: types, members and other parts for a
//! `Problem`, in QEMU's words.

use std::fmt;

use super::definition_kind::DefinitionKind;
use super::message_subject::Key;

/// A type, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeName {
    /// A built-in type.
    Builtin(String),
    /// An array of the named type.
    Array(String),
    /// A type that the schema defines.
    Defined(DefinitionKind, String),
}

/// A part of a definition, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DefinitionPart {
    /// A whole definition.
    Definition(DefinitionKind),
    /// A struct's or union's `'base'`.
    Base,
    /// A command's or event's `'data'`, a command's `'returns'`.
    Slot(DefinitionKind, Key),
    /// A member of a struct.
    Member(String, Option<Owner>),
    /// A member of an inline base.
    BaseMember(String, Option<Owner>),
    /// A member of inline arguments.
    Parameter(String, Option<Owner>),
    /// A branch.
    Branch(String, Option<Owner>),
    /// A value of an enum.
    Value(String, Option<Owner>),
    /// A feature. For a member's feature, QEMU names the member as the owner.
    Feature(String, Option<Owner>),
}

impl DefinitionPart {
    /// Sets the definition that has the part, unless one is already set.
    pub(super) fn set_owner(&mut self, owner: &Owner) {
        match self {
            Self::Member(_, set)
            | Self::BaseMember(_, set)
            | Self::Parameter(_, set)
            | Self::Branch(_, set)
            | Self::Value(_, set)
            | Self::Feature(_, set) => {
                set.get_or_insert_with(|| owner.clone());
            }
            Self::Definition(_) | Self::Base | Self::Slot(..) => {}
        }
    }
}

/// The definition that has a part, for parts of other definitions than the
/// one that the message is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// `type` or `command`, QEMU's words.
    pub kind: &'static str,
    /// The name of the definition.
    pub name: String,
}

impl fmt::Display for TypeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(name) => write!(f, "built-in type '{name}'"),
            Self::Array(element) => write!(f, "array type ['{element}']"),
            Self::Defined(kind, name) => write!(f, "{kind} type '{name}'"),
        }
    }
}

impl fmt::Display for DefinitionPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut part = |role: &str, name: &str, owner: &Option<Owner>| {
            write!(f, "{role} '{name}'")?;
            match owner {
                Some(Owner { kind, name }) => write!(f, " of {kind} '{name}'"),
                None => Ok(()),
            }
        };
        match self {
            Self::Member(name, owner) => part("member", name, owner),
            Self::BaseMember(name, owner) => part("base member", name, owner),
            Self::Parameter(name, owner) => part("parameter", name, owner),
            Self::Branch(name, owner) => part("branch", name, owner),
            Self::Value(name, owner) => part("value", name, owner),
            Self::Feature(name, owner) => part("feature", name, owner),
            Self::Definition(kind) => kind.fmt(f),
            Self::Base => f.write_str("'base'"),
            Self::Slot(kind, key) => write!(f, "{kind}'s {key}"),
        }
    }
}
