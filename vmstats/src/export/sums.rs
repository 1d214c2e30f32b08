//! Values of all vCPUs of a virtual machine as one.
//!
//! In: the values of one statistic. Out: their sum, number or maximum, or nothing if it
//! would not be exact. No absent value counts as zero.

use crate::sample::{Kind, Value};

/// Combines the values of a statistic. Returns `None` if a value is absent or not one of
/// the kind, if the result is too large, or without values.
pub(super) fn combine<'a>(
    kind: Kind,
    values: impl IntoIterator<Item = Option<&'a Value>>,
) -> Option<Value> {
    let mut values = values.into_iter();
    let mut total = unit(kind, values.next()??)?;
    for value in values {
        total = add(kind, total, unit(kind, value?)?)?;
    }
    Some(match total {
        Total::Number(number) => Value::Number(number),
        Total::Buckets(counts) => Value::Buckets(counts.into()),
    })
}

enum Total {
    Number(u64),
    /// The lowest bucket first.
    Buckets(Vec<u64>),
}

fn unit(kind: Kind, value: &Value) -> Option<Total> {
    match (kind, value) {
        (Kind::Boolean, Value::Boolean(value)) => Some(Total::Number(u64::from(*value))),
        // The kernel's truth values are numbers on the wire.
        (Kind::Boolean, Value::Number(value @ 0..=1))
        | (Kind::Counter | Kind::Gauge | Kind::Peak, Value::Number(value)) => {
            Some(Total::Number(*value))
        }
        (Kind::Histogram, Value::Buckets(counts)) => Some(Total::Buckets(counts.to_vec())),
        // A histogram of one bucket is a number on the wire.
        (Kind::Histogram, Value::Number(count)) => Some(Total::Buckets(vec![*count])),
        _ => None,
    }
}

fn add(kind: Kind, total: Total, value: Total) -> Option<Total> {
    match (total, value) {
        (Total::Number(total), Total::Number(value)) if kind == Kind::Peak => {
            Some(Total::Number(total.max(value)))
        }
        (Total::Number(total), Total::Number(value)) => {
            Some(Total::Number(total.checked_add(value)?))
        }
        // The last bucket counts what is above all bounds, so that buckets of another
        // number count other things.
        (Total::Buckets(mut total), Total::Buckets(value)) if total.len() == value.len() => {
            for (total, value) in total.iter_mut().zip(value) {
                *total = total.checked_add(value)?;
            }
            Some(Total::Buckets(total))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(kind: Kind, values: &[Value], expected: Option<Value>) {
        assert_eq!(combine(kind, values.iter().map(Some)), expected);
    }

    #[test]
    fn values_are_combined_by_their_kind() {
        let number = Value::Number;
        let numbers = [Value::Number(1), Value::Number(4)];
        check(Kind::Counter, &numbers, Some(number(5)));
        check(Kind::Peak, &numbers, Some(number(4)));
        check(Kind::Unknown, &numbers, None);
        let truth = [Value::Boolean(true), Value::Number(1), Value::Number(0)];
        check(Kind::Boolean, &truth, Some(number(2)));
        let buckets = |counts: &[u64]| Value::Buckets(counts.into());
        let histograms = [buckets(&[1, 2]), buckets(&[10, 20])];
        check(Kind::Histogram, &histograms, Some(buckets(&[11, 22])));
    }

    #[test]
    fn sum_is_absent_when_it_would_not_be_exact() {
        check(Kind::Counter, &[], None);
        check(Kind::Counter, &[Value::Number(1), Value::Absent], None);
        check(
            Kind::Counter,
            &[Value::Number(u64::MAX), Value::Number(1)],
            None,
        );
        let buckets = |counts: &[u64]| Value::Buckets(counts.into());
        check(Kind::Histogram, &[buckets(&[1]), buckets(&[1, 2])], None);
        check(Kind::Boolean, &[Value::Number(2)], None);
        assert_eq!(
            combine(Kind::Counter, [Some(&Value::Number(1)), None]),
            None
        );
    }
}
