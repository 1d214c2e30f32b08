//! Waiting for one descriptor.
//!
//! In: a descriptor and a time. Out: whether the descriptor is readable. This file reads
//! nothing.

use std::os::fd::BorrowedFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

/// Waits until a descriptor is readable, but at most `time_max`. Returns whether it is.
///
/// # Errors
///
/// Returns the kernel's error.
pub(crate) fn wait_readable(
    fd: BorrowedFd<'_>,
    time_max: Option<Duration>,
) -> rustix::io::Result<bool> {
    let time_max = time_max.and_then(|time| Timespec::try_from(time).ok());
    let mut events = [PollFd::from_borrowed_fd(fd, PollFlags::IN)];
    Ok(retry_on_intr(|| poll(&mut events, time_max.as_ref()))? > 0)
}

/// Returns whether a descriptor is readable: for a pidfd, that the process has ended, and for
/// a connection on which nobody writes, that the peer has closed the connection.
pub(crate) fn is_readable(fd: BorrowedFd<'_>) -> bool {
    wait_readable(fd, Some(Duration::ZERO)).unwrap_or(false)
}
