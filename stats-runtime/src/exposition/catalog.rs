//! Metrics of the statistics of several virtual machines.
//!
//! In: schemas, and values one by one, perhaps with the time of their reading. Out: lines
//! of either format, with the names and numbers that a registry's text has. This file
//! keeps no values.

use std::collections::HashMap;

use qapi_stats::stats::{StatsProvider, StatsSchema, StatsSchemaValue, StatsTarget, StatsValue};

use super::decimal::Scale;
use super::family::{Described, FamilyNames, Head, Object, Sample, sample, sum_of};
use super::names::base;
use super::omitted::{Omitted, OmittedReason};
use super::options::{Buckets, Format, Options};
use super::reading::{Description, Reading, reading};
use super::text::{self, Times};

/// The metrics of several virtual machines, of which statistics that are described alike
/// share a family.
///
/// The lines of a family must not be mixed with those of another one, nor the lines of
/// one object's metric with those of another object. A text of OpenMetrics ends with
/// [`END`](Self::END).
///
/// ```
/// use qapi_stats::stats::{StatsSchema, StatsSchemaValue, StatsTarget, StatsValue};
/// use stats_runtime::exposition::{Catalog, Format, Object, Options, Point};
///
/// let mut catalog = Catalog::new(&Options::new());
/// let stats = vec![StatsSchemaValue::cumulative("busy-ns").seconds(-9)];
/// let metrics = catalog.describe(&StatsSchema {
///     provider: "block".into(),
///     target: StatsTarget::Vcpu,
///     stats,
/// });
/// let value = StatsValue::Scalar(1_500_000_000);
/// let point = Point::new(&value).read_at(1_700_000_000_250_000_000);
/// let labels = Options::new().label("vm", "web")?;
/// let mut lines = String::new();
/// let format = Format::OpenMetrics;
/// catalog.write(&mut lines, format, &metrics[0], &labels, &Object::Vcpu(3), &point)?;
/// assert_eq!(
///     lines,
///     "vmstats_block_vcpu_busy_seconds_total{vm=\"web\",vcpu=\"3\"} 1.5 1700000000.25\n"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Catalog {
    names: FamilyNames,
    buckets: Buckets,
    heads: Vec<Head>,
    /// The families of statistics; `None` for those that have no family.
    families: HashMap<Key, Option<usize>>,
    known: HashMap<StatsSchema, Vec<Metric>>,
    omitted: Vec<Omitted>,
}

/// A statistic of a provider for a target, as it is described.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    provider: StatsProvider,
    target: StatsTarget,
    stat: StatsSchemaValue,
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

    /// Returns the name of the statistic without what its type and its unit say:
    /// `halt_wait` for `halt_wait_ns`.
    #[must_use]
    pub fn base_name(&self) -> String {
        base(&self.stat)
    }

    /// Returns the name of the statistic that is the sum of what this one counts.
    #[must_use]
    pub fn sum_statistic(&self) -> Option<&str> {
        self.sum.as_deref()
    }
}

/// A value, and times that belong to it.
#[derive(Clone, Copy, Debug)]
pub struct Point<'a> {
    value: &'a StatsValue,
    sum: Option<&'a StatsValue>,
    times: Times,
}

impl<'a> Point<'a> {
    /// Makes a point of a value.
    #[must_use]
    pub fn new(value: &'a StatsValue) -> Self {
        Self {
            value,
            sum: None,
            times: Times::default(),
        }
    }

    /// Adds the value of the statistic that is the sum of what this one counts.
    #[must_use]
    pub fn with_sum(self, sum: Option<&'a StatsValue>) -> Self {
        Self { sum, ..self }
    }

    /// Adds the time of the reading in nanoseconds since 1970, for texts about the past.
    #[must_use]
    pub fn read_at(mut self, nanos: u64) -> Self {
        self.times.read = Some(Scale::Ten(-9).apply(nanos));
        self
    }

