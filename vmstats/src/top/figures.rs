//! The figures of a virtual machine and of its vCPUs in one interval.
//!
//! In: two samples. Out: a number for each column of the list, and sentences about what
//! happened between the samples. This file knows nothing of screens.

use std::collections::BTreeSet;

use qapi_stats::stats::StatsTarget;

use super::column::Column;
use crate::rates::{
    Amount, Comparison, Life, ObjectChanges, TimeShare, aggregate, compare, percentile,
};
use crate::sample::{Object, ObjectId, Sample, Stat, Value};
use crate::source::{RUN, RUN_DELAY, SCHED};

/// A number for each column; `None` if it was not read.
pub(super) type Numbers = Box<[Option<f64>]>;

/// The figures of one interval.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figures {
    /// The numbers of the virtual machine.
    pub(super) vm: Numbers,
    /// The numbers of each vCPU, in the order of their indexes.
    pub(super) vcpus: Vec<(ObjectId, Numbers)>,
    /// Sentences about what happened in the interval.
    pub(super) notes: Vec<String>,
    /// True if counters began again in the interval.
    pub(super) has_reset: bool,
}

/// An object, and its changes since the sample before.
pub(super) type Pair<'a> = (&'a Object, &'a ObjectChanges);

/// Returns the identity by which a vCPU is the same for each provider: the index, if
/// there is one.
pub(super) fn vcpu_id(id: &ObjectId) -> ObjectId {
    match id.index {
        Some(index) => ObjectId {
            index: Some(index),
            qom_path: None,
        },
        None => id.clone(),
    }
}

/// Returns the vCPUs of a sample, each once.
pub(super) fn vcpus(sample: &Sample) -> BTreeSet<ObjectId> {
    let objects = sample.objects.iter();
    objects
        .filter(|object| object.table.target == StatsTarget::Vcpu)
        .map(|object| vcpu_id(&object.id))
        .collect()
}

/// Computes the figures of a sample, compared with the one before if there is one.
pub(super) fn figures(columns: &[Column], before: Option<&Sample>, after: &Sample) -> Figures {
    let comparison = match before {
        Some(before) => compare(before, after),
        None => Comparison {
            is_restarted: false,
            objects: after.objects.iter().map(crate::rates::begin).collect(),
            gone: Vec::new(),
        },
    };
    let pairs: Vec<Pair<'_>> = after.objects.iter().zip(&comparison.objects).collect();
    let ids = vcpus(after);
    let mut of_vm = numbers(columns, &pairs);
    for (number, column) in of_vm.iter_mut().zip(columns) {
        match column {
            Column::Vcpus => *number = Some(count(ids.len())),
            Column::Query => *number = Some(after.window.length().as_secs_f64() * 1e9),
            _ => {}
        }
    }
    let of_vcpus = ids.into_iter().map(|id| {
        let own: Vec<Pair<'_>> = pairs
            .iter()
            .filter(|(object, _)| is_vcpu(object, &id))
            .copied()
            .collect();
        let numbers = numbers(columns, &own);
        (id, numbers)
    });
    Figures {
        vm: of_vm,
        vcpus: of_vcpus.collect(),
        has_reset: comparison.is_restarted || { comparison.objects.iter() }
            .any(|changes| changes.life == Life::Reset),
        notes: match before {
            Some(_) => notes(&comparison, &pairs),
            None => Vec::new(),
        },
    }
}

/// Returns whether an object has statistics of this vCPU.
pub(super) fn is_vcpu(object: &Object, id: &ObjectId) -> bool {
    object.table.target == StatsTarget::Vcpu && vcpu_id(&object.id) == *id
}

