//! The errors of the provider of KVM's statistics.
//!
//! In: an error of the kernel's or of the caller. Out: messages that name the cause.

use std::fmt;

use super::bounds::{LAYOUT_BYTES_MAX, LAYOUTS_MAX, SHARED_LAYOUT_BYTES_MAX, SHARED_LAYOUTS_MAX};
use crate::provider::ProviderError;

/// The reason why KVM's statistics cannot be provided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A statistics file cannot be opened or read.
    Stats(kvm_stats::Error),
    /// The caller added a vCPU at a path that is taken.
    DuplicateVcpu {
        /// The path.
        qom_path: String,
    },
    /// The caller added a vCPU with an index that is taken.
    DuplicateIndex {
        /// The index.
        index: u64,
    },
    /// The caller added an object at a path that is taken.
    DuplicateObject {
        /// The path.
        qom_path: String,
    },
    /// The files of one provider have more than [`LAYOUTS_MAX`] different layouts.
    TooManyLayouts,
    /// The different layouts of one provider's files take more than [`LAYOUT_BYTES_MAX`]
    /// bytes, or those of all providers that share them more than
    /// [`SHARED_LAYOUT_BYTES_MAX`].
    LayoutsTooLarge {
        /// The bytes that the layouts would take.
        bytes: usize,
    },
    /// The running kernel lets a statistics file outlive its VM and reads freed memory
    /// then, see [`kvm_stats::keeps_vm_alive`].
    UnsafeKernel,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stats(error) => error.fmt(f),
            Self::DuplicateVcpu { qom_path } => {
                write!(f, "KVM stats: vCPU '{qom_path}' has been added already")
            }
            Self::DuplicateIndex { index } => {
                write!(
                    f,
                    "KVM stats: a vCPU with index {index} has been added already"
                )
            }
            Self::DuplicateObject { qom_path } => {
                write!(f, "KVM stats: object '{qom_path}' has been added already")
            }
            Self::TooManyLayouts => write!(
                f,
                "KVM stats: the files of one provider have more than {LAYOUTS_MAX} different \
                 lists of statistics, or those of all that share them more than \
                 {SHARED_LAYOUTS_MAX}"
            ),
            Self::LayoutsTooLarge { bytes } => write!(
                f,
                "KVM stats: the descriptions of statistics in the files of one provider take \
                 {bytes} bytes, more than {LAYOUT_BYTES_MAX}, or than {SHARED_LAYOUT_BYTES_MAX} \
                 with all that share them"
            ),
            Self::UnsafeKernel => f.write_str(
                "KVM stats: before Linux 6.5 a statistics file must not leave the process of its \
                 VM, because the kernel reads freed memory once the VM has ended",
            ),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Stats(error) => error.source(),
            Self::DuplicateVcpu { .. }
            | Self::DuplicateIndex { .. }
            | Self::DuplicateObject { .. }
            | Self::TooManyLayouts
            | Self::LayoutsTooLarge { .. }
            | Self::UnsafeKernel => None,
        }
    }
}

impl From<kvm_stats::Error> for Error {
    fn from(error: kvm_stats::Error) -> Self {
        Self::Stats(error)
    }
}

impl From<Error> for ProviderError {
    fn from(error: Error) -> Self {
        Self::new(error.to_string()).with_source(error)
    }
}
