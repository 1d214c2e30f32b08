//! The subjects of messages.
//!
//! In: the parts of a definition. Out: QEMU's words for them, with which many
//! messages begin. What is wrong with a part is not known here.

use std::fmt;

use super::definition_kind::DefinitionKind;

/// A key of a definition whose value can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `'base'`.
    Base,
    /// `'data'`.
    Data,
    /// `'discriminator'`.
    Discriminator,
    /// `'features'`.
    Features,
    /// `'prefix'`.
    Prefix,
    /// `'returns'`.
    Returns,
    /// The key that gives a definition its kind and name.
    Name(DefinitionKind),
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = match self {
            Self::Base => "base",
            Self::Data => "data",
            Self::Discriminator => "discriminator",
            Self::Features => "features",
            Self::Prefix => "prefix",
            Self::Returns => "returns",
            Self::Name(kind) => kind.key(),
        };
        write!(f, "'{key}'")
    }
}

/// The subject of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageSubject {
    /// A whole definition.
    Definition(DefinitionKind),
    /// The value of a key.
    Value(Key),
    /// A member, value, branch or feature without a valid name.
    Unnamed(Key),
    /// A member, value, branch or feature.
    Member(Key, Box<str>),
    /// The condition of another subject.
    Condition(Box<MessageSubject>),
}

impl fmt::Display for MessageSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Definition(kind) => kind.fmt(f),
            Self::Value(key) => key.fmt(f),
            Self::Unnamed(key) => write!(f, "{key} member"),
            Self::Member(key, name) => write!(f, "{key} member '{name}'"),
            Self::Condition(of) => write!(f, "'if' condition of {of}"),
        }
    }
}
