//! The identity of a virtual machine on a screen.
//!
//! In: a number of a fleet or of a recording. Out: a type that nothing else can be taken
//! for.

/// A number that no other virtual machine of a screen has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct VmId(pub(super) usize);
