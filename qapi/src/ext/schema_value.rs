//! The meaning of a statistic's values: its unit and the bounds of its buckets.

use std::fmt;

use crate::stats::{StatsSchemaValue, StatsType, StatsUnit};

/// The range of values that a histogram's bucket counts, before the statistic's
/// exponent is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The lowest value that the bucket counts.
    pub lower: u64,
    /// The lowest value above the bucket; `None` if the bucket has no upper
    /// bound.
    pub upper: Option<u64>,
}

/// The quantity that a statistic's numbers measure: see
/// [`StatsSchemaValue::quantity`].
///
/// It is displayed as in QEMU's `info stats`: as a unit with a prefix if there
/// is one (`ns`, `KiB`), else as a power (`* 10^3 cycles`), and as nothing for a
/// plain number.
#[derive(Clone, Copy, Debug)]
pub struct Quantity<'a> {
    unit: Option<&'a StatsUnit>,
    base: i8,
    exponent: i16,
}

/// Constructors, so that a program that describes statistics builds with a later
/// schema that has more members.
///
/// ```
/// use qapi_stats::stats::{StatsSchemaValue, StatsUnit};
///
/// let latency = StatsSchemaValue::log2_histogram("read-latency").seconds(-9);
/// assert_eq!((latency.unit, latency.exponent), (Some(StatsUnit::Seconds), -9));
/// ```
impl StatsSchemaValue {
    /// Describes a plain number.
    #[must_use]
    pub fn new(name: impl Into<String>, type_: StatsType) -> Self {
        Self {
            name: name.into(),
            type_,
            unit: None,
            base: None,
            exponent: 0,
            bucket_size: None,
        }
    }

    /// Describes a count that only grows.
    #[must_use]
    pub fn cumulative(name: impl Into<String>) -> Self {
        Self::new(name, StatsType::Cumulative)
    }

    /// Describes a value that goes up and down.
    #[must_use]
    pub fn instant(name: impl Into<String>) -> Self {
        Self::new(name, StatsType::Instant)
    }

    /// Describes the highest value so far.
    #[must_use]
    pub fn peak(name: impl Into<String>) -> Self {
        Self::new(name, StatsType::Peak)
    }

    /// Describes a histogram whose buckets double in width.
    #[must_use]
    pub fn log2_histogram(name: impl Into<String>) -> Self {
        Self::new(name, StatsType::Log2Histogram)
    }

    /// Describes a histogram whose buckets all have the same width.
    #[must_use]
    pub fn linear_histogram(name: impl Into<String>, bucket_size: u32) -> Self {
        Self::new(name, StatsType::LinearHistogram).with_bucket_size(bucket_size)
    }

    /// Sets the unit.
    #[must_use]
    pub fn in_unit(self, unit: impl Into<Option<StatsUnit>>) -> Self {
        Self {
            unit: unit.into(),
            ..self
        }
    }

    /// Sets the unit to bytes.
    #[must_use]
    pub fn bytes(self) -> Self {
        self.in_unit(StatsUnit::Bytes)
    }

    /// Sets the unit to 10 to the power of `exponent` seconds: -9 for nanoseconds.
    #[must_use]
    pub fn seconds(self, exponent: i16) -> Self {
        self.in_unit(StatsUnit::Seconds).scaled(10, exponent)
    }

    /// Sets the unit to cycles of the processor's clock.
    #[must_use]
    pub fn cycles(self) -> Self {
        self.in_unit(StatsUnit::Cycles)
    }

    /// Sets the unit to truth values.
    #[must_use]
    pub fn boolean(self) -> Self {
        self.in_unit(StatsUnit::Boolean)
    }

    /// Multiplies the unit by `base` to the power of `exponent`. The base is left out
    /// of the description if the exponent is 0, as QEMU does.
    #[must_use]
    pub fn scaled(self, base: impl Into<Option<i8>>, exponent: i16) -> Self {
        Self {
            base: base.into().filter(|_| exponent != 0),
            exponent,
            ..self
        }
    }

