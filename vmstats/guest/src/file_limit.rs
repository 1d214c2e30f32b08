//! The limit of open files, of which every vCPU's statistics need one.
//!
//! In: the number of files that the process will open. Out: a limit that permits
//! it. This file knows no statistics.

use std::{fmt, io};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The reason why the limit of open files cannot be raised.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileLimitError {
    /// The hard limit is lower than the caller needs.
    Hard {
        /// The number of open files that the caller needs.
        needed: u64,
        /// The hard limit of open files (`RLIMIT_NOFILE`).
        hard: u64,
    },
    /// The kernel refused.
    Refused {
        /// The number of open files that the caller needs.
        needed: u64,
        /// The error's number, see errno(3).
        errno: i32,
    },
}

impl fmt::Display for FileLimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hard { needed, hard } => write!(
                f,
                "{needed} open files are needed, but the hard limit is {hard} (RLIMIT_NOFILE, \
                 ulimit -Hn)"
            ),
            Self::Refused { needed, errno } => {
                let error = io::Error::from_raw_os_error(*errno);
                write!(
                    f,
                    "cannot raise the limit of open files to {needed}: {error}"
                )
            }
        }
    }
}

impl std::error::Error for FileLimitError {}

/// Raises the soft limit of open files (often 1024) to `needed`, unless it is at
/// least that already.
///
/// A VM with N vCPUs needs N + 1 files for its statistics, and as many for the VM
/// and the vCPUs themselves. Add the other files of the process.
///
/// # Errors
///
/// Returns [`FileLimitError::Hard`] if the hard limit is lower than `needed`; the
/// limit has not changed then. Returns [`FileLimitError::Refused`] if the kernel
/// refuses.
pub fn raise_nofile_limit(needed: u64) -> Result<(), FileLimitError> {
    let limit = getrlimit(Resource::Nofile);
    match plan(limit, needed)? {
        None => Ok(()),
        Some(limit) => {
            setrlimit(Resource::Nofile, limit).map_err(|errno| FileLimitError::Refused {
                needed,
                errno: errno.raw_os_error(),
            })
        }
    }
}

/// Returns the limit to set, or `None` if `limit` suffices. In an [`Rlimit`],
/// `None` means unlimited.
fn plan(limit: Rlimit, needed: u64) -> Result<Option<Rlimit>, FileLimitError> {
    if limit.current.is_none_or(|soft| soft >= needed) {
        return Ok(None);
    }
    match limit.maximum {
        Some(hard) if hard < needed => Err(FileLimitError::Hard { needed, hard }),
        maximum => Ok(Some(Rlimit {
            current: Some(needed),
            maximum,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(current: Option<u64>, maximum: Option<u64>) -> Rlimit {
        Rlimit { current, maximum }
    }

    #[test]
    fn raises_only_the_soft_limit_and_only_when_it_is_too_low() {
        assert_eq!(plan(limit(Some(1024), Some(4096)), 1024), Ok(None));
        assert_eq!(plan(limit(None, None), u64::MAX), Ok(None));
        let raised = limit(Some(2049), Some(4096));
        assert_eq!(plan(limit(Some(1024), Some(4096)), 2049), Ok(Some(raised)));
        let raised = limit(Some(5000), None);
        assert_eq!(plan(limit(Some(1024), None), 5000), Ok(Some(raised)));
    }

    #[test]
    fn a_hard_limit_that_is_too_low_is_named() {
        let error = plan(limit(Some(1024), Some(4096)), 4097).unwrap_err();
        assert_eq!(
            error.to_string(),
            "4097 open files are needed, but the hard limit is 4096 \
             (RLIMIT_NOFILE, ulimit -Hn)"
        );
    }

    #[test]
    fn the_process_keeps_what_it_has() {
        raise_nofile_limit(3).unwrap();
        assert!(
            raise_nofile_limit(u64::MAX).is_err() || getrlimit(Resource::Nofile).maximum.is_none()
        );
    }
}
