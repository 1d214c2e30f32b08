//! The time from one sample to the next, which may change while samples are taken.
//!
//! In: intervals, each with the moment from which it is used. Out: the interval at a
//! moment, and how long no sample may come until that is a gap. Nothing here knows why an
//! interval changed.

use std::collections::VecDeque;
use std::time::Duration;

use crate::sample::Timestamp;

/// The number of changes that are known. Beyond it, the earliest ones are forgotten.
const CHANGES_MAX: usize = 256;

/// The interval if none is known, which is the one that commands use by default.
const INTERVAL_DEFAULT: Duration = Duration::from_secs(1);

/// The number of intervals without a sample that are a gap.
const GAP_INTERVALS: u32 = 3;

/// The shortest gap: a busy host delays a sample.
const GAP_MIN: Duration = Duration::from_millis(500);

/// The intervals of samples, the earliest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Intervals(VecDeque<(Timestamp, Duration)>);

impl From<Duration> for Intervals {
    /// Makes an interval that is used at all times.
    fn from(interval: Duration) -> Self {
        Self([(Timestamp(0), interval)].into())
    }
}

impl Intervals {
    /// Uses an interval from a moment on.
    pub fn change(&mut self, since: Timestamp, interval: Duration) {
        if self.0.back().is_some_and(|(_, last)| *last == interval) {
            return;
        }
        self.0.push_back((since, interval));
        if self.0.len() > CHANGES_MAX {
            self.0.pop_front();
        }
    }

    /// Returns each interval with the moment from which it is used.
    pub fn changes(&self) -> impl Iterator<Item = (Timestamp, Duration)> {
        self.0.iter().copied()
    }

    /// Returns the interval at a moment. The first one counts for earlier moments too.
    #[must_use]
    pub fn at(&self, moment: Timestamp) -> Duration {
        let last = self.0.iter().rev().find(|(since, _)| *since <= moment);
        last.or_else(|| self.0.front())
            .map_or(INTERVAL_DEFAULT, |(_, interval)| *interval)
    }

    /// Returns the intervals that are used from `begin` to `end`, in their order.
    pub fn between(&self, begin: Timestamp, end: Timestamp) -> impl Iterator<Item = Duration> {
        // The first interval is used before its change too.
        let later = self.changes().skip(1);
        let later = later.filter(move |(since, _)| *since > begin && *since <= end);
        std::iter::once(self.at(begin)).chain(later.map(|(_, interval)| interval))
    }

    /// Returns the shortest time without a sample that is a gap at a moment.
    #[must_use]
    pub fn gap_min(&self, moment: Timestamp) -> Duration {
        self.at(moment).saturating_mul(GAP_INTERVALS).max(GAP_MIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_is_the_one_that_was_used_at_the_moment() {
        let seconds = |seconds: u64| Timestamp(1_000_000_000 * seconds);
        let (slow, fast) = (Duration::from_secs(4), Duration::from_millis(100));
        let mut intervals = Intervals::default();
        assert_eq!(intervals.at(seconds(0)), Duration::from_secs(1));
        for (since, interval) in [(10, slow), (20, slow), (30, fast)] {
            intervals.change(seconds(since), interval);
        }
        assert_eq!(intervals.changes().count(), 2);
        let found = [0, 10, 29, 30, 31].map(|second| intervals.at(seconds(second)));
        assert_eq!(found, [slow, slow, slow, fast, fast]);
        assert_eq!(intervals.gap_min(seconds(29)), Duration::from_secs(12));
        // Three of the interval are less than a busy host may delay a sample.
        assert_eq!(intervals.gap_min(seconds(30)), Duration::from_millis(500));
        let between = |begin, end| {
            let between = intervals.between(seconds(begin), seconds(end));
            between.collect::<Vec<Duration>>()
        };
        assert_eq!(between(5, 29), [slow]);
        assert_eq!(between(29, 30), [slow, fast]);
        assert_eq!(between(30, 40), [fast]);
    }

    #[test]
    fn intervals_are_bounded_when_they_change_often() {
        let mut intervals = Intervals::default();
        for number in 1..=1_000 {
            intervals.change(Timestamp(number), Duration::from_millis(number));
        }
        assert_eq!(intervals.changes().count(), CHANGES_MAX);
        assert_eq!(intervals.at(Timestamp(1_000)), Duration::from_secs(1));
    }
}