    /// Sets the width of a linear histogram's buckets.
    #[must_use]
    pub fn with_bucket_size(self, bucket_size: impl Into<Option<u32>>) -> Self {
        Self {
            bucket_size: bucket_size.into(),
            ..self
        }
    }

    /// Returns the quantity that the numbers measure.
    #[must_use]
    pub fn quantity(&self) -> Quantity<'_> {
        Quantity {
            unit: self.unit.as_ref(),
            base: self.base.unwrap_or(0),
            exponent: self.exponent,
        }
    }

    /// Returns whether the statistic is a histogram.
    #[must_use]
    pub fn is_histogram(&self) -> bool {
        matches!(
            self.type_,
            StatsType::LinearHistogram | StatsType::Log2Histogram
        )
    }

    /// Returns the range that the bucket at `index` counts, out of `count`
    /// buckets; the lowest bucket has index 0. Returns `None` if the statistic is
    /// not a histogram or has no such bucket.
    ///
    /// The rules are those of Linux's `Documentation/virt/kvm/api.rst`, under
    /// `KVM_GET_STATS_FD`.
    #[must_use]
    pub fn bucket_bounds(&self, index: usize, count: usize) -> Option<Bounds> {
        let last = count.checked_sub(1)?;
        if index > last {
            return None;
        }
        let number = u64::try_from(index).ok()?;
        let (lower, upper) = match self.type_ {
            StatsType::LinearHistogram => {
                let width = u64::from(self.bucket_size?);
                (
                    number.saturating_mul(width),
                    number.saturating_add(1).saturating_mul(width),
                )
            }
            StatsType::Log2Histogram => (
                if index == 0 {
                    0
                } else {
                    power_of_two(number - 1)
                },
                power_of_two(number),
            ),
            _ => return None,
        };
        Some(Bounds {
            lower,
            upper: (index < last).then_some(upper),
        })
    }
}

fn power_of_two(exponent: u64) -> u64 {
    u32::try_from(exponent)
        .ok()
        .and_then(|exponent| 1u64.checked_shl(exponent))
        .unwrap_or(u64::MAX)
}

impl Quantity<'_> {
    /// Returns the number to multiply a value with to get a measure in units
    /// without a prefix.
    #[must_use]
    pub fn factor(&self) -> f64 {
        if self.exponent == 0 {
            1.0
        } else {
            f64::from(self.base).powi(i32::from(self.exponent))
        }
    }

    /// Returns whether the numbers have neither a unit nor an exponent.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.unit.is_none() && self.exponent == 0
    }
}

impl fmt::Display for Quantity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbol = match self.unit {
            Some(StatsUnit::Seconds) => Some("s"),
            Some(StatsUnit::Bytes) => Some("B"),
            _ => None,
        };
        let name = self.unit.map_or("", StatsUnit::name);
        match (symbol, prefix(self.base, self.exponent)) {
            (Some(symbol), Some(prefix)) => write!(f, "{prefix}{symbol}"),
            _ if self.exponent == 0 => f.write_str(symbol.unwrap_or(name)),
            _ => {
                write!(f, "* {}^{}", self.base, self.exponent)?;
                if name.is_empty() {
                    Ok(())
                } else {
                    write!(f, " {name}")
                }
            }
        }
    }
}

