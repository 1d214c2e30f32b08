//! Objects and values of samples, as the encoder of expositions takes them.
//!
//! In: a sample's objects and values. Out: labels, and values as they are on the wire.
//! Nothing here writes text.

use qapi_stats::stats::{StatsTarget, StatsValue};
use stats_runtime::exposition::Object;

use crate::printable::printable;
use crate::sample::{ObjectId, Value};

/// Returns the label of an object: a vCPU's index, else the QOM path, else none.
#[must_use]
pub fn label(target: &StatsTarget, id: &ObjectId) -> Object {
    let index = id.index.filter(|_| *target == StatsTarget::Vcpu);
    match (
        index.and_then(|index| u64::try_from(index).ok()),
        &id.qom_path,
    ) {
        (Some(index), _) => Object::Vcpu(index),
        (None, Some(path)) => Object::Path(printable(path).into_owned()),
        (None, None) => Object::Only,
    }
}

/// Returns a value as it is on the wire; `None` if it is absent.
#[must_use]
pub fn value(value: &Value) -> Option<StatsValue> {
    owned(value.clone())
}

/// Returns a value as it is on the wire, without a copy; `None` if it is absent.
#[must_use]
pub fn owned(value: Value) -> Option<StatsValue> {
    Some(match value {
        Value::Number(number) => StatsValue::Scalar(number),
        Value::Boolean(value) => StatsValue::Boolean(value),
        Value::Buckets(counts) => {
            // A list has its highest bucket first.
            let mut counts = counts.into_vec();
            counts.reverse();
            StatsValue::List(counts)
        }
        Value::Absent => return None,
    })
}
