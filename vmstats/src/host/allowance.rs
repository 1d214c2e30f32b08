//! An allowance: how often something may happen.
//!
//! In: the time. Out: whether it may happen once more. This file knows nothing of what
//! happens.

use std::time::{Duration, Instant};

/// An allowance that is used up and grows again.
#[derive(Debug)]
pub(super) struct Allowance {
    left: u32,
    most: u32,
    interval: Duration,
    /// The time up to which the allowance has grown.
    since: Instant,
}

impl Allowance {
    /// Returns an allowance that permits `most` uses at once, and one more use after
    /// each `interval`.
    pub(super) fn new(most: u32, interval: Duration, now: Instant) -> Self {
        Self {
            left: most,
            most,
            interval,
            since: now,
        }
    }

    /// Returns whether one is left.
    pub(super) fn is_left(&mut self, now: Instant) -> bool {
        self.grow(now);
        self.left > 0
    }

    /// Takes one use. Returns false if all uses are taken.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        self.grow(now);
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn grow(&mut self, now: Instant) {
        let age = now.saturating_duration_since(self.since);
        let grown = age.as_nanos() / self.interval.as_nanos().max(1);
        let grown = u32::try_from(grown).unwrap_or(u32::MAX);
        if grown > 0 {
            self.left = self.left.saturating_add(grown).min(self.most);
            self.since += self.interval.saturating_mul(grown);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowance_grows_when_time_passes() {
        let begin = Instant::now();
        let interval = Duration::from_millis(20);
        let mut allowance = Allowance::new(5, interval, begin);
        let mut take = |times: u32, now| (0..times).all(|_| allowance.take(now));
        assert!(take(5, begin));
        assert!(!take(1, begin));
        let later = begin + 3 * interval;
        assert!(take(3, later));
        assert!(!take(1, later));
        let much_later = begin + Duration::from_secs(1_000_000);
        assert!(take(5, much_later));
        assert!(!take(1, much_later));
    }
}
