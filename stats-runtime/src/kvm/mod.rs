//! KVM's binary statistics: from a VM's fds to a [`KvmProvider`].
//!
//! In: VMs, vCPUs, statistics fds or recorded files. Out: calls of sinks. Each file
//! has one step: fd, layout, values, provider.

mod data_block;
mod error;
mod fd;
mod format;
mod image;
mod image_builder;
mod layout;
mod provider;
mod rlimit;
mod selftest;
mod stats_file;
mod vm_stats_files;

#[cfg(test)]
mod tests;

pub use data_block::DataBlock;
pub use error::{Block, Error, LayoutError};
pub use fd::{check_capability, vcpu_stats_fd, vm_stats_fd};
pub use format::{NAME_SIZE_MAX, NUM_DESC_MAX, VALUES_MAX};
pub use image::{IMAGE_SIZE_MAX, Image, record};
pub use image_builder::{ImageBuilder, ImageStat};
pub use layout::{Header, Layout};
pub use provider::{KvmProvider, ParkedVcpu, Recording};
pub use rlimit::raise_nofile_limit;
pub use selftest::{Warning, warnings};
pub use vm_stats_files::Files;

pub use crate::sys::stats_fd;
