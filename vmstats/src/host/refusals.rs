//! The log of what was refused.
//!
//! In: refusals. Out: lines of the log, at most 100 at once and one per second after
//! that, for all peers together. This file refuses nothing.

use std::time::{Duration, Instant};

use super::allowance::Allowance;
use crate::failure::warn;
use crate::printable::printable;

/// The most lines in a burst.
const BURST: u32 = 100;

/// The time after which one more line is permitted.
const INTERVAL: Duration = Duration::from_secs(1);

/// The log of refusals.
#[derive(Debug)]
pub(super) struct Refusals {
    allowance: Allowance,
    /// The number of refusals that were not logged since the last line.
    silent: u64,
}

impl Refusals {
    /// Returns a log without lines.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            allowance: Allowance::new(BURST, INTERVAL, now),
            silent: 0,
        }
    }

    /// Logs a refusal with its reason, unless there were too many.
    pub(super) fn note(&mut self, who: &str, reason: &str) {
        if !self.allowance.take(Instant::now()) {
            self.silent += 1;
            return;
        }
        let silent = std::mem::take(&mut self.silent);
        if silent > 0 {
            warn(&format!("{silent} more were refused"));
        }
        warn(&format!("refused {who}: {}", printable(reason)));
    }
}
