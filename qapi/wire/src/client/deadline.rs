//! Deadlines of what a client waits for.
//!
//! In: a timeout. Out: the moment at which it ends, and the time until then.

use std::io;
use std::time::{Duration, Instant};

/// The longest timeout, a year. A longer one could lie beyond what the clock can
/// express.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Returns the end of `timeout`, or of [`TIMEOUT_MAX`] if that is shorter.
#[must_use]
pub fn after(timeout: Duration) -> Instant {
    Instant::now() + timeout.min(TIMEOUT_MAX)
}

/// Returns the time until `deadline`, which is not zero.
///
/// # Errors
///
/// Returns [`TimedOut`](io::ErrorKind::TimedOut) if the deadline has passed.
pub fn remaining(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}
