//! Metrics of values that were read earlier, each with the time of its reading.
//!
//! In: schemas, and values one by one. Out: lines of OpenMetrics, with the names and
//! numbers that a registry's text has. This file keeps no values.

use qapi_stats::stats::{StatsSchema, StatsSchemaValue, StatsValue};

use super::decimal::Scale;
use super::family::{Described, FamilyNames, Head, Object, Sample, sample, sum_of};
use super::omitted::{Omitted, OmittedReason};
use super::options::{Format, Options};
use super::text;

/// The metrics of recorded statistics, in OpenMetrics with timestamps: for programs that
/// take the past in, such as `promtool tsdb create-blocks-from openmetrics`.
///
/// The lines of a family must not be mixed with those of another one, nor the lines of
/// one object's metric with those of another object. The text ends with
/// [`END`](Self::END).
///
/// ```
/// use qapi_stats::stats::{StatsSchema, StatsSchemaValue, StatsTarget, StatsValue};
/// use stats_runtime::exposition::{History, Object, Options, Point};
///
/// let mut history = History::new(&Options::new());
/// let stats = vec![StatsSchemaValue::cumulative("busy-ns").seconds(-9)];
/// let metrics = history.describe(&StatsSchema {
///     provider: "block".into(),
///     target: StatsTarget::Vcpu,
///     stats,
/// });
/// let point = Point {
///     nanos: 1_700_000_000_250_000_000,
///     value: &StatsValue::Scalar(1_500_000_000),
///     sum: None,
/// };
/// let options = Options::new().label("vm", "web")?;
/// assert_eq!(
///     history.lines(&metrics[0], &options, &Object::Vcpu(3), &point)?,
///     "vmstats_block_vcpu_busy_seconds_total{vm=\"web\",vcpu=\"3\"} 1.5 1700000000.25\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct History {
    names: FamilyNames,
    heads: Vec<Head>,
    known: Vec<(StatsSchema, Vec<Metric>)>,
    omitted: Vec<Omitted>,
}

/// The metric of a statistic.
#[derive(Clone, Debug)]
pub struct Metric {
    family: usize,
    stat: StatsSchemaValue,
    sum: Option<String>,
}

impl Metric {
    /// Returns the number of the metric's family. Families are numbered from 0.
    #[must_use]
    pub fn family(&self) -> usize {
        self.family
    }

    /// Returns the name of the statistic.
    #[must_use]
    pub fn statistic(&self) -> &str {
        &self.stat.name
    }

    /// Returns the name of the statistic that is the sum of what this one counts.
    #[must_use]
    pub fn sum_statistic(&self) -> Option<&str> {
        self.sum.as_deref()
    }
}

/// A value with the time of its reading.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    /// The time in nanoseconds since 1970.
    pub nanos: u64,
    /// The value.
    pub value: &'a StatsValue,
    /// The value of the statistic that is the sum of what this one counts, if there is
    /// one.
    pub sum: Option<&'a StatsValue>,
}

impl History {
    /// The last line of the text.
    pub const END: &'static str = text::END;

