//! The statistics of a virtual machine or of one of its vCPUs in one interval.
//!
//! In: two samples. Out: a row for each statistic, with its rate and total, or the
//! reason why they are absent. This file formats nothing.

use std::sync::Arc;

use qapi_stats::stats::StatsTarget;

use super::figures::{Pair, is_vcpu};
use crate::rates::{Aggregate, Change, Elapsed, ObjectChanges, aggregate, begin, compare, sum};
use crate::sample::{Object, ObjectId, Sample, Stat, Table};

/// The objects that rows are about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Scope {
    /// The virtual machine, with its vCPUs summed.
    Vm,
    /// One vCPU.
    Vcpu(ObjectId),
}

impl Scope {
    /// Returns whether an object belongs to the scope.
    pub(super) fn has(&self, object: &Object) -> bool {
        match self {
            Self::Vm => true,
            Self::Vcpu(id) => is_vcpu(object, id),
        }
    }
}

/// A statistic in one interval.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StatRow<'a> {
    /// The provider and the target.
    pub(super) table: &'a Table,
    /// The statistic.
    pub(super) stat: &'a Stat,
    /// The value over all objects of the scope; `None` if none of them has one.
    pub(super) value: Option<Aggregate>,
    /// The time that a rate is about.
    pub(super) elapsed: Option<Elapsed>,
    /// The reason why the value is absent, or why some objects are not part of it.
    pub(super) reason: Option<String>,
    /// The growth since the baseline, if there is one.
    pub(super) since_baseline: Option<u128>,
}

/// Returns the statistics of a scope, in the order of the tables. `before` is the sample
/// that rates are computed from, and `baseline` the one that growth is counted from.
pub(super) fn rows<'a>(
    scope: &Scope,
    before: Option<&Sample>,
    after: &'a Sample,
    baseline: Option<&Sample>,
) -> Vec<StatRow<'a>> {
    let changes = changes(before, after);
    let grown = baseline.map(|baseline| self::changes(Some(baseline), after));
    let mut rows = Vec::new();
    let mut seen: Vec<Arc<Table>> = Vec::new();
    for object in after.objects.iter().filter(|object| scope.has(object)) {
        let table = &object.table;
        if seen.iter().any(|other| is_same(other, table)) {
            continue;
        }
        seen.push(Arc::clone(table));
        let pairs: Vec<Pair<'_>> = pairs(scope, table, after, &changes);
        let grown = grown
            .as_ref()
            .map(|changes| self::pairs(scope, table, after, changes));
        for (place, stat) in table.stats.iter().enumerate() {
            let value = aggregate(pairs.iter().copied(), place);
            let is_partial = value.as_ref().is_none_or(|value| value.missing > 0);
            rows.push(StatRow {
                table,
                stat,
                elapsed: pairs.iter().find_map(|(_, changes)| changes.elapsed),
                reason: is_partial.then(|| reason(&pairs, place, after)).flatten(),
                since_baseline: grown.as_ref().and_then(|pairs| growth(pairs, place)),
                value,
            });
        }
    }
    rows
}

/// Returns the changes of all objects of a sample.
fn changes(before: Option<&Sample>, after: &Sample) -> Vec<ObjectChanges> {
    match before {
        Some(before) => compare(before, after).objects,
        None => after.objects.iter().map(begin).collect(),
    }
}

fn is_same(left: &Table, right: &Table) -> bool {
    left.provider == right.provider && left.target == right.target
}

fn pairs<'a>(
    scope: &Scope,
    table: &Table,
    sample: &'a Sample,
    changes: &'a [ObjectChanges],
) -> Vec<Pair<'a>> {
    let pairs = sample.objects.iter().zip(changes);
    pairs
        .filter(|(object, _)| is_same(&object.table, table) && scope.has(object))
        .collect()
}

/// Returns how much a counter, or all buckets of a histogram, grew over all objects.
fn growth(pairs: &[Pair<'_>], place: usize) -> Option<u128> {
    let growths = pairs
        .iter()
        .filter_map(|(_, changes)| match changes.changes.get(place)? {
            Change::Increase(increase) => Some(u128::from(*increase)),
            Change::Buckets(buckets) => Some(u128::from(sum(buckets))),
            _ => None,
        });
    growths.reduce(|sum, growth| sum + growth)
}

/// Returns why a statistic of some objects has no value.
fn reason(pairs: &[Pair<'_>], place: usize, sample: &Sample) -> Option<String> {
    let mut reasons = pairs.iter().filter_map(|(object, changes)| {
        let reason = match changes.changes.get(place)? {
            Change::Begins => "its rate begins with the next sample".to_owned(),
            Change::Reset => "it was reset".to_owned(),
            Change::WentBack(back) => format!("it went back by {back}"),
            Change::Absent => absence(sample, object)
                .unwrap_or("the monitor did not tell it")
                .to_owned(),
            Change::Increase(_) | Change::Buckets(_) | Change::Level => return None,
        };
        Some(match object.table.target {
            StatsTarget::Vcpu if pairs.len() > 1 => format!("vCPU {}: {reason}", object.id),
            _ => reason,
        })
    });
    let first = reasons.next()?;
    let others = reasons.count();
    Some(if others > 0 {
        format!("{first}; {others} more")
    } else {
        first
    })
}

fn absence<'a>(sample: &'a Sample, object: &Object) -> Option<&'a str> {
    let mut absences = sample.absences.iter();
    let absence = absences.find(|absence| {
        absence.provider == object.table.provider
            && absence.target == object.table.target
            && absence.object.as_ref().is_none_or(|id| *id == object.id)
    })?;
    Some(&absence.reason)
}
