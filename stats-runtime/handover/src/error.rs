//! The errors of the side that gives.
//!
//! In: a caller's mistake, or the kernel's refusal. Out: a message that names the
//! field or the file and says what helps.

use std::{fmt, io};

use crate::grammar::{Fault, VCPU_INDEX_MAX};

/// The reason why statistics cannot be given away.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The running kernel frees a VM although its statistics files are open.
    OldKernel,
    /// The text of a field is not valid.
    Text {
        /// The field.
        field: &'static str,
        /// The text.
        text: String,
        /// The reason.
        fault: Fault,
    },
    /// The index of a vCPU is higher than [`VCPU_INDEX_MAX`].
    Index {
        /// The index.
        index: u32,
    },
    /// Another vCPU has the path.
    PathTaken {
        /// The path.
        path: String,
    },
    /// The statistics of a VM or vCPU cannot be opened.
    Open {
        /// The VM or vCPU.
        object: String,
        /// The kernel's reason.
        source: kvm_stats::Error,
    },
    /// The object to be removed was not added.
    Absent {
        /// The object.
        object: String,
    },
    /// No receiver listens at a path.
    Connect {
        /// The path.
        path: String,
        /// The error's number, see errno(3).
        errno: i32,
    },
    /// The kernel refused to send. The connection is closed.
    Send {
        /// The error's number, see errno(3).
        errno: i32,
    },
}

impl Error {
    /// Returns the kernel's number of the error, see errno(3), if the kernel refused
    /// something.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Connect { errno, .. } | Self::Send { errno } => Some(*errno),
            Self::Open { source, .. } => source.errno(),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("hand-over of statistics: ")?;
        match self {
            Self::OldKernel => f.write_str(
                "kernels before Linux 6.5 free a VM although its statistics files are open, so \
                 that another process with such a file would read freed memory of the kernel; \
                 serve the statistics in this process, or use a newer kernel",
            ),
            Self::Text { field, text, fault } => {
                let shown: String = text.chars().take(80).collect();
                write!(f, "the {field} {shown:?} {fault}")
            }
            Self::Index { index } => {
                write!(f, "the index {index} of a vCPU exceeds {VCPU_INDEX_MAX}")
            }
            Self::PathTaken { path } => {
                write!(f, "another vCPU has the path {path:?}; paths are unique")
            }
            Self::Open { object, source } => write!(f, "{object}: {source}"),
            Self::Absent { object } => write!(f, "{object} cannot be removed: it was not added"),
            Self::Connect { path, errno } => write!(
                f,
                "cannot connect to {path:?}: {}",
                io::Error::from_raw_os_error(*errno)
            ),
            Self::Send { errno } => {
                write!(f, "cannot send: {}", io::Error::from_raw_os_error(*errno))?;
                f.write_str(remedy(*errno))
            }
        }
    }
}

/// Returns what a VMM's author can do about an error of sendmsg(2).
fn remedy(errno: i32) -> &'static str {
    use rustix::io::Errno;
    match Errno::from_raw_os_error(errno) {
        Errno::AGAIN => {
            "; the receiver does not read, or the socket's buffer is too small for so many vCPUs: \
             raise SO_SNDBUF, or connect with stats_handover::connect, which does"
        }
        Errno::PIPE | Errno::CONNRESET => {
            "; the receiver closed the connection: unless it restarted, its log has the reason"
        }
        Errno::TOOMANYREFS => {
            "; too many files of this user wait in sockets: raise RLIMIT_NOFILE, or give again \
             when the receiver has read"
        }
        Errno::MSGSIZE => "; the socket's buffer is smaller than a packet: raise SO_SNDBUF",
        Errno::NOTCONN => "; connect the socket first",
        Errno::NOTSOCK | Errno::OPNOTSUPP => "; the descriptor must be a Unix socket",
        _ => "",
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Open { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.errno() {
            Some(errno) => Self::from_raw_os_error(errno).kind(),
            None => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}
