//! The statistics of a virtual machine or of one of its vCPUs in one interval.
//!
//! In: two samples. Out: a row for each statistic, with its rate and total, or the
//! reason why they are absent. This file formats nothing.

use std::sync::Arc;

use qapi_stats::stats::StatsTarget;

use super::figures::{Pair, is_vcpu};
use crate::rates::{Aggregate, Change, Elapsed, ObjectChanges, aggregate, begin, compare, sum};
use crate::sample::{Kind, Object, ObjectId, Sample, Stat, Table};

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
    /// The part of its growth that the total of a counter is.
    pub(super) since: Since,
}

impl StatRow<'_> {
    /// Returns the name for people. Statistics that no monitor tells have their provider.
    pub(super) fn label(&self) -> String {
        match self.table.provider.name() {
            "kvm" => self.stat.name.clone(),
            provider => format!("{provider} {}", self.stat.name),
        }
    }
}

/// The part of its growth that the total of a counter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    /// Everything since the start of the virtual machine.
    Start,
    /// The growth since the baseline; `None` if it is unknown.
    Baseline(Option<u128>),
}

/// The moment from which totals count.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin<'a> {
    /// At the start of the virtual machine.
    Start,
    /// At a baseline; `None` if nothing was read there.
    Baseline(Option<&'a Sample>),
}

/// Returns the statistics of a scope, in the order of the tables. `before` is the sample
/// that rates are computed from, and totals count from `origin`.
pub(super) fn rows<'a>(
    scope: &Scope,
    before: Option<&Sample>,
    after: &'a Sample,
    origin: Origin<'_>,
) -> Vec<StatRow<'a>> {
    let changes = changes(before, after);
    let grown = match origin {
        Origin::Start => None,
        Origin::Baseline(baseline) => Some(self::changes(baseline, after)),
    };
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
            let reason = is_partial.then(|| reason(&pairs, place, after)).flatten();
            let is_counted = matches!(stat.kind, Kind::Counter | Kind::Histogram);
            let grown = grown.as_ref().filter(|_| is_counted);
            rows.push(StatRow {
                table,
                stat,
                elapsed: pairs.iter().find_map(|(_, changes)| changes.elapsed),
                reason: reason.or_else(|| uncounted(grown?, place)),
                since: grown.map_or(Since::Start, |pairs| Since::Baseline(growth(pairs, place))),
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

/// Returns that the growth of some objects since the baseline is unknown.
fn uncounted(pairs: &[Pair<'_>], place: usize) -> Option<String> {
    let is_counted = |(_, changes): &&Pair<'_>| {
        matches!(
            changes.changes.get(place),
            Some(Change::Increase(_) | Change::Buckets(_))
        )
    };
    match (pairs.iter().filter(is_counted).count(), pairs.len()) {
        (counted, all) if counted == all => None,
        (0, _) => Some("cannot be counted from r".to_owned()),
        (counted, all) => Some(format!("only {counted} of {all} are counted from r")),
    }
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
