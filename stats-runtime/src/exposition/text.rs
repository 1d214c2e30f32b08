//! The text of families in the two forms.
//!
//! In: families and labels of the VMM's own. Out: text. This file decides neither
//! names nor numbers.

use std::fmt::{Display, Write as _};

use super::decimal::Decimal;
use super::family::{Family, Head, Kind, Object, Sample, SampleValue};
use super::names::escape;
use super::options::{Buckets, Format};

/// The last line of OpenMetrics.
pub(super) const END: &str = "# EOF\n";

/// Returns the text of a family: its metadata, and a line for each number.
pub(super) fn of_family(format: Format, labels: &[(String, String)], family: &Family) -> String {
    let mut out = String::new();
    write_metadata(&mut out, format, &family.head);
    for sample in &family.samples {
        let (all, times) = (Buckets::All, Times::default());
        write_sample(&mut out, format, labels, &family.head, sample, all, times);
    }
    out
}

/// Writes the lines of a family that come before its samples.
pub(super) fn write_metadata(out: &mut String, format: Format, family: &Head) {
    let kind = match (family.kind, format) {
        (Kind::Counter, _) => "counter",
        (Kind::Gauge, _) => "gauge",
        (Kind::Histogram, _) => "histogram",
        (Kind::Unknown, Format::OpenMetrics) => "unknown",
        (Kind::Unknown, Format::Prometheus) => "untyped",
    };
    let mut name = family.name.clone();
    if let (Kind::Counter, Format::Prometheus) = (family.kind, format) {
        name.push_str("_total");
    }
    push(out, format_args!("# TYPE {name} {kind}\n"));
    if let (Some(unit), Format::OpenMetrics) = (&family.unit, format) {
        push(out, format_args!("# UNIT {name} {unit}\n"));
    }
    push(out, format_args!("# HELP {name} "));
    escape(&family.help, format == Format::OpenMetrics, out);
    out.push('\n');
}

/// Times that belong to a value, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Times {
    /// The time of the reading, which is the timestamp of each line.
    pub(super) read: Option<Decimal>,
    /// The time at which a counter or a histogram was zero.
    pub(super) created: Option<Decimal>,
}

/// Writes a line for each number of a sample.
pub(super) fn write_sample(
    out: &mut String,
    format: Format,
    labels: &[(String, String)],
    family: &Head,
    sample: &Sample,
    buckets: Buckets,
    times: Times,
) {
    let labels = labels_text(labels, &sample.object);
    let mut line = |suffix: &str, bound: Option<&str>, value: &dyn Display| {
        out.push_str(&family.name);
        out.push_str(suffix);
        match bound {
            Some(bound) if labels.is_empty() => push(out, format_args!("{{le=\"{bound}\"}}")),
            Some(bound) => push(out, format_args!("{{{labels},le=\"{bound}\"}}")),
            None if labels.is_empty() => {}
            None => push(out, format_args!("{{{labels}}}")),
        }
        push(out, format_args!(" {value}"));
        if let Some(seconds) = times.read {
            push(out, format_args!(" {seconds}"));
        }
        out.push('\n');
    };
    match &sample.value {
        SampleValue::Number(number) if family.kind == Kind::Counter => line("_total", None, number),
        SampleValue::Number(number) => line("", None, number),
        SampleValue::Histogram {
            bounds,
            counts,
            sum,
        } => {
            let mut total = 0u128;
            for (index, count) in counts.iter().enumerate() {
                total += u128::from(*count);
                match bounds.get(index) {
                    Some(bound) if buckets.has(index) => {
                        line("_bucket", Some(&bound.bound()), &total);
                    }
                    Some(_) => {}
                    None => line("_bucket", Some("+Inf"), &total),
                }
            }
            // OpenMetrics 1.0 has a count if and only if there is a sum.
            if sum.is_some() || format == Format::Prometheus {
                line("_count", None, &total);
            }
            if let Some(sum) = sum {
                line("_sum", None, sum);
            }
        }
    }
    let is_created = matches!(family.kind, Kind::Counter | Kind::Histogram);
    if let Some(created) = { times.created }.filter(|_| is_created)
        && format == Format::OpenMetrics
    {
        line("_created", None, &created);
    }
}

/// Returns the labels of a sample without the brackets.
fn labels_text(labels: &[(String, String)], object: &Object) -> String {
    let mut out = String::new();
    let mut label = |name: &str, value: &str| {
        if !out.is_empty() {
            out.push(',');
        }
        push(&mut out, format_args!("{name}=\""));
        escape(value, true, &mut out);
        out.push('"');
    };
    for (name, value) in labels {
        label(name, value);
    }
    match object {
        Object::Only => {}
        Object::Vcpu(index) => label("vcpu", &index.to_string()),
        Object::Path(path) => label("qom_path", path),
    }
    out
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = out.write_fmt(text);
}
