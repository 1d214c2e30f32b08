//! Numbers as people read them.
//!
//! In: a value or the bounds of a bucket, and the schema of the statistic. Out:
//! text with grouped digits and a scaled unit. Nothing here is for programs.

use qapi_stats::stats::{StatsSchemaValue, StatsUnit, StatsValue};

/// The prefixes of seconds, with the power of ten of each.
const SECONDS: [(i32, &str); 7] = [
    (-18, "as"),
    (-15, "fs"),
    (-12, "ps"),
    (-9, "ns"),
    (-6, "µs"),
    (-3, "ms"),
    (0, "s"),
];

/// The prefixes of bytes, with the power of two of each.
const BYTES: [(i32, &str); 7] = [
    (0, "B"),
    (10, "KiB"),
    (20, "MiB"),
    (30, "GiB"),
    (40, "TiB"),
    (50, "PiB"),
    (60, "EiB"),
];

/// The number of digits of a scaled value, and of the bound of a bucket.
const VALUE_DIGITS: usize = 4;
const BOUND_DIGITS: usize = 3;

/// Returns a number with its digits in groups of three.
#[must_use]
pub fn grouped(number: impl Into<u128>) -> String {
    group_digits(&number.into().to_string())
}

/// Returns the value of a statistic with its unit. Without a schema, a value is a
/// plain number.
#[must_use]
pub fn amount(value: u64, meaning: Option<&StatsSchemaValue>) -> String {
    let Some(meaning) = meaning else {
        return grouped(value);
    };
    if is_count(meaning) {
        return grouped(value);
    }
    let measure = Measure::of(value, meaning);
    let scale = Scale::of(measure, meaning);
    format!("{}{}", scale.number(measure, VALUE_DIGITS), scale.unit)
}

/// Returns a rate with its unit per second, such as `1,234` or `12.5 ms/s`. Without a
/// schema, a rate is a plain number.
#[must_use]
pub fn rate(per_second: f64, meaning: Option<&StatsSchemaValue>) -> String {
    let Some(meaning) = meaning.filter(|meaning| !is_count(meaning)) else {
        return Scale::plain().number(Measure(per_second), VALUE_DIGITS);
    };
    format!("{}/s", mean(per_second, Some(meaning)))
}

/// Returns a mean of values with its unit. Without a schema, a mean is a plain number.
#[must_use]
pub fn mean(value: f64, meaning: Option<&StatsSchemaValue>) -> String {
    let Some(meaning) = meaning.filter(|meaning| !is_count(meaning)) else {
        return Scale::plain().number(Measure(value), VALUE_DIGITS);
    };
    let measure = Measure::scaled(value, meaning);
    let scale = Scale::of(measure, meaning);
    format!("{}{}", scale.number(measure, VALUE_DIGITS), scale.unit)
}

/// Returns the range of values that a histogram's bucket counts, with one unit for
/// both bounds. The bucket with the index 0 is the lowest. Returns the index in
/// brackets if the schema has no such bucket.
#[must_use]
pub fn bucket(meaning: &StatsSchemaValue, index: usize, count: usize) -> String {
    let Some(bounds) = meaning.bucket_bounds(index, count) else {
        return format!("[{index}]");
    };
    let larger = bounds.upper.unwrap_or(bounds.lower);
    if is_count(meaning) {
        return match bounds.upper {
            Some(upper) => format!("{}–{}", grouped(bounds.lower), grouped(upper)),
            None => format!("≥ {}", grouped(bounds.lower)),
        };
    }
    let scale = Scale::of(Measure::of(larger, meaning), meaning);
    let number = |bound| scale.number(Measure::of(bound, meaning), BOUND_DIGITS);
    match bounds.upper {
        Some(upper) => format!("{}–{}{}", number(bounds.lower), number(upper), scale.unit),
        None => format!("≥ {}{}", number(bounds.lower), scale.unit),
    }
}

