//! Whose rules a schema has to follow.
//!
//! The schema language changes slowly, but it does change; what QEMU's
//! generator takes depends on its version.

/// A version of QEMU's generator, by the first release that has its rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Rules {
    /// QEMU 10.0: documentation has no headings within definitions, and its
    /// layout is free.
    V10_0,
    /// QEMU 10.2: lines of documentation have at most 70 characters, and
    /// sentences are two spaces apart.
    #[default]
    V10_2,
}