    /// Adds the time in nanoseconds since 1970 at which a counter or a histogram was
    /// zero. Only OpenMetrics has a line for it.
    #[must_use]
    pub fn created_at(mut self, nanos: u64) -> Self {
        self.times.created = Some(Scale::Ten(-9).apply(nanos));
        self
    }
}

impl Catalog {
    /// The last line of a text of OpenMetrics.
    pub const END: &'static str = text::END;

    /// Makes a catalog without metrics, whose names have the prefix of these options.
    #[must_use]
    pub fn new(options: &Options) -> Self {
        Self {
            names: FamilyNames::new(options.name_prefix()),
            buckets: Buckets::All,
            heads: Vec::new(),
            families: HashMap::new(),
            known: HashMap::new(),
            omitted: Vec::new(),
        }
    }

    /// Chooses the bounds of histograms that are written.
    #[must_use]
    pub fn with_buckets(self, buckets: Buckets) -> Self {
        Self { buckets, ..self }
    }

    /// Adds a metric that is not a virtual machine's statistic. It is called
    /// `<prefix>_<name>`, with its unit as any other. Returns `None` if another metric
    /// has the name.
    pub fn define(&mut self, stat: &StatsSchemaValue, help: &str) -> Option<Metric> {
        let head = self.names.own_head(stat, help).ok()?;
        self.heads.push(head);
        Some(Metric {
            family: self.heads.len() - 1,
            stat: stat.clone(),
            sum: None,
        })
    }