/// Returns the text of a value outside of histograms.
#[must_use]
pub fn value(value: &StatsValue, meaning: Option<&StatsSchemaValue>) -> String {
    match value {
        StatsValue::Scalar(number) => amount(*number, meaning),
        StatsValue::Boolean(true) => "yes".to_owned(),
        StatsValue::Boolean(false) => "no".to_owned(),
        StatsValue::List(_) => {
            let values = value.lowest_first();
            let values: Vec<String> = values.iter().map(|value| amount(*value, meaning)).collect();
            values.join(" ")
        }
    }
}

/// Returns whether the values have neither a unit nor an exponent.
fn is_count(meaning: &StatsSchemaValue) -> bool {
    meaning.quantity().is_plain() || meaning.unit == Some(StatsUnit::Boolean)
}

/// A value in units without a prefix.
#[derive(Clone, Copy)]
struct Measure(f64);

impl Measure {
    #[expect(clippy::cast_precision_loss, reason = "the text has four digits")]
    fn of(value: u64, meaning: &StatsSchemaValue) -> Self {
        Self::scaled(value as f64, meaning)
    }

    fn scaled(value: f64, meaning: &StatsSchemaValue) -> Self {
        let (base, exponent) = (meaning.base.unwrap_or(10), i32::from(meaning.exponent));
        // Divide by a positive power, because 10^-9 is not exact.
        let power = f64::from(base).powi(exponent.abs());
        Self(if exponent < 0 {
            value / power
        } else {
            value * power
        })
    }
}

/// A unit with its prefix.
struct Scale {
    divisor: f64,
    /// The unit after a blank; empty for a plain number.
    unit: String,
}

impl Scale {
    /// Chooses the largest prefix with which the measure is at least 1.
    fn of(measure: Measure, meaning: &StatsSchemaValue) -> Self {
        // Round first, so that 999.99 µs becomes 1 ms rather than 1,000 µs.
        let measure = rounded(measure.0, VALUE_DIGITS);
        match &meaning.unit {
            Some(StatsUnit::Seconds) => Self::largest(measure, 10.0, &SECONDS, "s"),
            Some(StatsUnit::Bytes) => Self::largest(measure, 2.0, &BYTES, "B"),
            Some(unit) => Self::new(1.0, unit.name()),
            None => Self::plain(),
        }
    }

    /// Returns the scale of a plain number.
    fn plain() -> Self {
        Self {
            divisor: 1.0,
            unit: String::new(),
        }
    }

    /// Chooses among the prefixes of one unit, which are powers of `base`. A measure
    /// below all of them, such as 0, has no prefix.
    fn largest(measure: f64, base: f64, prefixes: &[(i32, &str)], unit: &str) -> Self {
        let mut prefixes = prefixes.iter().rev();
        let fitting = prefixes.find(|(power, _)| measure >= base.powi(*power));
        let (power, unit) = fitting.copied().unwrap_or((0, unit));
        Self::new(base.powi(power), unit)
    }

    fn new(divisor: f64, unit: &str) -> Self {
        Self {
            divisor,
            unit: format!(" {unit}"),
        }
    }

    /// Returns the measure in this unit with `digits` significant digits. The
    /// digits before the point are all significant.
    fn number(&self, measure: Measure, digits: usize) -> String {
        let number = measure.0 / self.divisor;
        if number != 0.0 && !(1e-6..1e18).contains(&number) {
            return format!("{number:.*e}", digits - 1);
        }
        let exponent = exponent(number, digits);
        let decimals = i32::try_from(digits).map_or(0, |digits| digits - 1 - exponent);
        let text = format!("{number:.*}", usize::try_from(decimals).unwrap_or(0));
        match text.split_once('.') {
            Some((whole, decimals)) => {
                let decimals = decimals.trim_end_matches('0');
                let point = if decimals.is_empty() { "" } else { "." };
                format!("{}{point}{decimals}", group_digits(whole))
            }
            None => group_digits(&text),
        }
    }
}

/// Returns the power of ten of a number's first digit, after the number has been
/// rounded to `digits` significant digits.
fn exponent(number: f64, digits: usize) -> i32 {
    let text = format!("{number:.*e}", digits - 1);
    let exponent = text.split_once('e').and_then(|(_, text)| text.parse().ok());
    exponent.unwrap_or(0)
}

