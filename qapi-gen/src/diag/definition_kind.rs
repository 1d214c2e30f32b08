//! The kinds of definitions.
//!
//! In: nothing. Out: the kinds and the keys that introduce them, which also
//! name the kinds in messages.

use std::fmt;

/// A kind of definition. Each is introduced by a key of the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DefinitionKind {
    /// `'enum'`.
    Enum,
    /// `'struct'`.
    Struct,
    /// `'union'`.
    Union,
    /// `'alternate'`.
    Alternate,
    /// `'command'`.
    Command,
    /// `'event'`.
    Event,
}

impl DefinitionKind {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Enum,
        Self::Struct,
        Self::Union,
        Self::Alternate,
        Self::Command,
        Self::Event,
    ];

    /// Returns the key that introduces a definition of this kind.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Enum => "enum",
            Self::Struct => "struct",
            Self::Union => "union",
            Self::Alternate => "alternate",
            Self::Command => "command",
            Self::Event => "event",
        }
    }
}

impl fmt::Display for DefinitionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.key())
    }
}