fn numbers(columns: &[Column], pairs: &[Pair<'_>]) -> Numbers {
    let of_column = columns.iter().map(|column| match column {
        Column::Stat(name) => combine(pairs, name).map(|(_, amount)| number(&amount)),
        Column::Steal => share(pairs, RUN_DELAY),
        Column::Run => share(pairs, RUN),
        Column::Halt => share(pairs, "halt_wait_ns"),
        Column::Wait => match combine(pairs, "halt_wait_hist")?.1 {
            Amount::Histogram { increases, .. } => percentile(&increases, 0.99).map(count),
            _ => None,
        },
        Column::Name | Column::Vcpus | Column::Query | Column::Trend | Column::State => None,
    });
    of_column.collect()
}

/// Combines a statistic over the objects of the first provider that has it.
pub(super) fn combine<'a>(pairs: &[Pair<'a>], name: &str) -> Option<(&'a Stat, Amount)> {
    let has = |(object, _): &&Pair<'a>| object.table.position(name).is_some();
    let (first, _) = pairs.iter().find(has)?;
    let (target, provider) = (&first.table.target, &first.table.provider);
    let place = first.table.position(name)?;
    let of_provider = pairs
        .iter()
        .copied()
        .filter(|(object, _)| object.table.target == *target && object.table.provider == *provider);
    let combined = aggregate(of_provider, place)?;
    Some((first.table.stats.get(place)?, combined.amount))
}

/// Returns the number by which amounts are sorted and drawn.
#[expect(clippy::cast_precision_loss, reason = "a number for the eye")]
pub(super) fn number(amount: &Amount) -> f64 {
    match amount {
        Amount::Count { per_second, .. } | Amount::Histogram { per_second, .. } => *per_second,
        Amount::Sum(sum) => *sum as f64,
        Amount::True(true_count) => *true_count as f64,
        Amount::Highest(highest) => *highest as f64,
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn count(number: usize) -> f64 {
    number as f64
}

/// Returns the percentage of their time that vCPUs spent in a state, which a counter of
/// nanoseconds measures.
fn share(pairs: &[Pair<'_>], name: &str) -> Option<f64> {
    let mut share = TimeShare::default();
    for (object, changes) in pairs {
        share.add(object, changes, name);
    }
    share.share().map(|share| 100.0 * share)
}

/// Returns sentences about the events between two samples.
fn notes(comparison: &Comparison<'_>, pairs: &[Pair<'_>]) -> Vec<String> {
    if comparison.is_restarted {
        return vec!["restarted".to_owned()];
    }
    // Ignore the objects of steal: they vanish whenever a thread cannot be read, which is
    // not a hotplug.
    let is_told = |object: &Object| object.table.provider.name() != SCHED;
    let (mut plugged, mut reset) = (Vec::new(), Vec::new());
    for (object, changes) in pairs.iter().filter(|(object, _)| is_told(object)) {
        match changes.life {
            Life::Continues => {}
            Life::Appeared => plugged.push(subject(object)),
            Life::Reset => reset.push(subject(object)),
        }
    }
    let gone = comparison.gone.iter().filter(|object| is_told(object));
    let unplugged = gone.map(|object| subject(object)).collect();
    let events = [
        (plugged, "plugged in"),
        (reset, "reset"),
        (unplugged, "unplugged"),
    ];
    let notes = events.into_iter().filter_map(|(mut subjects, event)| {
        subjects.dedup();
        match subjects.as_slice() {
            [] => None,
            [one] => Some(format!("{one} {event}")),
            [first, others @ ..] => Some(format!("{first} and {} more {event}", others.len())),
        }
    });
    notes.collect()
}

fn subject(object: &Object) -> String {
    match &object.table.target {
        StatsTarget::Vm => "VM".to_owned(),
        StatsTarget::Vcpu => format!("vCPU {}", object.id),
        target => format!("{target} {}", object.id),
    }
}

/// Returns the value of a series that has no rate, for a drawing.
#[expect(clippy::cast_precision_loss, reason = "a number for the eye")]
pub(super) fn level(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number as f64),
        Value::Boolean(value) => Some(f64::from(u8::from(*value))),
        Value::Buckets(_) | Value::Absent => None,
    }
}
