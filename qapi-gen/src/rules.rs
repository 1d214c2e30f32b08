//! Whose rules a schema has to follow, and how strictly.
//!
//! In: choices of the user. Out: what the stages ask before they complain.
//! The schema language changes slowly, but it does change: what QEMU's
//! generator takes depends on its version. What the rules say, it does not
//! know.

use crate::diag::Style;

/// A version of QEMU's generator, by the first release that has its rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rules {
    /// QEMU 7.2: documentation is cut into sections by its indentation, notes
    /// and examples are sections, members need not be described.
    V7_2,
    /// QEMU 10.0: documentation has no headings within definitions, and its
    /// layout is free.
    V10_0,
    /// QEMU 10.2: lines of documentation have at most 70 characters, and
    /// sentences are two spaces apart.
    #[default]
    V10_2,
}

/// How a schema is checked.
///
/// The default is to be as strict as the newest generator. Who wants to use a
/// schema rather than to judge it warns:
///
/// ```
/// use qapi_gen::{CheckOptions, MemoryLoader, Style, check_with};
///
/// let schema = "##\n# @stop:\n#\n# Note: older markup\n##\n{ 'command': 'stop' }";
/// let files = MemoryLoader::from_iter([("a.json", schema)]);
/// let options = CheckOptions { style: Style::Warn, ..CheckOptions::default() };
/// let outcome = check_with("a.json", &files, options);
/// assert!(outcome.schema.is_some());
/// assert_eq!(outcome.diagnostics.warnings().count(), 1);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Whose rules hold.
    pub rules: Rules,
    /// Whether style is enforced.
    pub style: Style,
}
