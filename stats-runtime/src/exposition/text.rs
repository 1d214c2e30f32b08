//! The text of families in the two forms.
//!
//! In: families and labels of the VMM's own. Out: text. This file decides neither
//! names nor numbers.

use std::fmt::{Display, Write as _};

use super::decimal::Decimal;
use super::family::{Family, Head, Kind, Object, Sample, SampleValue};
use super::names::escape;
use super::options::Format;

/// The last line of OpenMetrics.
pub(super) const END: &str = "# EOF\n";

/// Returns the text of a family: its metadata, and a line for each number.
pub(super) fn of_family(format: Format, labels: &[(String, String)], family: &Family) -> String {
    let mut out = String::new();
    write_metadata(&mut out, format, &family.head);
    for sample in &family.samples {
        write_sample(&mut out, format, labels, &family.head, sample, None);
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

/// Writes a line for each number of a sample, with a timestamp in seconds if there is
/// one.
pub(super) fn write_sample(
    out: &mut String,
    format: Format,
    labels: &[(String, String)],
    family: &Head,
    sample: &Sample,
    seconds: Option<Decimal>,
) {
    let mut line = |suffix: &str, bound: Option<&str>, value: &dyn Display| {
        out.push_str(&family.name);
        out.push_str(suffix);
        write_labels(out, labels, &sample.object, bound);
        push(out, format_args!(" {value}"));
        if let Some(seconds) = seconds {
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
            let mut bounds = bounds.iter();
            let mut total = 0u128;
            for count in counts {
                total += u128::from(*count);
                let bound = match bounds.next() {
                    Some(bound) => bound.bound(),
                    None => "+Inf".to_owned(),
                };
                line("_bucket", Some(&bound), &total);
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
}

fn write_labels(
    out: &mut String,
    labels: &[(String, String)],
    object: &Object,
    bound: Option<&str>,
) {
    let mut before = '{';
    let mut label = |name: &str, value: &str| {
        out.push(before);
        before = ',';
        push(out, format_args!("{name}=\""));
        escape(value, true, out);
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
    if let Some(bound) = bound {
        label("le", bound);
    }
    if before == ',' {
        out.push('}');
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing into a String cannot fail.
    let _ = out.write_fmt(text);
}
