//! Totals of the host.
//!
//! In: one collection after another. Out: counters that never go back when a virtual
//! machine goes, because they are sums of growth rather than of values. This file writes
//! no text.

use std::collections::{HashMap, HashSet};

use qapi_stats::stats::{StatsProvider, StatsValue};
use stats_runtime::exposition::Object as Label;

use super::answer::Answer;
use super::collector::Collection;
use super::plan::Plans;
use super::points::{self, VmPoint};
use crate::sample::{Kind, Timestamp};
use crate::source::Peer;

/// A statistic, by its provider and its name.
type Key = (StatsProvider, String);

/// The totals so far.
#[derive(Debug, Default)]
pub(super) struct Totals {
    generation: u64,
    /// The end of the last collection.
    at: Option<Timestamp>,
    /// The end of the collection before it.
    previous: Option<Timestamp>,
    /// The last values, by virtual machine.
    last: HashMap<usize, Last>,
    totals: HashMap<Key, StatsValue>,
}

/// The last values of a virtual machine.
#[derive(Debug, Default)]
struct Last {
    process: Option<Peer>,
    values: HashMap<Key, StatsValue>,
}

impl Totals {
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

    /// Adds what has grown since the last collection. Returns false if the collection is
    /// not a later one.
    pub(super) fn update(&mut self, collection: &Collection, plans: &Plans) -> bool {
        // Scrapers may take two collections in the reverse order. They share one, and the
        // hasty one has seen fewer answers of it.
        if collection.generation < self.generation {
            return false;
        }
        if collection.generation > self.generation {
            self.generation = collection.generation;
            self.previous = self.at.replace(collection.at);
        }
        let previous = self.previous;
        let present: HashSet<usize> = collection.vms.iter().map(|vm| vm.vm.id).collect();
        self.last.retain(|vm, _| present.contains(vm));
        for vm in &collection.vms {
            if let Some(answer) = vm.answer() {
                let last = self.last.entry(vm.vm.id).or_default();
                if last.process != answer.process {
                    *last = Last::default();
                }
                last.process.clone_from(&answer.process);
                add(&mut self.totals, last, answer, previous, plans);
            }
        }
        self.forget(plans);
        true
    }

    /// Forgets the statistics that have no metric any more, so that a monitor that invents
    /// names fills nothing.
    fn forget(&mut self, plans: &Plans) {
        let columns = plans.plans().iter().flat_map(|plan| &plan.host);
        let keys: HashSet<(&StatsProvider, String)> = columns
            .flat_map(|column| {
                let sum = column.metric.sum_statistic().map(sum_key);
                let name = column.metric.statistic().to_owned();
                sum.into_iter()
                    .chain([name])
                    .map(|name| (&column.provider, name))
            })
            .collect();
        let is_told = |(provider, name): &Key| keys.contains(&(provider, name.clone()));
        self.totals.retain(|key, _| is_told(key));
        for last in self.last.values_mut() {
            // Most virtual machines have no other keys, which need no look.
            if last.values.len() > keys.len() {
                last.values.retain(|key, _| is_told(key));
            }
        }
    }
}

/// Adds what the values of a virtual machine have grown.
fn add(
    totals: &mut HashMap<Key, StatsValue>,
    last: &mut Last,
    answer: &Answer,
    previous: Option<Timestamp>,
    plans: &Plans,
) {
    // Counts of a process that is older than the previous collection, in which nobody saw
    // it, belong to no interval.
    let is_new = previous.is_some_and(|at| answer.started.is_some_and(|start| start > at.0));
    points::each(answer, plans, &mut |point| {
        let column = point.column;
        let counts = matches!(column.kind, Kind::Counter | Kind::Histogram);
        if !counts || !column.is_sum() {
            return true;
        }
        let mut add = |name: String, value: &StatsValue| {
            let key = (column.provider.clone(), name);
            let before = last.values.insert(key.clone(), value.clone());
            let grown = growth(before.as_ref(), value, is_new);
            let total = totals.entry(key).or_insert_with(|| zero(value));
            *total = sum(total, &grown);
        };
        add(column.metric.statistic().to_owned(), &point.value);
        if let (Some(name), Some(value)) = (column.metric.sum_statistic(), &point.sum) {
            add(sum_key(name), value);
        }
        true
    });
}

