//! The names of metrics and labels.
//!
//! In: names of providers, targets, statistics and units. Out: names that
//! Prometheus accepts, and escaped texts. This file knows no values.

use qapi_stats::stats::{StatsSchemaValue, StatsType, StatsUnit};

/// Returns whether a label's name may be written: labels of this crate and of
/// Prometheus itself are refused.
pub(super) fn is_free_label(name: &str) -> bool {
    is_label(name)
        && !name.starts_with("__")
        && !["le", "quantile", "vcpu", "qom_path"].contains(&name)
}

/// Returns whether a text is a valid prefix of a metric name.
pub(super) fn is_prefix(prefix: &str) -> bool {
    is_label(prefix)
}

fn is_label(name: &str) -> bool {
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    name.bytes().all(is_valid)
        && name
            .bytes()
            .next()
            .is_some_and(|byte| !byte.is_ascii_digit())
}

/// Returns the name with an underscore for each character that a metric's name
/// cannot have.
pub(super) fn sanitized(name: &str) -> String {
    let sanitized = |character: char| match character {
        'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => character,
        _ => '_',
    };
    name.chars().map(sanitized).collect()
}

/// Returns the unit that ends the names of a statistic's metrics: the unit without
/// a prefix, into which values are converted.
pub(super) fn unit(stat: &StatsSchemaValue) -> Option<String> {
    match stat.unit.as_ref()? {
        StatsUnit::Boolean => None,
        unit => Some(sanitized(unit.name())).filter(|unit| !unit.is_empty()),
    }
}

/// Returns a statistic's part of the name of its family: sanitized, and with its
/// unit at the end.
pub(super) fn stem(stat: &StatsSchemaValue) -> String {
    let stem = base(stat);
    match unit(stat) {
        Some(unit) if without(&stem, &format!("_{unit}")) == stem => format!("{stem}_{unit}"),
        _ => stem,
    }
}

/// Returns the sanitized name of a statistic without what its type and unit say.
pub(super) fn base(stat: &StatsSchemaValue) -> String {
    let name = sanitized(&stat.name);
    let mut base = name.as_str();
    if stat.type_ == StatsType::Cumulative {
        base = without(base, "_total");
    }
    let prefixed = match (&stat.unit, stat.base, stat.exponent) {
        (Some(StatsUnit::Seconds), Some(10), -9) => "_ns",
        (Some(StatsUnit::Seconds), Some(10), -6) => "_us",
        (Some(StatsUnit::Seconds), Some(10), -3) => "_ms",
        _ => "",
    };
    without(base, prefixed).to_owned()
}

/// Returns a name without its end, unless nothing else is in the name.
fn without<'n>(name: &'n str, end: &str) -> &'n str {
    match name.strip_suffix(end) {
        Some("") | None => name,
        Some(rest) => rest,
    }
}

/// Returns whether the statistic called `sum` is the sum of what the histogram
/// called `histogram` counts: `halt_wait_ns` of `halt_wait_hist`, or `latency-sum`
/// of `latency`.
pub(super) fn is_sum_of(sum: &str, histogram: &str) -> bool {
    let ends = ["-hist", "_hist", "-histogram", "_histogram"];
    let stem = ends
        .iter()
        .find_map(|end| histogram.strip_suffix(end))
        .unwrap_or(histogram);
    let Some(end) = sum.strip_prefix(stem) else {
        return false;
    };
    let end = end.strip_prefix(['-', '_']).unwrap_or(end);
    ["sum", "ns", "us", "ms"].contains(&end) || (end.is_empty() && stem != histogram)
}

/// Writes a text with a backslash before each backslash and quote, and `\n` for
/// each line feed.
pub(super) fn escape(text: &str, escapes_quotes: bool, out: &mut String) {
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '"' if escapes_quotes => out.push_str("\\\""),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, type_: StatsType, unit: Option<StatsUnit>, exponent: i16, expected: &str) {
        let stat = StatsSchemaValue::new(name, type_)
            .in_unit(unit)
            .scaled((exponent != 0).then_some(10), exponent);
        assert_eq!(stem(&stat), expected);
    }

    #[test]
    fn stem_ends_with_the_unit_and_has_no_prefix_of_units() {
        use StatsType::{Cumulative, Instant, Log2Histogram};
        use StatsUnit::{Boolean, Bytes, Seconds};
        check("exits", Cumulative, None, 0, "exits");
        check("exits_total", Cumulative, None, 0, "exits");
        check("pages_total", Instant, None, 0, "pages_total");
        check(
            "halt_wait_ns",
            Cumulative,
            Some(Seconds),
            -9,
            "halt_wait_seconds",
        );
        check(
            "halt_wait_ns",
            Cumulative,
            Some(Seconds),
            -6,
            "halt_wait_ns_seconds",
        );
        check(
            "halt_wait_hist",
            Log2Histogram,
            Some(Seconds),
            -9,
            "halt_wait_hist_seconds",
        );
        check("ns", Instant, Some(Seconds), -9, "ns_seconds");
        check("_ns", Instant, Some(Seconds), -9, "_ns_seconds");
        check("read-bytes", Cumulative, Some(Bytes), 0, "read_bytes");
        check("blocking", Instant, Some(Boolean), 0, "blocking");
        check("größe", Instant, None, 0, "gr__e");
        check(
            "heat",
            Instant,
            Some(StatsUnit::Unknown("°C".into())),
            0,
            "heat__C",
        );
    }

    #[test]
    fn sums_are_found_by_their_names() {
        assert!(is_sum_of("halt_wait_ns", "halt_wait_hist"));
        assert!(is_sum_of("halt_wait", "halt_wait_hist"));
        assert!(is_sum_of("latency-sum", "latency"));
        assert!(is_sum_of("latency-us", "latency-histogram"));
        assert!(!is_sum_of("latency", "latency"));
        assert!(!is_sum_of("latency-max", "latency-hist"));
        assert!(!is_sum_of("halt_poll_success_ns", "halt_poll_hist"));
    }

    #[test]
    fn labels_of_the_format_are_refused() {
        assert!(is_free_label("vm"));
        for name in [
            "", "le", "vcpu", "qom_path", "quantile", "__name__", "0", "a-b", "é",
        ] {
            assert!(!is_free_label(name), "{name}");
        }
    }
}
