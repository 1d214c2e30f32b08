//! The vCPUs of a virtual machine that were unplugged.
//!
//! In: an answer and the sample that follows it. Out: the values that sums over vCPUs keep.
//! Nothing here asks a monitor.

use qapi_stats::stats::StatsTarget;

use super::answer::Answer;
use crate::sample::{Object, Sample};

/// The number of unplugged vCPUs whose values are kept.
const UNPLUGGED_MAX: usize = 4096;

/// Returns the last values of the vCPUs that were unplugged, so that sums do not go back: a
/// scraper would take that for a reset, and count everything again.
pub(super) fn unplugged(
    last: Option<&Answer>,
    sample: &Sample,
    started: Option<u64>,
) -> Vec<Object> {
    // Another process counts from zero.
    let Some(last) = last.filter(|last| last.started == started) else {
        return Vec::new();
    };
    let vcpus = |sample: &Sample| -> Vec<Object> {
        let objects = sample.objects.iter();
        let vcpus = objects.filter(|object| object.table.target == StatsTarget::Vcpu);
        vcpus.cloned().collect()
    };
    let mut unplugged = last.unplugged.clone();
    let is_same = |(one, other): (&Object, &Object)| one.is(other);
    let (before, after) = (&last.sample.objects, &sample.objects);
    if before.len() == after.len() && before.iter().zip(after).all(is_same) {
        return unplugged;
    }
    let (before, after) = (vcpus(&last.sample), vcpus(sample));
    unplugged.extend(before.into_iter().filter(|object| {
        let of_provider = |other: &&Object| other.table.provider == object.table.provider;
        let mut others = after.iter().filter(of_provider).peekable();
        // Without any vCPU, the provider refused, and its values are absent.
        others.peek().is_some() && !others.any(|other| other.is(object))
    }));
    let excess = unplugged.len().saturating_sub(UNPLUGGED_MAX);
    unplugged.drain(..excess);
    unplugged
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use qapi_stats::stats::{StatsSchema, StatsSchemaValue};

    use super::*;
    use crate::sample::{Identity, ObjectId, Table, Timestamp, Value, Window};

    fn sample(indexes: &[i64]) -> Sample {
        let now = Timestamp(0);
        let window = Window {
            begin: now,
            end: now,
        };
        let table = Arc::new(Table::new(StatsSchema {
            provider: "kvm".into(),
            target: StatsTarget::Vcpu,
            stats: vec![StatsSchemaValue::cumulative("exits")],
        }));
        let objects = indexes.iter().map(|index| Object {
            table: Arc::clone(&table),
            id: ObjectId {
                index: Some(*index),
                qom_path: None,
            },
            window,
            values: vec![Value::Number(5)],
        });
        Sample {
            window,
            run: 0,
            objects: objects.collect(),
            absences: Vec::new(),
        }
    }

    fn answer(indexes: &[i64], unplugged: Vec<Object>) -> Answer {
        Answer {
            identity: Identity::default(),
            vcpus: None,
            process: None,
            started: Some(1),
            sample: sample(indexes),
            unplugged,
            duration: Duration::ZERO,
            left_out: 0,
        }
    }

    #[test]
    fn unplugged_vcpus_are_kept_until_the_process_ends() {
        let ids = |objects: &[Object]| -> Vec<_> {
            objects.iter().map(|object| object.id.index).collect()
        };
        let last = answer(&[0, 1, 2], Vec::new());
        let kept = unplugged(Some(&last), &sample(&[0, 2]), Some(1));
        assert_eq!(ids(&kept), [Some(1)]);
        // It was plugged in again, and counts from zero.
        let last = answer(&[0, 2], kept);
        let kept = unplugged(Some(&last), &sample(&[0, 1, 2]), Some(1));
        assert_eq!(ids(&kept), [Some(1)]);
        let last = answer(&[0, 1, 2], kept);
        assert!(unplugged(Some(&last), &sample(&[0]), Some(2)).is_empty());
        // A provider that refuses has unplugged nothing.
        let last = answer(&[0, 1], Vec::new());
        assert!(unplugged(Some(&last), &sample(&[]), Some(1)).is_empty());
    }
}