/// Returns the SI or the binary prefix of a power; `None` if it has none.
fn prefix(base: i8, exponent: i16) -> Option<&'static str> {
    const SI: [&str; 13] = [
        "a", "f", "p", "n", "u", "m", "", "K", "M", "G", "T", "P", "E",
    ];
    const BINARY: [&str; 7] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let (prefixes, place) = match base {
        10 if exponent % 3 == 0 => (SI.as_slice(), exponent / 3 + 6),
        2 if exponent % 10 == 0 => (BINARY.as_slice(), exponent / 10),
        _ => return None,
    };
    prefixes.get(usize::try_from(place).ok()?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(
        type_: StatsType,
        unit: Option<StatsUnit>,
        base: i8,
        exponent: i16,
    ) -> StatsSchemaValue {
        let bucket_size = (type_ == StatsType::LinearHistogram).then_some(500);
        let base = (exponent != 0).then_some(base);
        StatsSchemaValue {
            name: "x".to_owned(),
            type_,
            unit,
            base,
            exponent,
            bucket_size,
        }
    }

    fn check(unit: Option<StatsUnit>, base: i8, exponent: i16, expected: &str) {
        let meaning = meaning(StatsType::Instant, unit, base, exponent);
        assert_eq!(meaning.quantity().to_string(), expected);
    }

    #[test]
    fn quantity_is_displayed_as_in_info_stats() {
        use StatsUnit::{Boolean, Bytes, Cycles, Seconds};
        let seconds = [
            "as", "fs", "ps", "ns", "us", "ms", "s", "Ks", "Ms", "Gs", "Ts", "Ps", "Es",
        ];
        for (unit, exponent) in seconds.into_iter().zip((-18..).step_by(3)) {
            check(Some(Seconds), 10, exponent, unit);
        }
        let bytes = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        for (unit, exponent) in bytes.into_iter().zip((0..).step_by(10)) {
            check(Some(Bytes), 2, exponent, unit);
        }
        check(Some(Bytes), 10, 3, "KB");
        check(Some(Seconds), 2, 10, "Kis");
        check(Some(Seconds), 10, -1, "* 10^-1 seconds");
        check(Some(Seconds), 10, -21, "* 10^-21 seconds");
        check(Some(Seconds), 10, 21, "* 10^21 seconds");
        check(Some(Bytes), 2, 70, "* 2^70 bytes");
        check(Some(Bytes), 2, -10, "* 2^-10 bytes");
        check(Some(Bytes), 2, 5, "* 2^5 bytes");
        check(Some(Cycles), 10, 0, "cycles");
        check(Some(Cycles), 10, 3, "* 10^3 cycles");
        check(Some(Boolean), 10, 0, "boolean");
        check(None, 10, 0, "");
        check(None, 10, 3, "* 10^3");
    }

    #[test]
    fn bucket_bounds_follow_the_kernels_rules() {
        let log2 = meaning(StatsType::Log2Histogram, Some(StatsUnit::Seconds), 10, -9);
        let bounds = |index| log2.bucket_bounds(index, 4);
        assert_eq!(
            bounds(0),
            Some(Bounds {
                lower: 0,
                upper: Some(1)
            })
        );
        assert_eq!(
            bounds(1),
            Some(Bounds {
                lower: 1,
                upper: Some(2)
            })
        );
        assert_eq!(
            bounds(2),
            Some(Bounds {
                lower: 2,
                upper: Some(4)
            })
        );
        assert_eq!(
            bounds(3),
            Some(Bounds {
                lower: 4,
                upper: None
            })
        );
        assert_eq!(bounds(4), None);
        assert_eq!(log2.bucket_bounds(0, 0), None);
        assert_eq!(
            log2.bucket_bounds(80, 100).map(|b| b.upper),
            Some(Some(u64::MAX))
        );

        let linear = meaning(StatsType::LinearHistogram, None, 10, 0);
        assert_eq!(
            linear.bucket_bounds(1, 3),
            Some(Bounds {
                lower: 500,
                upper: Some(1000)
            })
        );
        assert_eq!(
            linear.bucket_bounds(2, 3),
            Some(Bounds {
                lower: 1000,
                upper: None
            })
        );
        let plain = meaning(StatsType::Instant, None, 10, 0);
        assert_eq!(plain.bucket_bounds(0, 1), None);
    }

    #[test]
    fn factor_is_the_power_of_the_base() {
        let nanoseconds = meaning(StatsType::Instant, Some(StatsUnit::Seconds), 10, -9);
        assert!((nanoseconds.quantity().factor() - 1e-9).abs() < 1e-24);
        assert!(
            meaning(StatsType::Instant, None, 10, 0)
                .quantity()
                .is_plain()
        );
    }
}
