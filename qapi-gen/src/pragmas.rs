//! Settings that a schema makes for itself.
//!
//! In: nothing. Out: the settings, which stages ask before they report a
//! problem. `load/pragma.rs` reads them.

use rustc_hash::FxHashSet as HashSet;

/// The settings of a schema's pragmas.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pragmas {
    /// True if every definition must have documentation.
    pub(crate) doc_required: bool,
    /// The commands whose names may contain `_`.
    pub(crate) command_name_exceptions: HashSet<String>,
    /// The commands that may return types other than objects.
    pub(crate) command_returns_exceptions: HashSet<String>,
    /// The definitions whose members need not be documented.
    pub(crate) documentation_exceptions: HashSet<String>,
    /// The definitions whose members' names may contain `_` and upper case.
    pub(crate) member_name_exceptions: HashSet<String>,
}
