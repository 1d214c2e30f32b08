//! Statistics as text for people.
//!
//! In: typed results and schemas. Out: text in the form of QEMU's `info stats`,
//! with one difference: no value is shown as negative.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;

use qapi_stats::stats::{StatsResult, StatsSchemaValue, StatsType, StatsValue};

/// Appends the statistics of one object.
pub(super) fn result(
    text: &mut String,
    result: &StatsResult,
    schema: &[StatsSchemaValue],
    shows_provider: bool,
) {
    if shows_provider {
        line(text, format_args!("provider: {}", result.provider));
    }
    // Statistics of one name are described in the order of their values.
    let mut descriptions: HashMap<&str, VecDeque<&StatsSchemaValue>> = HashMap::new();
    for description in schema {
        let named = descriptions.entry(&description.name).or_default();
        named.push_back(description);
    }
    for stat in &result.stats {
        let named = descriptions.get_mut(stat.name.as_str());
        let Some(description) = named.and_then(VecDeque::pop_front) else {
            line(
                text,
                format_args!("failed to find schema entry for {}", stat.name),
            );
            continue;
        };
        let (label, value) = (label(description), value(&stat.value));
        line(text, format_args!("    {label}: {value}"));
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Ignore the result, because writing to a String cannot fail.
    let _ = write!(text, "{content}\r\n");
}

fn value(value: &StatsValue) -> String {
    match value {
        StatsValue::Scalar(number) => number.to_string(),
        StatsValue::Boolean(true) => "yes".to_owned(),
        StatsValue::Boolean(false) => "no".to_owned(),
        StatsValue::List(numbers) => {
            let mut text = String::new();
            for (number, index) in numbers.iter().zip(1..) {
                let _ = write!(text, "[{index}]={number} ");
            }
            text
        }
    }
}

/// Returns `NAME (TYPE[, QUANTITY][, bucket size=N])`.
fn label(description: &StatsSchemaValue) -> String {
    let mut label = format!("{} ({}", description.name, description.type_);
    let quantity = description.quantity();
    if !quantity.is_plain() {
        let _ = write!(label, ", {quantity}");
    }
    if let (StatsType::LinearHistogram, Some(width)) = (&description.type_, description.bucket_size)
    {
        let _ = write!(label, ", bucket size={width}");
    }
    label.push(')');
    label
}

#[cfg(test)]
mod tests {
    use qapi_stats::stats::StatsUnit;

    use super::*;

    #[test]
    fn render_writes_labels_and_values_as_qemu_does() {
        let meaning = StatsSchemaValue::new("h", StatsType::LinearHistogram)
            .in_unit(StatsUnit::Seconds)
            .scaled(10, -9)
            .with_bucket_size(500);
        assert_eq!(label(&meaning), "h (linear-histogram, ns, bucket size=500)");
        assert_eq!(value(&StatsValue::List(vec![3, 2])), "[1]=3 [2]=2 ");
        assert_eq!(value(&StatsValue::List(Vec::new())), "");
        assert_eq!(value(&StatsValue::Scalar(u64::MAX)), "18446744073709551615");
        assert_eq!(value(&StatsValue::Boolean(true)), "yes");
    }
}
