//! Features: what a schema says of a part beyond its shape.
//!
//! In: constants that generated code fills. Out: answers to "has this the
//! feature ...". It decides nothing: that is the policy's affair.

/// A set of special features: the names that mean something to the protocol
/// itself. See "Special features" in QEMU's `docs/devel/qapi-code-gen.rst`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Special(u8);

impl Special {
    /// Neither.
    pub const NONE: Self = Self(0);
    /// `deprecated`: it will go.
    pub const DEPRECATED: Self = Self(1);
    /// `unstable`: it may change or go without notice.
    pub const UNSTABLE: Self = Self(2);

    /// Those of this set and those of another.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` are in this set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The special ones among features.
    #[must_use]
    pub fn among(features: &[&str]) -> Self {
        let special = |name: &&str| match *name {
            "deprecated" => Self::DEPRECATED,
            "unstable" => Self::UNSTABLE,
            _ => Self::NONE,
        };
        features
            .iter()
            .map(special)
            .fold(Self::NONE, |set, special| set.with(special))
    }
}

/// A schema's table of features, by path.
///
/// A path is the name of a type, a command or an event in the schema, or that
/// of one of its members or values behind it: `Type.member`, `Enum.value`,
/// `command.argument`. A type's inherited members are found under its own
/// name; where a command or an event takes its members from a type, they are
/// found under that type's.
///
/// ```
/// use qapi_wire::{Features, Special};
///
/// // Generated code has such a table as `FEATURES`.
/// const FEATURES: Features = Features::new(&[
///     ("eject.device", &["deprecated"]),
///     ("x-query-roms", &["unstable"]),
/// ]);
/// assert!(FEATURES.special("eject.device").contains(Special::DEPRECATED));
/// assert_eq!(FEATURES.get("x-query-roms"), ["unstable"]);
/// assert!(FEATURES.get("query-version").is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// Sorted by path.
    entries: &'static [Entry],
}

/// A path, and the features of what it names.
type Entry = (&'static str, &'static [&'static str]);

impl Features {
    /// A table of entries that are sorted by path.
    #[must_use]
    pub const fn new(entries: &'static [Entry]) -> Self {
        Self { entries }
    }

    /// The features of what `path` names, in schema order; none if it has
    /// none, or the schema nothing of that name.
    #[must_use]
    pub fn get(&self, path: &str) -> &'static [&'static str] {
        self.entries
            .binary_search_by(|(entry, _)| (*entry).cmp(path))
            .ok()
            .and_then(|index| self.entries.get(index))
            .map_or(&[], |(_, features)| features)
    }

    /// The special ones among them.
    #[must_use]
    pub fn special(&self, path: &str) -> Special {
        Special::among(self.get(path))
    }

    /// Everything that has features, by path.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
        self.entries.iter().copied()
    }
}
