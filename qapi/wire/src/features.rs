//! Features: marks that a schema puts on commands, types, members and values.
//!
//! In: tables that generated code fills. Out: the features of a part. The
//! consequences are decided elsewhere, by the compatibility policy.

/// A set of special features: those that have a meaning for the protocol. See
/// "Special features" in QEMU's `docs/devel/qapi-code-gen.rst`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SpecialFeatures(u8);

impl SpecialFeatures {
    /// The empty set.
    pub const NONE: Self = Self(0);
    /// `deprecated`: a later release may remove the part.
    pub const DEPRECATED: Self = Self(1);
    /// `unstable`: the part may change or be removed without notice.
    pub const UNSTABLE: Self = Self(2);

    /// Returns the union of this set and another.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Returns whether this set has all features of `other`.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Returns the special features in a list of features.
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
/// A path is the name of a type, a command or an event in the schema, or such a
/// name with one of its members or values: `Type.member`, `Enum.value`,
/// `command.argument`. The members that a type inherits have paths with the
/// type's own name. If a command or an event takes its members from a type, their
/// paths have the name of that type.
///
/// ```
/// use qapi_wire::{Features, SpecialFeatures};
///
/// // Generated code has such a table as `FEATURES`.
/// const FEATURES: Features = Features::new(&[
///     ("eject.device", &["deprecated"]),
///     ("x-query-roms", &["unstable"]),
/// ]);
/// assert!(FEATURES.special("eject.device").contains(SpecialFeatures::DEPRECATED));
/// assert_eq!(FEATURES.get("x-query-roms"), ["unstable"]);
/// assert!(FEATURES.get("query-version").is_empty());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Features {
    /// The entries, sorted by path.
    entries: &'static [Entry],
}

/// A path, and the features of the part that it names.
type Entry = (&'static str, &'static [&'static str]);

impl Features {
    /// Makes a table of entries that are sorted by path.
    #[must_use]
    pub const fn new(entries: &'static [Entry]) -> Self {
        Self { entries }
    }

    /// Returns the features of the part that `path` names, in schema order. The
    /// list is empty if the part has no features or does not exist.
    #[must_use]
    pub fn get(&self, path: &str) -> &'static [&'static str] {
        self.entries
            .binary_search_by(|(entry, _)| (*entry).cmp(path))
            .ok()
            .and_then(|index| self.entries.get(index))
            .map_or(&[], |(_, features)| features)
    }

    /// Returns the special features of the part that `path` names.
    #[must_use]
    pub fn special(&self, path: &str) -> SpecialFeatures {
        SpecialFeatures::among(self.get(path))
    }

    /// Returns every path that has features, in order, with its features.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &'static [&'static str])> {
        self.entries.iter().copied()
    }
}
