//! The parts of definitions that messages name.
//!
//! In: names from a schema. Out: what a problem says of a type, a member, a
//! branch. The words for them are in `text.rs`.

use super::{DefinitionKind, Key};

/// A type, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeName {
    /// A built-in type.
    Builtin(String),
    /// An array of the named type.
    Array(String),
    /// A type that is defined.
    Defined(DefinitionKind, String),
}

/// A part of a definition, as messages name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// A whole definition.
    Definition(DefinitionKind),
    /// A struct's or union's `'base'`.
    Base,
    /// A command's or event's `'data'`, a command's `'returns'`.
    Slot(DefinitionKind, Key),
    /// A member of a struct.
    Member(String, Option<Whose>),
    /// A member of a base that is written in place.
    BaseMember(String, Option<Whose>),
    /// A member of arguments that are written in place.
    Parameter(String, Option<Whose>),
    /// A branch.
    Branch(String, Option<Whose>),
    /// A value of an enum.
    Value(String, Option<Whose>),
    /// A feature; QEMU names the member, if it is a member's.
    Feature(String, Option<Whose>),
}

impl Role {
    /// Tells whose the part is, unless that is told already.
    pub(super) fn of(&mut self, owner: &Whose) {
        match self {
            Self::Member(_, whose)
            | Self::BaseMember(_, whose)
            | Self::Parameter(_, whose)
            | Self::Branch(_, whose)
            | Self::Value(_, whose)
            | Self::Feature(_, whose) => {
                whose.get_or_insert_with(|| owner.clone());
            }
            Self::Definition(_) | Self::Base | Self::Slot(..) => {}
        }
    }
}

/// The definition that has a part, where it is not the one at hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whose {
    /// `type` or `command`, as QEMU says.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}