    /// Makes a history without metrics, whose names have the prefix of these options.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self {
            names: FamilyNames::new(options.name_prefix()),
            heads: Vec::new(),
            known: Vec::new(),
            omitted: Vec::new(),
        }
    }

    /// Adds the statistics of a schema, and returns those that have a metric. Several
    /// virtual machines may have the same schema, or a newer one of the same provider:
    /// a statistic that is described in the same way has the same family.
    pub fn describe(&mut self, schema: &StatsSchema) -> Vec<Metric> {
        if let Some((_, metrics)) = self.known.iter().find(|(known, _)| known == schema) {
            return metrics.clone();
        }
        let described = Described {
            provider: &schema.provider,
            target: &schema.target,
            stats: &schema.stats,
        };
        let (histograms, others): (Vec<_>, Vec<_>) =
            schema.stats.iter().partition(|stat| stat.is_histogram());
        let mut metrics: Vec<Metric> = Vec::new();
        // A histogram takes the name of its sum: see `Families::add`.
        for stat in histograms.into_iter().chain(others) {
            if let Some(family) = self.family(described, stat) {
                metrics.push(Metric {
                    family,
                    stat: stat.clone(),
                    sum: sum_of(described, stat).map(|sum| sum.name.clone()),
                });
            }
        }
        self.known.push((schema.clone(), metrics.clone()));
        metrics
    }

    /// Returns the number of families.
    #[must_use]
    pub fn families(&self) -> usize {
        self.heads.len()
    }

    /// Returns the lines before the samples of a family; nothing for a number that no
    /// family has.
    #[must_use]
    pub fn metadata(&self, family: usize) -> String {
        let mut out = String::new();
        if let Some(head) = self.heads.get(family) {
            text::write_metadata(&mut out, Format::OpenMetrics, head);
        }
        out
    }

    /// Returns the lines of a value, with the labels of these options.
    ///
    /// # Errors
    ///
    /// Returns the reason why the value has no line.
    pub fn lines(
        &self,
        metric: &Metric,
        options: &Options,
        object: &Object,
        point: &Point<'_>,
    ) -> Result<String, OmittedReason> {
        let mut out = String::new();
        let Some(head) = self.heads.get(metric.family) else {
            return Err(OmittedReason::NotDescribed);
        };
        let sample = Sample {
            value: sample(&metric.stat, head.scale, point.value, point.sum)?,
            object: object.clone(),
        };
        let seconds = Scale::Ten(-9).apply(point.nanos);
        let format = Format::OpenMetrics;
        text::write_sample(
            &mut out,
            format,
            options.labels(),
            head,
            &sample,
            Some(seconds),
        );
        Ok(out)
    }

    /// Returns the statistics without a metric, with the reason.
    #[must_use]
    pub fn omitted(&self) -> &[Omitted] {
        &self.omitted
    }

    /// Returns the family of a statistic; makes it if it is new.
    fn family(&mut self, described: Described<'_>, stat: &StatsSchemaValue) -> Option<usize> {
        for (schema, metrics) in &self.known {
            let is_same =
                schema.provider == *described.provider && schema.target == *described.target;
            let mut metrics = metrics.iter().filter(|_| is_same);
            if let Some(metric) = metrics.find(|metric| metric.stat == *stat) {
                return Some(metric.family);
            }
        }
        match self.names.head(described, stat) {
            Ok(head) => {
                self.heads.push(head);
                Some(self.heads.len() - 1)
            }
            Err(Some(reason)) => {
                let omitted = Omitted {
                    provider: described.provider.clone(),
                    target: described.target.clone(),
                    statistic: stat.name.clone(),
                    reason,
                };
                if !self.omitted.contains(&omitted) {
                    self.omitted.push(omitted);
                }
                None
            }
            Err(None) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use qapi_stats::stats::StatsTarget;

    use super::*;

    fn schema(stats: Vec<StatsSchemaValue>) -> StatsSchema {
        StatsSchema {
            provider: "kvm".into(),
            target: StatsTarget::Vcpu,
            stats,
        }
    }

    #[test]
    fn statistics_of_two_machines_share_a_family_when_they_are_described_alike() {
        let mut history = History::new(&Options::new());
        let exits = StatsSchemaValue::cumulative("exits");
        let first = history.describe(&schema(vec![exits.clone()]));
        let second = history.describe(&schema(vec![StatsSchemaValue::cumulative("newer"), exits]));
        assert_eq!((first.len(), second.len(), history.families()), (1, 2, 2));
        assert_eq!(first[0].family(), second[1].family());
        // The same name for something else has no metric.
        let other = StatsSchemaValue::instant("exits_total");
        let gauge = history.describe(&schema(vec![other.clone()]));
        assert!(gauge.is_empty());
        assert_eq!(history.omitted()[0].statistic, "exits_total");
    }

    #[test]
    fn histogram_has_exact_bounds_and_the_sum_of_its_sibling() {
        let mut history = History::new(&Options::new());
        let metrics = history.describe(&schema(vec![
            StatsSchemaValue::log2_histogram("halt_wait_hist").seconds(-9),
            StatsSchemaValue::cumulative("halt_wait_ns").seconds(-9),
        ]));
        assert_eq!(metrics[0].sum_statistic(), Some("halt_wait_ns"));
        let point = Point {
            nanos: 1_000_000_000,
            value: &StatsValue::List(vec![3, 2, 1]),
            sum: Some(&StatsValue::Scalar(7)),
        };
        let lines = history.lines(&metrics[0], &Options::new(), &Object::Only, &point);
        let name = "vmstats_kvm_vcpu_halt_wait_hist_seconds";
        assert_eq!(
            lines.unwrap(),
            format!(
                "{name}_bucket{{le=\"0.0\"}} 1 1\n{name}_bucket{{le=\"1e-09\"}} 3 1\n\
                 {name}_bucket{{le=\"+Inf\"}} 6 1\n{name}_count 6 1\n{name}_sum 0.000000007 1\n"
            )
        );
    }
}
