//! Why a guest does not boot, or has stopped.
//!
//! In: a failed call of the kernel, or a wrong argument. Out: an error whose
//! text names it.

use std::{fmt, io};

use stats_runtime::kvm::Error as StatsError;

use super::file_limit::FileLimitError;

/// The reason why a guest does not boot, or has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuestError {
    /// The guest's code is not for this processor.
    Architecture,
    /// `/dev/kvm` cannot be opened.
    OpenKvm {
        /// The error number, see errno(3).
        errno: i32,
    },
    /// The caller asked for zero vCPUs, or for too many.
    Vcpus {
        /// The number that was asked for.
        asked: u32,
        /// The largest number that the kernel or this crate allows.
        most: u32,
    },
    /// The caller asked for more vCPUs to run than there are.
    Running {
        /// The number of vCPUs that were asked to run.
        running: u32,
        /// The number of vCPUs.
        vcpus: u32,
    },
    /// A call of KVM failed.
    Kvm {
        /// The name of the call.
        call: &'static str,
        /// The index of the vCPU, if the call was about a vCPU.
        vcpu: Option<u32>,
        /// The error number, see errno(3).
        errno: i32,
    },
    /// The kernel has no `KVM_CAP_BINARY_STATS_FD`: it is older than 5.14.
    NoStatistics,
    /// The statistics cannot be opened.
    Stats(StatsError),
    /// The process may not open a file for each vCPU and its statistics.
    FileLimit(FileLimitError),
    /// The thread of a vCPU cannot be started.
    Thread {
        /// The index of the vCPU.
        vcpu: u32,
        /// The operating system's error text.
        error: String,
    },
    /// The signal handler that interrupting a thread needs cannot be installed.
    Signal {
        /// The error number, see errno(3).
        errno: i32,
    },
    /// A vCPU left the guest for a reason that the guest's code never gives.
    Exit {
        /// The index of the vCPU.
        vcpu: u32,
        /// KVM's name of the reason.
        exit: String,
    },
}

impl GuestError {
    /// Returns whether the machine has no usable KVM, or does not let this user
    /// use it. Another try would fail too.
    #[must_use]
    pub fn is_kvm_unavailable(&self) -> bool {
        matches!(
            self,
            Self::Architecture | Self::OpenKvm { .. } | Self::NoStatistics
        )
    }
}

impl fmt::Display for GuestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let os = io::Error::from_raw_os_error;
        match self {
            Self::Architecture => f.write_str("the demo guest has code for x86-64 only"),
            Self::OpenKvm { errno } => write!(f, "cannot open /dev/kvm: {}", os(*errno)),
            Self::Vcpus { asked, most } => {
                write!(f, "a guest has from 1 to {most} vCPUs, not {asked}")
            }
            Self::Running { running, vcpus } => {
                write!(f, "{running} vCPUs cannot run in a guest that has {vcpus}")
            }
            Self::Kvm {
                call,
                vcpu: Some(vcpu),
                errno,
            } => {
                write!(f, "{call} failed for vCPU {vcpu}: {}", os(*errno))
            }
            Self::Kvm {
                call,
                vcpu: None,
                errno,
            } => write!(f, "{call} failed: {}", os(*errno)),
            Self::NoStatistics => f.write_str(
                "this kernel has no binary statistics (KVM_CAP_BINARY_STATS_FD, Linux 5.14 and \
                 later)",
            ),
            Self::Stats(error) => error.fmt(f),
            Self::FileLimit(error) => error.fmt(f),
            Self::Thread { vcpu, error } => {
                write!(f, "cannot start the thread of vCPU {vcpu}: {error}")
            }
            Self::Signal { errno } => {
                write!(
                    f,
                    "cannot install the signal handler for vCPUs: {}",
                    os(*errno)
                )
            }
            Self::Exit { vcpu, exit } => write!(f, "vCPU {vcpu} left the guest with {exit}"),
        }
    }
}

impl std::error::Error for GuestError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Stats(error) => Some(error),
            Self::FileLimit(error) => Some(error),
            _ => None,
        }
    }
}

impl From<StatsError> for GuestError {
    fn from(error: StatsError) -> Self {
        Self::Stats(error)
    }
}

impl From<kvm_stats::Error> for GuestError {
    fn from(error: kvm_stats::Error) -> Self {
        Self::Stats(error.into())
    }
}

impl From<FileLimitError> for GuestError {
    fn from(error: FileLimitError) -> Self {
        Self::FileLimit(error)
    }
}
