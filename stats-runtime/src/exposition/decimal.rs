//! Exact decimal numbers: a statistic's integer, times the power of its unit.
//!
//! In: integers, bases and exponents. Out: text that has every digit. Only the bounds of
//! buckets are rounded to doubles, because Prometheus does that with their labels.

use std::fmt;

/// The largest exponent of a unit, up and down, that a text is written for. An
/// `i16` would allow numbers of 32,768 digits.
const EXPONENT_MAX: u8 = 64;

/// The largest exponent of a negative power of two: 5^27 times any `u64` is a
/// `u128`.
const HALVINGS_MAX: u8 = 27;

/// The power by which a statistic's integers are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// A power of ten.
    Ten(i16),
    /// Two to a positive power.
    Two(u8),
    /// Two to a negative power, with the sign removed.
    Half(u8),
}

impl Scale {
    /// Returns the scale of a schema's `base` and `exponent`, or `None` if numbers
    /// of this scale cannot be written exactly in a reasonable length.
    pub(super) fn new(base: Option<i8>, exponent: i16) -> Option<Self> {
        if exponent == 0 {
            return Some(Self::Ten(0));
        }
        let size = u8::try_from(exponent.unsigned_abs()).ok()?;
        match base {
            Some(10) if size <= EXPONENT_MAX => Some(Self::Ten(exponent)),
            Some(2) if exponent > 0 && size <= EXPONENT_MAX => Some(Self::Two(size)),
            Some(2) if exponent < 0 && size <= HALVINGS_MAX => Some(Self::Half(size)),
            _ => None,
        }
    }

    /// Returns whether an integer times this power is an integer.
    pub(super) fn is_integer(self) -> bool {
        match self {
            Self::Ten(exponent) => exponent >= 0,
            Self::Two(_) => true,
            Self::Half(_) => false,
        }
    }

    /// Returns an integer times this power.
    pub(super) fn apply(self, value: u64) -> Decimal {
        let value = u128::from(value);
        match self {
            Self::Ten(exponent) => Decimal {
                digits: value,
                exponent,
            },
            // OK, because a `u64` shifted by at most 64 fits in a `u128`.
            Self::Two(power) => Decimal {
                digits: value << power,
                exponent: 0,
            },
            // One half is five tenths.
            Self::Half(power) => Decimal {
                digits: value * 5u128.pow(u32::from(power)),
                exponent: -i16::from(power),
            },
        }
    }
}

/// A number that is not negative: `digits` times ten to the power of `exponent`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decimal {
    digits: u128,
    exponent: i16,
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "a u128 has at most 39 digits"
)]
impl Decimal {
    /// Returns the significant digits, and the number of digits before the decimal
    /// point.
    fn parts(self) -> (String, i32) {
        let text = self.digits.to_string();
        let point = text.len() as i32 + i32::from(self.exponent);
        let significant = text.trim_end_matches('0').len();
        let mut text = text;
        text.truncate(significant);
        (text, point)
    }

    /// Returns the text of a bucket's bound. It has the form in which Prometheus
    /// writes a number again, so that the label `le` stays the same in all of its
    /// releases: `0.0`, `1e-09`, `0.001`, `1.0`, `1e+06`. Like Prometheus, it has the
    /// fewest digits that are the same double.
    pub(super) fn bound(self) -> String {
        if self.digits == 0 {
            return "0.0".to_owned();
        }
        let Ok(double) = self.to_string().parse::<f64>() else {
            unreachable!("decimal digits are a number")
        };
        let text = format!("{double:e}");
        let Some((Ok(exponent), digits)) =
            { text.split_once('e') }.map(|(digits, exponent)| (exponent.parse::<i32>(), digits))
        else {
            unreachable!("the form of a double has an exponent")
        };
        if (-4..6).contains(&exponent) {
            let mut text = double.to_string();
            if !text.contains('.') {
                text.push_str(".0");
            }
            return text;
        }
        let sign = if exponent < 0 { '-' } else { '+' };
        format!("{digits}e{sign}{:02}", exponent.unsigned_abs())
    }
}

/// The number without an exponent and without trailing zeros.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (digits, point) = self.parts();
        if digits.is_empty() {
            return f.write_str("0");
        }
        let places = point.unsigned_abs() as usize;
        if point <= 0 {
            return write!(f, "0.{}{digits}", "0".repeat(places));
        }
        match digits.split_at_checked(places) {
            Some((whole, fraction)) if !fraction.is_empty() => write!(f, "{whole}.{fraction}"),
            _ => write!(f, "{digits:0<places$}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: u64, base: i8, exponent: i16, plain: &str, bound: &str) {
        let decimal = Scale::new(Some(base), exponent).unwrap().apply(value);
        assert_eq!(decimal.to_string(), plain);
        assert_eq!(decimal.bound(), bound);
    }

    #[test]
    fn decimal_has_every_digit_when_a_double_would_round() {
        check(
            9_007_199_254_740_993,
            10,
            0,
            "9007199254740993",
            "9.007199254740992e+15",
        );
        check(
            u64::MAX,
            10,
            -9,
            "18446744073.709551615",
            "1.8446744073709553e+10",
        );
        check(
            u64::MAX,
            2,
            64,
            "340282366920938463444927863358058659840",
            "3.402823669209385e+38",
        );
        check(
            1,
            2,
            -27,
            "0.000000007450580596923828125",
            "7.450580596923828e-09",
        );
        check(
            u64::MAX,
            2,
            -27,
            "137438953471.999999992549419403076171875",
            "1.37438953472e+11",
        );
    }

    #[test]
    fn bound_is_written_as_prometheus_writes_numbers() {
        check(0, 10, -9, "0", "0.0");
        check(1, 10, -9, "0.000000001", "1e-09");
        check(99_999, 10, -9, "0.000099999", "9.9999e-05");
        check(100_000, 10, -9, "0.0001", "0.0001");
        check(1, 10, 0, "1", "1.0");
        check(1000, 10, -3, "1", "1.0");
        check(999_999, 10, 0, "999999", "999999.0");
        check(1_000_000, 10, 0, "1000000", "1e+06");
        check(1_048_575, 10, 0, "1048575", "1.048575e+06");
        check(1_073_741_823, 10, -9, "1.073741823", "1.073741823");
        check(5, 10, 12, "5000000000000", "5e+12");
        check(3, 2, 10, "3072", "3072.0");
        check(0, 2, -3, "0", "0.0");
    }

    #[test]
    fn scale_is_refused_when_a_number_would_be_rounded_or_endless() {
        assert_eq!(Scale::new(None, 0), Some(Scale::Ten(0)));
        assert_eq!(Scale::new(Some(7), 0), Some(Scale::Ten(0)));
        for (base, exponent) in [
            (10, 65),
            (10, -65),
            (2, 65),
            (2, -28),
            (3, 1),
            (10, i16::MIN),
        ] {
            assert_eq!(Scale::new(Some(base), exponent), None);
        }
        assert_eq!(Scale::new(None, 1), None);
    }
}
