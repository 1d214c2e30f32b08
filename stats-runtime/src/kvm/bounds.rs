//! The bounds of what files from other processes may make a provider hold.
//!
//! In: nothing. Out: numbers, with their reasons. This file reads no file.

/// The most different layouts that one provider may have.
///
/// The vCPUs of a VM share one layout, and so do the objects of a kind. Other processes
/// choose the files, so the work of looking up a layout must be bounded.
pub const LAYOUTS_MAX: usize = 32;

/// The most memory that the different layouts of one provider may take together, in bytes.
///
/// A layout of Linux's takes up to some 50 KiB by this count. Files come from other
/// processes too, and one that is malformed on purpose could take 30 MiB.
pub const LAYOUT_BYTES_MAX: usize = 512 << 10;

/// The most different layouts of all providers that share them, see
/// [`KvmProvider::for_another_vm`](super::KvmProvider::for_another_vm).
pub const SHARED_LAYOUTS_MAX: usize = 1024;

/// The most memory that the different layouts of all providers that share them may take
/// together, in bytes. Each provider of each VM could bring [`LAYOUT_BYTES_MAX`] otherwise.
pub const SHARED_LAYOUT_BYTES_MAX: usize = 16 << 20;