    /// Adds the statistics of a schema, and returns those that have a metric. Several
    /// virtual machines may have the same schema, or a newer one of the same provider:
    /// a statistic that is described in the same way has the same family. Of statistics
    /// that are described differently, the first has the name.
    pub fn describe(&mut self, schema: &StatsSchema) -> Vec<Metric> {
        if let Some(metrics) = self.known.get(schema) {
            return metrics.clone();
        }
        let described = Described {
            provider: &schema.provider,
            target: &schema.target,
            stats: schema.stats.as_slice(),
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
        self.known.insert(schema.clone(), metrics.clone());
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
    pub fn metadata(&self, format: Format, family: usize) -> String {
        let mut out = String::new();
        if let Some(head) = self.heads.get(family) {
            text::write_metadata(&mut out, format, head);
        }
        out
    }

    /// Writes the lines of a value, with the labels of these options.
    ///
    /// # Errors
    ///
    /// Returns the reason why the value has no line. Nothing is written then.
    pub fn write(
        &self,
        out: &mut String,
        format: Format,
        metric: &Metric,
        labels: &Options,
        object: &Object,
        point: &Point<'_>,
    ) -> Result<(), OmittedReason> {
        let Some(head) = self.heads.get(metric.family) else {
            return Err(OmittedReason::NotDescribed);
        };
        let sample = Sample {
            value: sample(&metric.stat, head.scale, point.value, point.sum)?,
            object: object.clone(),
        };
        let labels = labels.labels();
        text::write_sample(
            out,
            format,
            labels,
            head,
            &sample,
            self.buckets,
            point.times,
        );
        Ok(())
    }

    /// Returns the description of a metric; `None` for one of another catalog.
    #[must_use]
    pub fn description(&self, metric: &Metric) -> Option<Description<'_>> {
        self.heads.get(metric.family).map(Description::of)
    }

    /// Returns a value as numbers, with the chosen bounds of a histogram.
    ///
    /// # Errors
    ///
    /// Returns the reason why the value has none.
    pub fn read(&self, metric: &Metric, point: &Point<'_>) -> Result<Reading, OmittedReason> {
        let Some(head) = self.heads.get(metric.family) else {
            return Err(OmittedReason::NotDescribed);
        };
        let value = sample(&metric.stat, head.scale, point.value, point.sum)?;
        reading(&value, self.buckets).ok_or(OmittedReason::WrongValue)
    }

    /// Returns the number of lines that a value of a metric has at most, which a program
    /// can check before it writes.
    #[must_use]
    pub fn lines(&self, value: &StatsValue) -> usize {
        match value {
            StatsValue::Scalar(_) | StatsValue::Boolean(_) => 1,
            StatsValue::List(counts) => {
                let last = counts.len().saturating_sub(1);
                let bounds = (0..last).filter(|index| self.buckets.has(*index));
                // The infinite bound, the count and the sum.
                bounds.count() + 3
            }
        }
    }

    /// Returns the statistics without a metric, with the reason.
    #[must_use]
    pub fn omitted(&self) -> &[Omitted] {
        &self.omitted
    }

    /// Returns the family of a statistic; makes it if it is new.
    fn family(&mut self, described: Described<'_>, stat: &StatsSchemaValue) -> Option<usize> {
        let key = Key {
            provider: described.provider.clone(),
            target: described.target.clone(),
            stat: stat.clone(),
        };
        if let Some(family) = self.families.get(&key) {
            return *family;
        }
        let family = match self.names.head(described, stat) {
            Ok(head) => {
                self.heads.push(head);
                Some(self.heads.len() - 1)
            }
            Err(reason) => {
                self.omitted.extend(reason.map(|reason| Omitted {
                    provider: key.provider.clone(),
                    target: key.target.clone(),
                    statistic: stat.name.clone(),
                    reason,
                }));
                None
            }
        };
        self.families.insert(key, family);
        family
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use super::super::reading::MetricKind;
    use super::*;

    fn schema(stats: Vec<StatsSchemaValue>) -> StatsSchema {
        StatsSchema {
            provider: "kvm".into(),
            target: StatsTarget::Vcpu,
            stats,
        }
    }

    fn histogram() -> (StatsSchema, StatsValue, StatsValue) {
        let schema = schema(vec![
            StatsSchemaValue::log2_histogram("halt_wait_hist").seconds(-9),
            StatsSchemaValue::cumulative("halt_wait_ns").seconds(-9),
        ]);
        // A list has its highest bucket first.
        let counts = StatsValue::List(vec![3, 2, 1]);
        (schema, counts, StatsValue::Scalar(7))
    }

    const NAME: &str = "vmstats_kvm_vcpu_halt_wait_hist_seconds";

    #[test]
    fn statistics_of_two_machines_share_a_family_when_they_are_described_alike() {
        let mut catalog = Catalog::new(&Options::new());
        let exits = StatsSchemaValue::cumulative("exits");
        let first = catalog.describe(&schema(vec![exits.clone()]));
        let second = catalog.describe(&schema(vec![StatsSchemaValue::cumulative("newer"), exits]));
        assert_eq!((first.len(), second.len(), catalog.families()), (1, 2, 2));
        assert_eq!(first[0].family(), second[1].family());
        // The same name for something else has no metric.
        let other = StatsSchemaValue::instant("exits_total");
        let gauge = catalog.describe(&schema(vec![other.clone()]));
        assert!(gauge.is_empty());
        assert_eq!(catalog.omitted()[0].statistic, "exits_total");
    }

    #[test]
    fn name_is_free_when_its_first_statistic_has_no_family() {
        let mut catalog = Catalog::new(&Options::new());
        let endless = StatsSchemaValue::cumulative("exits").scaled(Some(10), i16::MAX);
        assert!(catalog.describe(&schema(vec![endless])).is_empty());
        let exits = StatsSchemaValue::cumulative("exits");
        assert_eq!(catalog.describe(&schema(vec![exits])).len(), 1);
    }

    #[test]
    fn histogram_has_exact_bounds_and_the_sum_of_its_sibling() {
        let (schema, counts, sum) = histogram();
        let mut catalog = Catalog::new(&Options::new());
        let metrics = catalog.describe(&schema);
        assert_eq!(metrics[0].sum_statistic(), Some("halt_wait_ns"));
        let point = Point::new(&counts)
            .with_sum(Some(&sum))
            .read_at(1_000_000_000)
            .created_at(500_000_000);
        let mut lines = String::new();
        let format = Format::OpenMetrics;
        let labels = Options::new();
        catalog
            .write(
                &mut lines,
                format,
                &metrics[0],
                &labels,
                &Object::Only,
                &point,
            )
            .unwrap();
        assert_eq!(
            lines,
            format!(
                "{NAME}_bucket{{le=\"0.0\"}} 1 1\n{NAME}_bucket{{le=\"1e-09\"}} 3 1\n\
                 {NAME}_bucket{{le=\"+Inf\"}} 6 1\n{NAME}_count 6 1\n{NAME}_sum 0.000000007 1\n\
                 {NAME}_created 0.5 1\n"
            )
        );
    }

    #[test]
    fn counts_stay_exact_when_bounds_are_left_out() {
        let (schema, counts, _) = histogram();
        let two = NonZeroUsize::new(2).unwrap();
        for (buckets, kept) in [
            (
                Buckets::All,
                "{le=\"0.0\"} 1\n{le=\"1e-09\"} 3\n{le=\"+Inf\"} 6\n",
            ),
            (Buckets::Every(two), "{le=\"1e-09\"} 3\n{le=\"+Inf\"} 6\n"),
            (Buckets::Infinite, "{le=\"+Inf\"} 6\n"),
        ] {
            let mut catalog = Catalog::new(&Options::new()).with_buckets(buckets);
            let metric = catalog.describe(&schema).remove(0);
            let mut lines = String::new();
            let (format, labels) = (Format::Prometheus, Options::new());
            let point = Point::new(&counts);
            catalog
                .write(&mut lines, format, &metric, &labels, &Object::Only, &point)
                .unwrap();
            let expected = kept.replace('{', &format!("{NAME}_bucket{{"));
            assert_eq!(lines, format!("{expected}{NAME}_count 6\n"));
            assert!(lines.lines().count() <= catalog.lines(&counts));
        }
    }

    #[test]
    fn value_is_rounded_once_and_buckets_are_merged_when_it_is_read_as_numbers() {
        let (schema, counts, sum) = histogram();
        let mut catalog = Catalog::new(&Options::new()).with_buckets(Buckets::Infinite);
        let metrics = catalog.describe(&schema);
        let point = Point::new(&counts).with_sum(Some(&sum));
        let read = catalog.read(&metrics[0], &point).unwrap();
        let expected = Reading::Histogram {
            bounds: Vec::new(),
            counts: vec![6],
            sum: Some(7e-9),
        };
        assert_eq!(read, expected);
        let large = StatsValue::Scalar(u64::MAX);
        let read = catalog.read(&metrics[1], &Point::new(&large)).unwrap();
        let expected = Reading::Number {
            value: 18_446_744_073.709_553,
            integer: None,
        };
        assert_eq!(read, expected);
        assert_eq!(metrics[1].base_name(), "halt_wait");
        let description = catalog.description(&metrics[1]).unwrap();
        assert_eq!(
            (description.kind, description.unit, description.is_integer),
            (MetricKind::Counter, Some("seconds"), false)
        );
        assert_eq!(description.name, "vmstats_kvm_vcpu_halt_wait_seconds");
    }

    #[test]
    fn own_metrics_have_names_that_no_statistic_takes() {
        let mut catalog = Catalog::new(&Options::new());
        let own = StatsSchemaValue::instant("kvm_vcpu_exits");
        assert!(catalog.define(&own, "Own\r\nhelp").is_some());
        assert_eq!(
            catalog.metadata(Format::Prometheus, 0),
            "# TYPE vmstats_kvm_vcpu_exits gauge\n# HELP vmstats_kvm_vcpu_exits Own\\\\r\\\\nhelp\n"
        );
        assert!(catalog.define(&own, "Again").is_none());
        let exits = StatsSchemaValue::cumulative("exits");
        assert!(catalog.describe(&schema(vec![exits])).is_empty());
    }
}