/// Rounds a number to significant digits.
fn rounded(number: f64, digits: usize) -> f64 {
    let text = format!("{number:.*e}", digits - 1);
    text.parse().unwrap_or(number)
}

fn group_digits(digits: &str) -> String {
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use qapi_stats::stats::StatsType;

    use super::*;

    fn meaning(unit: Option<StatsUnit>, base: i8, exponent: i16) -> StatsSchemaValue {
        StatsSchemaValue::new("x", StatsType::Log2Histogram)
            .in_unit(unit)
            .scaled((exponent != 0).then_some(base), exponent)
    }

    fn check(value: u64, unit: Option<StatsUnit>, base: i8, exponent: i16, expected: &str) {
        let meaning = meaning(unit, base, exponent);
        assert_eq!(amount(value, Some(&meaning)), expected);
    }

    #[test]
    fn amount_has_grouped_digits_and_a_scaled_unit() {
        use StatsUnit::{Bytes, Cycles, Seconds};
        let ns = |value, expected| check(value, Some(Seconds), 10, -9, expected);
        ns(0, "0 s");
        ns(7, "7 ns");
        ns(999, "999 ns");
        ns(1_000, "1 µs");
        ns(912_186_443, "912.2 ms");
        ns(999_960_000, "1 s");
        ns(1_500_000_000, "1.5 s");
        ns(1_234_567_000_000, "1,235 s");
        ns(u64::MAX, "18,446,744,074 s");
        check(5, Some(Seconds), 10, 0, "5 s");
        check(5, Some(Seconds), 10, -21, "5.000e-21 s");
        check(0, Some(Bytes), 10, 0, "0 B");
        check(1_023, Some(Bytes), 10, 0, "1,023 B");
        check(1_536, Some(Bytes), 10, 0, "1.5 KiB");
        check(3, Some(Bytes), 2, 20, "3 MiB");
        check(1_234_567, Some(Cycles), 10, 0, "1,234,567 cycles");
        check(12, Some(Cycles), 10, 3, "12,000 cycles");
        check(12, None, 10, 3, "12,000");
        check(u64::MAX, None, 10, 0, "18,446,744,073,709,551,615");
        check(
            9,
            Some(StatsUnit::Unknown("joules".into())),
            10,
            0,
            "9 joules",
        );
        assert_eq!(amount(1234, None), "1,234");
    }

    #[test]
    fn rate_has_the_unit_per_second() {
        let ns = meaning(Some(StatsUnit::Seconds), 10, -9);
        assert_eq!(rate(12_500_000.0, Some(&ns)), "12.5 ms/s");
        let plain = meaning(None, 10, 0);
        assert_eq!(rate(1234.56, Some(&plain)), "1,235");
        assert_eq!(rate(0.25, None), "0.25");
        assert_eq!(rate(0.0, None), "0");
    }

    #[test]
    fn bucket_has_one_unit_for_both_bounds() {
        let seconds = meaning(Some(StatsUnit::Seconds), 10, -9);
        for (index, expected) in [
            (0, "0–1 ns"),
            (1, "1–2 ns"),
            (10, "0.512–1.02 µs"),
            (17, "65.5–131 µs"),
            (20, "0.524–1.05 ms"),
            (30, "0.537–1.07 s"),
            (31, "≥ 1.07 s"),
            (32, "[32]"),
        ] {
            assert_eq!(bucket(&seconds, index, 32), expected);
        }
        let bytes = meaning(Some(StatsUnit::Bytes), 10, 0);
        assert_eq!(bucket(&bytes, 10, 32), "0.5–1 KiB");
        assert_eq!(bucket(&bytes, 11, 32), "1–2 KiB");
        let plain = meaning(None, 10, 0);
        assert_eq!(bucket(&plain, 12, 32), "2,048–4,096");
        assert_eq!(bucket(&plain, 31, 32), "≥ 1,073,741,824");
    }
}
