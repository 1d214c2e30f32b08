//! KVM's binary statistics: from a VM's fds to a [`KvmProvider`].
//!
//! In: VMs, vCPUs, statistics fds or recorded files. Out: calls of sinks. The format
//! of the files is `kvm_stats`'s; this module has what clients see of them.

mod bounds;
mod described;
mod error;
mod file_list;
mod object_files;
mod provider;
mod stats_file;
mod vm_stats_files;

#[cfg(test)]
mod tests;

pub use bounds::{LAYOUT_BYTES_MAX, LAYOUTS_MAX, SHARED_LAYOUT_BYTES_MAX, SHARED_LAYOUTS_MAX};
pub use described::DescribedLayout;
pub use error::Error;
pub use object_files::ObjectFiles;
pub use provider::{KvmProvider, ParkedVcpu, Recording};
pub use vm_stats_files::Files;
