//! Why a guest does not boot, or has stopped.
//!
//! In: what the kernel or the caller did. Out: words that name it.

use std::{fmt, io};

use stats_runtime::kvm::Error as StatsError;

/// Why a guest does not boot, or has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GuestError {
    /// There is no code for this processor.
    Architecture,
    /// /dev/kvm does not open.
    OpenKvm {
        /// The error's number, see errno(3).
        errno: i32,
    },
    /// The caller asked for no vCPU, or for too many.
    Vcpus {
        /// How many.
        asked: u32,
        /// How many there may be, of this kernel or of any.
        most: u32,
    },
    /// The caller asked for more vCPUs to run than there are.
    Running {
        /// How many are to run.
        running: u32,
        /// How many there are.
        vcpus: u32,
    },
    /// KVM refused a call.
    Kvm {
        /// Its name.
        call: &'static str,
        /// The vCPU it was for, if any.
        vcpu: Option<u32>,
        /// The error's number, see errno(3).
        errno: i32,
    },
    /// The statistics cannot be had.
    Stats(StatsError),
    /// The thread of a vCPU does not start.
    Thread {
        /// The vCPU.
        vcpu: u32,
        /// What the operating system says.
        error: String,
    },
    /// No thread can be interrupted, for want of a signal handler.
    Signal {
        /// The error's number, see errno(3).
        errno: i32,
    },
    /// A vCPU left the guest in a way that its code gives no cause for.
    Exit {
        /// The vCPU.
        vcpu: u32,
        /// KVM's name for it.
        exit: String,
    },
}

impl GuestError {
    /// Whether this machine lets nobody boot a guest, or not this user, so
    /// that there is no use in trying again.
    #[must_use]
    pub fn is_kvm_unavailable(&self) -> bool {
        matches!(
            self,
            Self::Architecture | Self::OpenKvm { .. } | Self::Stats(StatsError::Unsupported)
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
            Self::Stats(error) => error.fmt(f),
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
            _ => None,
        }
    }
}

impl From<StatsError> for GuestError {
    fn from(error: StatsError) -> Self {
        Self::Stats(error)
    }
}
