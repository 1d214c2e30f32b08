//! Definitions that a schema lacks because they are wrong.
//!
//! In: the names of wrong definitions. Out: whether a name may be that of a
//! missing definition, so that its uses are not errors of their own.

use std::borrow::Cow;

use rustc_hash::FxHashSet as HashSet;

/// The definitions that were left out of a schema, because they are wrong.
#[derive(Debug, Default)]
pub(crate) struct LostDefinitions<'s> {
    names: HashSet<Cow<'s, str>>,
    /// True if the names of some definitions are not known.
    some_unnamed: bool,
}

impl<'s> LostDefinitions<'s> {
    /// Adds a definition with this name.
    pub(super) fn add(&mut self, name: Cow<'s, str>) {
        self.names.insert(name);
    }

    /// Adds a definition whose name is not known.
    pub(super) fn add_unnamed(&mut self) {
        self.some_unnamed = true;
    }

    /// Returns whether a definition of this name may have been left out.
    pub(crate) fn may_include(&self, name: &str) -> bool {
        self.some_unnamed || self.names.contains(name)
    }
}
