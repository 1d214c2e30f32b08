//! Values as numbers, for protocols that are not text.
//!
//! In: a family and a sample. Out: numbers in the family's unit, rounded to what a `f64`
//! can have, and integers exactly. This file knows no protocol.

use super::decimal::Decimal;
use super::family::{Head, Kind, SampleValue};
use super::options::Buckets;

/// The type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MetricKind {
    /// A number that only grows.
    Counter,
    /// A number that goes up and down, or of an unknown type.
    Gauge,
    /// Counts of buckets.
    Histogram,
}

/// The description of a metric.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Description<'a> {
    /// The name of the family, which no other one has; without the `_total` of a counter.
    pub name: &'a str,
    /// The type.
    pub kind: MetricKind,
    /// The name of the unit without a prefix, such as `seconds`.
    pub unit: Option<&'a str>,
    /// True if all values in the unit are integers.
    pub is_integer: bool,
    /// The help.
    pub help: &'a str,
}

/// A value in the unit of its metric.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reading {
    /// A number.
    Number {
        /// The number, rounded.
        value: f64,
        /// The number itself, if it is an integer below 2^64.
        integer: Option<u64>,
    },
    /// A histogram.
    Histogram {
        /// The highest value of each bucket but the last, which has no bound.
        bounds: Vec<f64>,
        /// The count of each bucket.
        counts: Vec<u64>,
        /// The sum of the values, rounded, if it is known.
        sum: Option<f64>,
    },
}

impl<'a> Description<'a> {
    pub(super) fn of(head: &'a Head) -> Self {
        let kind = match head.kind {
            Kind::Counter => MetricKind::Counter,
            Kind::Gauge | Kind::Unknown => MetricKind::Gauge,
            Kind::Histogram => MetricKind::Histogram,
        };
        Self {
            name: &head.name,
            kind,
            is_integer: head.scale.is_integer(),
            unit: head.unit.as_deref(),
            help: &head.help,
        }
    }
}

/// Returns a value with the chosen buckets; `None` if the counts of several buckets are
/// too large for one.
pub(super) fn reading(value: &SampleValue, buckets: Buckets) -> Option<Reading> {
    Some(match value {
        SampleValue::Number(number) => Reading::Number {
            value: rounded(*number),
            integer: number.to_string().parse().ok(),
        },
        SampleValue::Histogram {
            bounds,
            counts,
            sum,
        } => {
            let mut kept = Vec::new();
            let mut merged = Vec::new();
            let mut pending = 0u64;
            for (index, count) in counts.iter().enumerate() {
                pending = pending.checked_add(*count)?;
                let bound = bounds.get(index);
                if let Some(bound) = bound.filter(|_| buckets.has(index)) {
                    kept.push(rounded(*bound));
                }
                if bound.is_none() || buckets.has(index) {
                    merged.push(std::mem::take(&mut pending));
                }
            }
            Reading::Histogram {
                bounds: kept,
                counts: merged,
                sum: sum.map(rounded),
            }
        }
    })
}

/// Returns the nearest `f64`. The text is parsed because only that rounds once.
fn rounded(number: Decimal) -> f64 {
    // A decimal number is always one that can be parsed.
    number.to_string().parse().unwrap_or(f64::NAN)
}
