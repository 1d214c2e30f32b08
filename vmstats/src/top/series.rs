//! A statistic over the last minutes.
//!
//! In: the samples of a virtual machine. Out: for each cell of a drawing the mean rate
//! over the cell's span, or the growth of a histogram. A cell in which nothing can be
//! compared is empty, never 0.

use std::time::Duration;

use qapi_stats::stats::{StatsProvider, StatsTarget};

use super::figures::level;
use super::history::History;
use super::stats::Scope;
use super::vm_id::VmId;
use crate::rates::{Elapsed, add_buckets};
use crate::sample::{Kind, Object, Sample, Timestamp, Value};

/// The times of a cell that are easy to think in, in seconds.
const STEPS: [u64; 9] = [1, 2, 5, 10, 15, 20, 30, 60, 120];

/// A statistic of a provider and a target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StatKey {
    /// The provider.
    pub(super) provider: StatsProvider,
    /// The target.
    pub(super) target: StatsTarget,
    /// The name.
    pub(super) name: String,
}

/// The times of the cells of a drawing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timeline {
    /// The time of one cell.
    pub(super) step: Duration,
    end: Timestamp,
    cells: usize,
}

impl Timeline {
    /// Makes a timeline that ends at a moment. The step is chosen so that everything
    /// since `begin` fits.
    pub(super) fn new(begin: Timestamp, end: Timestamp, interval: Duration, cells: usize) -> Self {
        let span = end.since(begin);
        let least = (span / u32::try_from(cells.max(1)).unwrap_or(u32::MAX)).max(interval);
        let steps = STEPS.into_iter().map(Duration::from_secs);
        let step = if least < Duration::from_secs(1) {
            interval.max(Duration::from_millis(10))
        } else {
            { steps }.find(|step| *step >= least).unwrap_or(least)
        };
        Self { step, end, cells }
    }

    /// Returns the begin and the end of each cell. They are multiples of the step, so
    /// that a drawing moves by whole cells.
    fn bounds(self) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let step = u64::try_from(self.step.as_nanos())
            .unwrap_or(u64::MAX)
            .max(1);
        let last = self.end.0.div_ceil(step);
        let cells = u64::try_from(self.cells).unwrap_or(u64::MAX);
        (0..cells).map(move |cell| {
            let number = last.saturating_sub(cells - cell);
            let begin = number.saturating_mul(step);
            let end = begin.saturating_add(step).min(self.end.0);
            (Timestamp(begin), Timestamp(end))
        })
    }
}

/// Returns the first and the last sample of each cell.
fn samples(
    history: &History,
    vm: VmId,
    timeline: Timeline,
) -> impl Iterator<Item = Option<(&Sample, &Sample)>> {
    timeline.bounds().map(move |(begin, end)| {
        let before = history.at(vm, begin).map(|entry| &*entry.sample)?;
        let after = history.at(vm, end).map(|entry| &*entry.sample)?;
        (before.window.end < after.window.end && before.run == after.run).then_some((before, after))
    })
}

/// Returns the mean rate of a statistic in each cell, or its value at the cell's end.
pub(super) fn rates(
    history: &History,
    (vm, scope): (VmId, &Scope),
    key: &StatKey,
    timeline: Timeline,
) -> Vec<Option<f64>> {
    let cells = samples(history, vm, timeline).map(|samples| {
        let (before, after) = samples?;
        let mut sum = None;
        each(
            before,
            after,
            scope,
            key,
            |kind, earlier, later, elapsed| {
                let number = match (kind, earlier, later) {
                    (Kind::Counter, Value::Number(earlier), Value::Number(later)) => {
                        elapsed.rate(later.checked_sub(*earlier)?)?
                    }
                    (Kind::Histogram, Value::Buckets(earlier), Value::Buckets(later)) => {
                        elapsed.rate(growth(earlier, later)?.iter().sum())?
                    }
                    (Kind::Counter | Kind::Histogram, _, _) => return None,
                    _ => level(later)?,
                };
                sum = Some(match (sum, kind) {
                    (Some(sum), Kind::Peak) => f64::max(sum, number),
                    (sum, _) => sum.unwrap_or(0.0) + number,
                });
                Some(())
            },
        );
        sum
    });
    cells.collect()
}

/// Returns the growth of each bucket of a histogram in each cell.
pub(super) fn buckets(
    history: &History,
    (vm, scope): (VmId, &Scope),
    key: &StatKey,
    timeline: Timeline,
) -> Vec<Option<Vec<u64>>> {
    let cells = samples(history, vm, timeline).map(|samples| {
        let (before, after) = samples?;
        let mut sums = None;
        each(before, after, scope, key, |_, earlier, later, _| {
            let (Value::Buckets(earlier), Value::Buckets(later)) = (earlier, later) else {
                return None;
            };
            add_buckets(sums.get_or_insert_with(Vec::new), &growth(earlier, later)?);
            Some(())
        });
        sums
    });
    cells.collect()
}

fn growth(earlier: &[u64], later: &[u64]) -> Option<Vec<u64>> {
    let pairs = later.iter().zip(earlier);
    pairs
        .map(|(later, earlier)| later.checked_sub(*earlier))
        .collect()
}

/// Calls a function with the values of each object that is in both samples.
fn each(
    before: &Sample,
    after: &Sample,
    scope: &Scope,
    key: &StatKey,
    mut with: impl FnMut(Kind, &Value, &Value, Elapsed) -> Option<()>,
) {
    let is_wanted = |object: &&Object| {
        object.table.target == key.target
            && object.table.provider == key.provider
            && scope.has(object)
    };
    let mut earlier = before.objects.iter().filter(is_wanted).peekable();
    for object in after.objects.iter().filter(is_wanted) {
        // Both lists are sorted by id, so one pass finds the partners.
        while earlier.peek().is_some_and(|other| other.id < object.id) {
            earlier.next();
        }
        let Some(other) = earlier.next_if(|other| other.is(object)) else {
            continue;
        };
        let place = object.table.position(&key.name);
        let stat = place.and_then(|place| object.table.stats.get(place));
        let later = place.and_then(|place| object.values.get(place));
        if let (Some(stat), Some(before), Some(after)) = (stat, other.value(&key.name), later) {
            let elapsed = Elapsed::between(other.window, object.window);
            let _ = with(stat.kind, before, after, elapsed);
        }
    }
}
