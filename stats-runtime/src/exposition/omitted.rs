//! The statistics that a text cannot have.
//!
//! In: a statistic and a reason. Out: words for people. This file decides nothing.

use std::fmt;

use qapi_stats::stats::{StatsProvider, StatsTarget};

/// A statistic without a metric.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Omitted {
    /// The provider of the statistic.
    pub provider: StatsProvider,
    /// The target of the statistic.
    pub target: StatsTarget,
    /// The name of the statistic.
    pub statistic: String,
    /// The reason.
    pub reason: OmittedReason,
}

/// The reason why a statistic has no metric.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OmittedReason {
    /// The statistic with this description has a metric of the same name. The one
    /// that is registered or described first has the metric, and a histogram before
    /// the others of its target.
    NameTaken(String),
    /// The schema does not describe the statistic, so its type is unknown.
    NotDescribed,
    /// The base is neither 2 nor 10, or the exponent is so large that numbers
    /// cannot be written exactly.
    Exponent,
    /// The value is not one that the statistic's type can have.
    WrongValue,
    /// The buckets cannot be those of a histogram: no bucket at all, buckets above
    /// the highest number, or a width of zero.
    Buckets,
    /// Two results are about the same object.
    ObjectTwice,
}

impl fmt::Display for Omitted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            provider,
            target,
            statistic,
            reason,
        } = self;
        write!(
            f,
            "the statistic '{}' of the provider '{provider}' for '{target}' has no metric: {reason}",
            statistic.escape_debug()
        )
    }
}

impl fmt::Display for OmittedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameTaken(other) => write!(
                f,
                "its metric would have the name of '{}'",
                other.escape_debug()
            ),
            Self::NotDescribed => f.write_str("its schema does not describe it"),
            Self::Exponent => f.write_str("its base and exponent make numbers that are too long"),
            Self::WrongValue => f.write_str("its value is not one of its type"),
            Self::Buckets => f.write_str("its buckets are not those of a histogram"),
            Self::ObjectTwice => f.write_str("two results are about the same object"),
        }
    }
}

impl std::error::Error for OmittedReason {}
