//! A change between two interfaces.
//!
//! In: what the comparison found. Out: one line for people.

use std::fmt;

use super::codes::Code;
use crate::interface::Place;

/// How much a change matters.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Everything that worked still works.
    Compatible,
    /// Something may fail, which the schema cannot tell.
    Risky,
    /// Something that worked fails.
    Breaking,
}

impl Level {
    /// All levels, the least first.
    pub const ALL: [Self; 3] = [Self::Compatible, Self::Risky, Self::Breaking];

    /// Returns the name: `breaking`, `risky` or `compatible`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Compatible => "compatible",
            Self::Risky => "risky",
            Self::Breaking => "breaking",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The side that writes the JSON at the place of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// From client to server: the arguments of a command.
    Send,
    /// From server to client: the result of a command, or the data of an event.
    Receive,
}

impl Direction {
    /// Returns the name: `send` or `receive`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Receive => "receive",
        }
    }
}

/// The peers that notice a change.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// Every peer, because the JSON is another.
    Wire,
    /// Callers of the generated Rust.
    Rust,
}

impl Category {
    /// Returns the name: `wire` or `rust`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Wire => "wire",
            Self::Rust => "rust",
        }
    }
}

/// A change between two interfaces.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Change {
    /// The kind of change.
    pub code: Code,
    /// How much the change matters at this place.
    pub level: Level,
    /// The side that writes the JSON; `None` for a change of a whole command or event, and for
    /// one of Rust.
    pub direction: Option<Direction>,
    /// The place on the wire: `COMMAND/argument`, `COMMAND ->/result`,
    /// `EVENT/datum`, then `/member`, `/+case` (of a union), `[]` (the elements of an
    /// array) and `=value` (of an enumeration). For a change of Rust it is the
    /// definition and its part.
    pub path: String,
    /// The part as the older interface has it; `None` if it lacks the part.
    pub old: Option<String>,
    /// The part as the newer interface has it; `None` if it lacks the part.
    pub new: Option<String>,
    /// Whether the older interface calls this part, or one that contains it,
    /// deprecated.
    pub announced: bool,
    /// Whether this part, or one that contains it, is unstable by its feature or by
    /// a name that begins with `x-`.
    pub unstable: bool,
    /// The line of the newer schema, or of the older one where the part is gone.
    pub place: Option<Place>,
}

impl Change {
    /// Returns the sign of a line: `+` if something came, `-` if something went, `.`
    /// if something is different.
    #[must_use]
    pub fn sign(&self) -> char {
        match (&self.old, &self.new) {
            (None, Some(_)) => '+',
            (Some(_), None) => '-',
            _ => '.',
        }
    }

    /// Returns what the older and the newer interface have, in a few words.
    #[must_use]
    pub fn difference(&self) -> String {
        match (&self.old, &self.new) {
            (Some(old), Some(new)) => format!("{old} → {new}"),
            (Some(only), None) | (None, Some(only)) => only.clone(),
            (None, None) => String::new(),
        }
    }
}

/// Writes `- breaking member-removed migrate/blk (send): optional boolean; announced`.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.sign(),
            self.level,
            self.code,
            self.path
        )?;
        if let Some(direction) = self.direction {
            write!(f, " ({})", direction.name())?;
        }
        write!(f, ": {}", self.difference())?;
        if self.announced {
            f.write_str("; announced")?;
        }
        if self.unstable {
            f.write_str("; unstable")?;
        }
        if let Some(place) = &self.place {
            write!(f, " [{place}]")?;
        }
        Ok(())
    }
}
