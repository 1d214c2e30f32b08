//! The treatment of problems of style.

/// The treatment of a schema whose only problems are of documentation style:
/// see [`Problem::is_style`](super::Problem::is_style).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Style {
    /// The schema is rejected, as by QEMU's generator.
    #[default]
    Deny,
    /// The schema is accepted, with warnings. Older markup is read as what it
    /// must mean.
    Warn,
}
