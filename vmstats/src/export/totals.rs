//! Totals of the host, and its busiest virtual machines.
//!
//! In: one collection after another. Out: counters that never go back when a virtual
//! machine goes, because they are sums of growth rather than of values; and the virtual
//! machines that ran longest between two collections. This file writes no text.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;

use qapi_stats::stats::{StatsProvider, StatsValue};
use stats_runtime::exposition::Object as Label;

use super::answer::VmState;
use super::choice::RUN;
use super::collector::Collection;
use super::plan::Plans;
use super::points::{self, VmPoint};
use crate::sample::Kind;
use crate::source::SCHED;

/// How much busier another virtual machine has to be to take the place of one that was
/// exported before, in tenths: each change begins and ends series.
const PERSISTENCE_TENTHS: u128 = 15;

/// A statistic, by its provider and its name.
type Key = (StatsProvider, String);

/// The totals so far.
#[derive(Debug)]
pub(super) struct Totals {
    count: NonZeroUsize,
    generation: u64,
    /// The last values, by virtual machine.
    last: HashMap<usize, HashMap<Key, StatsValue>>,
    totals: HashMap<Key, StatsValue>,
    /// The virtual machines that are exported.
    busiest: HashSet<usize>,
}

impl Totals {
    /// Makes totals that are zero, for an export of this number of virtual machines.
    pub(super) fn new(count: NonZeroUsize) -> Self {
        Self {
            count,
            generation: 0,
            last: HashMap::new(),
            totals: HashMap::new(),
            busiest: HashSet::new(),
        }
    }

    /// Returns whether a virtual machine is among the busiest.
    pub(super) fn has(&self, vm: &VmState) -> bool {
        self.busiest.contains(&vm.vm.id)
    }

    /// Calls `take` with each total that has a metric.
    pub(super) fn each(&self, plans: &Plans, take: &mut dyn FnMut(VmPoint<'_>) -> bool) {
        let mut seen = HashSet::new();
        for column in plans.plans().iter().flat_map(|plan| &plan.host) {
            // Tables of several kernels may have the same statistic.
            if !seen.insert(column.metric.family()) {
                continue;
            }
            let total = |name: &str| {
                let key = (column.provider.clone(), name.to_owned());
                self.totals.get(&key).cloned()
            };
            if let Some(value) = total(column.metric.statistic()) {
                let sum = { column.metric.sum_statistic() }.and_then(|name| total(&sum_key(name)));
                take(VmPoint {
                    column,
                    label: Label::Only,
                    value,
                    sum,
                });
            }
        }
    }

    /// Adds what has grown since the last collection.
    pub(super) fn update(&mut self, collection: &Collection, plans: &Plans) {
        if collection.generation == self.generation {
            // A collection that scrapers share counts once.
            return;
        }
        let is_first = self.generation == 0;
        self.generation = collection.generation;
        let present: HashSet<usize> = collection.vms.iter().map(|vm| vm.vm.id).collect();
        self.last.retain(|vm, _| present.contains(vm));
        let mut ran = Vec::new();
        for vm in &collection.vms {
            let Some(answer) = vm.answer() else {
                continue;
            };
            let is_new = !self.last.contains_key(&vm.vm.id);
            let last = self.last.entry(vm.vm.id).or_default();
            let mut run = 0;
            points::each(answer, plans, &mut |point| {
                let column = point.column;
                let counts = matches!(column.kind, Kind::Counter | Kind::Histogram);
                if !counts || !column.is_sum() {
                    return true;
                }
                let mut add = |name: &str, value: &StatsValue| {
                    let key = (column.provider.clone(), name.to_owned());
                    let before = last.insert(key.clone(), value.clone());
                    // The counts from before this program started belong to no interval.
                    let grown = growth(before.as_ref(), value, is_first && is_new);
                    if let (SCHED, RUN, StatsValue::Scalar(nanos)) =
                        (column.provider.name(), name, &grown)
                    {
                        run = *nanos;
                    }
                    let total = self.totals.entry(key).or_insert_with(|| zero(value));
                    *total = sum(total, &grown);
                };
                add(column.metric.statistic(), &point.value);
                if let (Some(name), Some(value)) = (column.metric.sum_statistic(), &point.sum) {
                    add(&sum_key(name), value);
                }
                true
            });
            ran.push((vm.vm.id, u128::from(run)));
        }
        let weight = |(vm, run): (usize, u128)| {
            let tenths = if self.busiest.contains(&vm) {
                PERSISTENCE_TENTHS
            } else {
                10
            };
            (std::cmp::Reverse(run * tenths), vm)
        };
        ran.sort_by_key(|one| weight(*one));
        self.busiest = ran
            .into_iter()
            .take(self.count.get())
            .map(|(vm, _)| vm)
            .collect();
    }
}

/// Returns the name under which the sum of a histogram has a total beside that of the
/// statistic, which may have a metric of its own.
fn sum_key(statistic: &str) -> String {
    format!("{statistic} of a histogram")
}

/// Returns how much a value has grown. A value that is lower than before counts from zero.
fn growth(before: Option<&StatsValue>, value: &StatsValue, is_known_before: bool) -> StatsValue {
    match (before, value) {
        (None, _) if is_known_before => zero(value),
        (Some(StatsValue::Scalar(before)), StatsValue::Scalar(value)) if before <= value => {
            StatsValue::Scalar(value - before)
        }
        (Some(StatsValue::List(before)), StatsValue::List(value))
            if before.len() == value.len()
                && before
                    .iter()
                    .zip(value)
                    .all(|(before, value)| before <= value) =>
        {
            let grown = value
                .iter()
                .zip(before)
                .map(|(value, before)| value - before);
            StatsValue::List(grown.collect())
        }
        _ => value.clone(),
    }
}

fn zero(value: &StatsValue) -> StatsValue {
    match value {
        StatsValue::List(counts) => StatsValue::List(vec![0; counts.len()]),
        StatsValue::Scalar(_) | StatsValue::Boolean(_) => StatsValue::Scalar(0),
    }
}

/// Adds two values. A histogram with another number of buckets, of another kernel, begins
/// the total again.
fn sum(total: &StatsValue, grown: &StatsValue) -> StatsValue {
    match (total, grown) {
        (StatsValue::Scalar(total), StatsValue::Scalar(grown)) => {
            StatsValue::Scalar(total.saturating_add(*grown))
        }
        (StatsValue::List(total), StatsValue::List(grown)) if total.len() == grown.len() => {
            let sums = total.iter().zip(grown);
            StatsValue::List(
                sums.map(|(total, grown)| total.saturating_add(*grown))
                    .collect(),
            )
        }
        _ => grown.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_is_counted_from_zero_when_a_counter_was_reset() {
        let number = StatsValue::Scalar;
        assert_eq!(growth(Some(&number(5)), &number(8), false), number(3));
        assert_eq!(growth(Some(&number(5)), &number(2), false), number(2));
        assert_eq!(growth(None, &number(7), false), number(7));
        assert_eq!(growth(None, &number(7), true), number(0));
        let list = |counts: &[u64]| StatsValue::List(counts.to_vec());
        assert_eq!(
            growth(Some(&list(&[1, 2])), &list(&[1, 5]), false),
            list(&[0, 3])
        );
        assert_eq!(
            growth(Some(&list(&[1, 9])), &list(&[1, 5]), false),
            list(&[1, 5])
        );
        assert_eq!(sum(&list(&[1, 2]), &list(&[3, 4])), list(&[4, 6]));
    }
}