/// Returns the name under which the sum of a histogram has a total beside that of the
/// statistic, which may have a metric of its own.
fn sum_key(statistic: &str) -> String {
    format!("{statistic} of a histogram")
}

/// Returns how much a value has grown. A value that is lower than before counts from zero;
/// one that was not seen before does if its process is new.
fn growth(before: Option<&StatsValue>, value: &StatsValue, is_new: bool) -> StatsValue {
    match (before, value) {
        (None, _) if !is_new => zero(value),
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
    use std::num::NonZeroUsize;
    use std::sync::Arc;

    use qapi_stats::stats::{StatsSchema, StatsSchemaValue, StatsTarget};

    use super::super::answer::VmState;
    use super::super::choice::Choice;
    use super::*;
    use crate::sample::{Object, ObjectId, Table, Value, Window};

    #[test]
    fn growth_is_counted_from_zero_when_a_counter_was_reset() {
        let number = StatsValue::Scalar;
        assert_eq!(growth(Some(&number(5)), &number(8), false), number(3));
        assert_eq!(growth(Some(&number(5)), &number(2), false), number(2));
        assert_eq!(growth(None, &number(7), true), number(7));
        assert_eq!(growth(None, &number(7), false), number(0));
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

    /// A collection of one virtual machine, which started at `started` and has these exits.
    fn collection(generation: u64, id: usize, started: u64, name: &str, exits: u64) -> Collection {
        let at = Timestamp(generation * 10);
        let window = Window { begin: at, end: at };
        let table = Table::new(StatsSchema {
            provider: StatsProvider::Kvm,
            target: StatsTarget::Vcpu,
            stats: vec![StatsSchemaValue::cumulative(name)],
        });
        let object = Object {
            table: Arc::new(table),
            id: ObjectId::default(),
            window,
            values: vec![Value::Number(exits)],
        };
        let answer = Answer {
            started: Some(started),
            ..Answer::of_objects(window, vec![object])
        };
        Collection::of(generation, at, vec![VmState::answered(id, at, answer)])
    }

    /// Adds a collection, and returns the totals.
    fn update(totals: &mut Totals, collection: &Collection) -> Vec<StatsValue> {
        let mut choice = Choice::all();
        choice.top = NonZeroUsize::new(1);
        let mut plans = Plans::new(choice);
        let answers = collection.vms.iter().filter_map(|vm| vm.answer().cloned());
        plans.update(&answers.collect::<Vec<_>>());
        totals.update(collection, &plans);
        totals.totals.values().cloned().collect()
    }

    #[test]
    fn machine_that_is_seen_late_adds_no_lifetime() {
        let mut totals = Totals::default();
        let mut next = |generation, id, started, exits| {
            let collection = collection(generation, id, started, "exits", exits);
            update(&mut totals, &collection)
        };
        let number = |number| vec![StatsValue::Scalar(number)];
        assert_eq!(next(1, 0, 1, 1000), number(0));
        assert_eq!(next(2, 0, 1, 1005), number(5));
        // The same machine by another path.
        assert_eq!(next(3, 1, 1, 1010), number(5));
        assert_eq!(next(4, 1, 1, 1012), number(7));
        // One that started after the previous collection.
        assert_eq!(next(5, 2, 41, 3), number(10));
        // A collection that comes too late changes nothing.
        assert_eq!(next(4, 1, 1, 1012), number(10));
        assert_eq!(next(6, 2, 41, 4), number(11));
        // Another one shares the last collection with a scraper that did not wait for it.
        assert_eq!(next(6, 3, 55, 6), number(17));
        assert_eq!(next(6, 3, 55, 6), number(17));
    }

    #[test]
    fn totals_forget_statistics_that_nobody_tells() {
        let mut totals = Totals::default();
        for turn in 1..100 {
            let name = format!("invented{turn}");
            let count = update(&mut totals, &collection(turn, 0, 1, &name, 1)).len();
            assert_eq!(count, 1);
            assert!(totals.last[&0].values.len() <= 1);
        }
    }
}
