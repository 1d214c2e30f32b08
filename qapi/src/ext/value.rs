//! The value of a statistic.

use crate::stats::StatsValue;

impl StatsValue {
    /// Returns the values of a list from the lowest bucket to the highest: the
    /// wire has them from the highest to the lowest. A scalar or a boolean is a
    /// list of one value.
    #[must_use]
    pub fn lowest_first(&self) -> Vec<u64> {
        match self {
            Self::Scalar(value) => vec![*value],
            Self::Boolean(value) => vec![u64::from(*value)],
            Self::List(values) => values.iter().rev().copied().collect(),
        }
    }

    /// Returns the value of a scalar, or the sum of the counts of a histogram.
    #[must_use]
    pub fn total(&self) -> u64 {
        match self {
            Self::Scalar(value) => *value,
            Self::Boolean(value) => u64::from(*value),
            Self::List(values) => values
                .iter()
                .fold(0, |sum, value| sum.saturating_add(*value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_ordered_from_the_lowest_bucket_and_summed() {
        let list = StatsValue::List(vec![3, 2, 1]);
        assert_eq!(list.lowest_first(), [1, 2, 3]);
        assert_eq!(list.total(), 6);
        assert_eq!(StatsValue::List(vec![u64::MAX, 1]).total(), u64::MAX);
        assert_eq!(StatsValue::Boolean(true).total(), 1);
    }
}
