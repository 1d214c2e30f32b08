//! Families of metrics: a statistic, with the values of all of its objects.
//!
//! In: a schema and results. Out: families, and the statistics that a family
//! cannot have. This file knows neither the registry nor the text's form.

use std::collections::{HashMap, HashSet};

use qapi_stats::stats::{
    StatsProvider, StatsResult, StatsSchemaValue, StatsTarget, StatsType, StatsUnit, StatsValue,
};

use super::decimal::{Decimal, Scale};
use super::names::{is_sum_of, sanitized, stem, unit};
use super::omitted::{Omitted, OmittedReason};

/// The metrics of one statistic.
#[derive(Clone, Debug)]
pub(super) struct Family {
    pub(super) head: Head,
    pub(super) samples: Vec<Sample>,
}

/// The description of a family.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// The name, without the `_total` of a counter.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) unit: Option<String>,
    pub(super) help: String,
    /// The power by which the statistic's integers are multiplied.
    pub(super) scale: Scale,
}

/// The type of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
    /// The statistic has no description, or a type that this build does not know.
    Unknown,
}

/// The value of one object.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) object: Object,
    pub(super) value: SampleValue,
}

/// The object of a sample, as a label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Object {
    /// The VM, or the only object of another target.
    Only,
    /// The vCPU with this index.
    Vcpu(u64),
    /// The object at this QOM path.
    Path(String),
}

#[derive(Clone, Debug)]
pub(super) enum SampleValue {
    Number(Decimal),
    Histogram {
        /// The bounds of all buckets but the last, which has none. A bound is the
        /// highest value that its bucket counts.
        bounds: Vec<Decimal>,
        /// The counts of all buckets.
        counts: Vec<u64>,
        sum: Option<Decimal>,
    },
}

impl Kind {
    fn of(type_: &StatsType) -> Self {
        match type_ {
            StatsType::Cumulative => Self::Counter,
            StatsType::Instant | StatsType::Peak => Self::Gauge,
            StatsType::LinearHistogram | StatsType::Log2Histogram => Self::Histogram,
            StatsType::Unknown(_) => Self::Unknown,
        }
    }

    /// Returns what the names of samples may have after the family's name. A
    /// family's own name is among them, because another family cannot have it.
    fn suffixes(self) -> &'static [&'static str] {
        match self {
            Self::Counter => &["", "_total", "_created"],
            Self::Gauge | Self::Unknown => &[""],
            Self::Histogram => &["", "_bucket", "_count", "_sum", "_created"],
        }
    }
}

/// The names that families have, each the name of one statistic.
#[derive(Clone, Debug)]
pub(super) struct FamilyNames {
    prefix: String,
    /// The names of samples that a statistic has, and that statistic.
    taken: HashMap<String, String>,
}

impl FamilyNames {
    pub(super) fn new(prefix: &str) -> Self {
        Self {
            prefix: prefix.to_owned(),
            taken: HashMap::new(),
        }
    }

    /// Describes the family of a statistic, and takes its names.
    ///
    /// # Errors
    ///
    /// Returns the reason why the statistic has no family, or `None` if the samples of
    /// a histogram have the statistic already.
    pub(super) fn head(
        &mut self,
        described: Described<'_>,
        stat: &StatsSchemaValue,
    ) -> Result<Head, Option<OmittedReason>> {
        let Described {
            provider,
            target,
            stats,
        } = described;
        let name = [
            self.prefix.as_str(),
            &sanitized(provider.name()),
            &sanitized(target.name()),
            &stem(stat),
        ]
        .join("_");
        let owner = format!("{provider} {target} {}", stat.name);
        let taken = match self.take(name, stat, owner, help(described, stat)) {
            Err(OmittedReason::NameTaken(taken)) => taken,
            outcome => return outcome.map_err(Some),
        };
        let is_in_histogram = stats.iter().any(|other| is_sum(stat, other));
        Err((!is_in_histogram).then_some(OmittedReason::NameTaken(taken)))
    }

    /// Describes the family of a metric of another kind than a statistic, and takes its names.
    ///
    /// # Errors
    ///
    /// Returns the reason why the metric has no family.
    pub(super) fn own_head(
        &mut self,
        stat: &StatsSchemaValue,
        help: &str,
    ) -> Result<Head, OmittedReason> {
        let name = [self.prefix.as_str(), &stem(stat)].join("_");
        self.take(name, stat, stat.name.clone(), help.to_owned())
    }

    /// Takes the names of a family.
    fn take(
        &mut self,
        name: String,
        stat: &StatsSchemaValue,
        owner: String,
        help: String,
    ) -> Result<Head, OmittedReason> {
        let kind = Kind::of(&stat.type_);
        let scale = Scale::new(stat.base, stat.exponent).ok_or(OmittedReason::Exponent)?;
        if let Some(taken) = self.taken_by(&name, kind) {
            return Err(OmittedReason::NameTaken(taken));
        }
        for suffix in kind.suffixes() {
            self.taken.insert(format!("{name}{suffix}"), owner.clone());
        }
        Ok(Head {
            name,
            kind,
            unit: unit(stat),
            help: visible(&help),
            scale,
        })
    }

    /// Returns the statistic that has one of the names of a new family.
    fn taken_by(&self, name: &str, kind: Kind) -> Option<String> {
        let mut names = kind
            .suffixes()
            .iter()
            .map(|suffix| format!("{name}{suffix}"));
        names.find_map(|name| self.taken.get(&name).cloned())
    }
}

/// The families of all providers, while they are collected.
#[derive(Debug)]
pub(super) struct Families<'a> {
    names: FamilyNames,
    /// The vCPUs' paths, with their indexes.
    vcpus: HashMap<&'a str, u64>,
    pub(super) families: Vec<Family>,
    pub(super) omitted: Vec<Omitted>,
}

/// The statistics of one provider for one target.
#[derive(Clone, Copy, Debug)]
pub(super) struct Described<'a> {
    pub(super) provider: &'a StatsProvider,
    pub(super) target: &'a StatsTarget,
    pub(super) stats: &'a [StatsSchemaValue],
}

/// The values of one object, by the name of the statistic.
struct Values<'a> {
    object: Object,
    values: HashMap<&'a str, &'a StatsValue>,
}

impl<'a> Families<'a> {
    pub(super) fn new(prefix: &'a str, vcpus: &'a [(u64, String)]) -> Self {
        Self {
            names: FamilyNames::new(prefix),
            vcpus: vcpus
                .iter()
                .map(|(index, path)| (path.as_str(), *index))
                .collect(),
            families: Vec::new(),
            omitted: Vec::new(),
        }
    }

    /// Adds the results of one provider for one target.
    pub(super) fn add(&mut self, described: Described<'_>, results: &[StatsResult]) {
        let values: Vec<_> = results
            .iter()
            .map(|result| self.values(described.target, result))
            .collect();
        let (histograms, others): (Vec<_>, Vec<_>) =
            described.stats.iter().partition(|stat| stat.is_histogram());
        // Histograms come first, because a histogram `sizes` takes the name
        // `sizes_sum` also for its sum, which is a statistic of its own.
        for stat in histograms.into_iter().chain(others) {
            self.add_described(described, stat, &values);
        }
        let names: HashSet<_> = described.stats.iter().map(|stat| &*stat.name).collect();
        for Values { values, .. } in &values {
            let mut undescribed: Vec<_> = values
                .keys()
                .filter(|name| !names.contains(*name))
                .collect();
            undescribed.sort_unstable();
            for name in undescribed {
                self.omit(described, name, OmittedReason::NotDescribed);
            }
        }
    }

    fn values<'r>(&self, target: &StatsTarget, result: &'r StatsResult) -> Values<'r> {
        let object = match &result.qom_path {
            None => Object::Only,
            Some(path) => match self.vcpus.get(path.as_str()) {
                Some(index) if *target == StatsTarget::Vcpu => Object::Vcpu(*index),
                _ => Object::Path(path.clone()),
            },
        };
        let mut values = HashMap::new();
        for stats in &result.stats {
            // The first description is that of the first value.
            values.entry(stats.name.as_str()).or_insert(&stats.value);
        }
        Values { object, values }
    }

    fn add_described(
        &mut self,
        described: Described<'_>,
        stat: &StatsSchemaValue,
        objects: &[Values<'_>],
    ) {
        let head = match self.names.head(described, stat) {
            Ok(head) => head,
            Err(Some(reason)) => return self.omit(described, &stat.name, reason),
            Err(None) => return,
        };
        let sum = sum_of(described, stat);
        let mut samples = Vec::new();
        let mut seen = HashSet::new();
        for Values { object, values } in objects {
            let Some(value) = values.get(stat.name.as_str()) else {
                continue;
            };
            if !seen.insert(object) {
                self.omit(described, &stat.name, OmittedReason::ObjectTwice);
                continue;
            }
            let sum = sum.and_then(|sum| values.get(sum.name.as_str()));
            match sample(stat, head.scale, value, sum.copied()) {
                Ok(value) => samples.push(Sample {
                    object: object.clone(),
                    value,
                }),
                Err(reason) => self.omit(described, &stat.name, reason),
            }
        }
        if !samples.is_empty() {
            self.families.push(Family { head, samples });
        }
    }

    /// Notes a statistic that is left out, once for each reason.
    fn omit(&mut self, described: Described<'_>, statistic: &str, reason: OmittedReason) {
        let omitted = Omitted {
            provider: described.provider.clone(),
            target: described.target.clone(),
            statistic: statistic.to_owned(),
            reason,
        };
        if !self.omitted.contains(&omitted) {
            self.omitted.push(omitted);
        }
    }
}

/// Returns the statistic that is the sum of what a histogram counts.
pub(super) fn sum_of<'a>(
    described: Described<'a>,
    histogram: &StatsSchemaValue,
) -> Option<&'a StatsSchemaValue> {
    described
        .stats
        .iter()
        .find(|other| is_sum(other, histogram))
}

/// Returns whether one statistic is the sum of what another one counts.
fn is_sum(sum: &StatsSchemaValue, histogram: &StatsSchemaValue) -> bool {
    histogram.is_histogram()
        && sum.type_ == StatsType::Cumulative
        && (&sum.unit, sum.base, sum.exponent)
            == (&histogram.unit, histogram.base, histogram.exponent)
        && is_sum_of(&sum.name, &histogram.name)
}

/// Returns the description of a family: the names as the provider has them, and
/// the meaning of the original numbers.
fn help(described: Described<'_>, stat: &StatsSchemaValue) -> String {
    let Described {
        provider, target, ..
    } = described;
    let mut help = format!("{provider} {target} {} ({}", stat.name, stat.type_);
    if let (Some(base), 1.. | ..=-1) = (stat.base, stat.exponent) {
        help.push_str(&format!(", {base}^{}", stat.exponent));
    } else if stat.unit.is_some() {
        help.push(',');
    }
    if let Some(unit) = &stat.unit {
        help.push_str(&format!(" {unit}"));
    }
    help.push(')');
    help
}

/// Returns a text with its control characters escaped, because not every parser of the
/// text accepts them.
fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            visible.extend(character.escape_default());
        } else {
            visible.push(character);
        }
    }
    visible
}

/// Returns the sample of a value, or the reason why the value has no sample.
pub(super) fn sample(
    stat: &StatsSchemaValue,
    scale: Scale,
    value: &StatsValue,
    sum: Option<&StatsValue>,
) -> Result<SampleValue, OmittedReason> {
    let is_counter = stat.type_ == StatsType::Cumulative;
    match value {
        _ if stat.is_histogram() => histogram(stat, scale, value, sum),
        StatsValue::Scalar(value) if stat.unit == Some(StatsUnit::Boolean) && *value > 1 => {
            Err(OmittedReason::WrongValue)
        }
        StatsValue::Scalar(value) => Ok(SampleValue::Number(scale.apply(*value))),
        StatsValue::Boolean(value) if !is_counter => {
            Ok(SampleValue::Number(Scale::Ten(0).apply(u64::from(*value))))
        }
        StatsValue::Boolean(_) | StatsValue::List(_) => Err(OmittedReason::WrongValue),
    }
}

fn histogram(
    stat: &StatsSchemaValue,
    scale: Scale,
    value: &StatsValue,
    sum: Option<&StatsValue>,
) -> Result<SampleValue, OmittedReason> {
    let counts = match value {
        StatsValue::Boolean(_) => return Err(OmittedReason::WrongValue),
        // A histogram of one bucket is a scalar on the wire.
        value => value.lowest_first(),
    };
    let Some(last) = counts.len().checked_sub(1) else {
        return Err(OmittedReason::Buckets);
    };
    let bounds: Option<Vec<_>> = (0..last).map(|index| highest(stat, index)).collect();
    let Some(bounds) = bounds else {
        return Err(OmittedReason::Buckets);
    };
    let sum = match sum {
        Some(StatsValue::Scalar(sum)) => Some(scale.apply(*sum)),
        _ => None,
    };
    Ok(SampleValue::Histogram {
        bounds: bounds.into_iter().map(|bound| scale.apply(bound)).collect(),
        counts,
        sum,
    })
}

/// Returns the highest integer that the bucket at `index` counts, or `None` if the
/// integer is above the highest value.
fn highest(stat: &StatsSchemaValue, index: usize) -> Option<u64> {
    let number = u64::try_from(index).ok()?;
    match stat.type_ {
        StatsType::LinearHistogram => {
            let width = stat.bucket_size.filter(|width| *width > 0)?;
            let lowest = number.checked_mul(u64::from(width))?;
            lowest.checked_add(u64::from(width - 1))
        }
        // Do not ask `bucket_bounds`: its bound above bucket 64, which is 2^64, has
        // no place in its type.
        _ => match u32::try_from(index).ok()? {
            0 => Some(0),
            index => Some(u64::MAX >> 64u32.checked_sub(index)?),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(type_: StatsType, bucket_size: Option<u32>) -> StatsSchemaValue {
        StatsSchemaValue::new("x", type_).with_bucket_size(bucket_size)
    }

    #[test]
    fn bound_is_the_highest_integer_of_a_bucket_at_all_powers() {
        let log2 = stat(StatsType::Log2Histogram, None);
        for power in 1..64 {
            let end = 1u64 << power;
            // A bucket's index is the number of bits of its values.
            let index = |value: u64| (64 - value.leading_zeros()) as usize;
            assert_eq!(highest(&log2, index(end - 1)), Some(end - 1));
            assert_eq!(highest(&log2, index(end)), Some(end - 1 + end));
            assert!(highest(&log2, index(end + 1)) >= Some(end + 1));
        }
        assert_eq!(highest(&log2, 0), Some(0));
        assert_eq!(highest(&log2, 64), Some(u64::MAX));
        assert_eq!(highest(&log2, 65), None);
    }

    #[test]
    fn bound_of_a_linear_bucket_is_below_the_next_bucket() {
        let linear = stat(StatsType::LinearHistogram, Some(500));
        assert_eq!(highest(&linear, 0), Some(499));
        assert_eq!(highest(&linear, 2), Some(1499));
        assert_eq!(highest(&stat(StatsType::LinearHistogram, Some(0)), 0), None);
        assert_eq!(highest(&stat(StatsType::LinearHistogram, None), 0), None);
        let wide = stat(StatsType::LinearHistogram, Some(u32::MAX));
        assert_eq!(highest(&wide, usize::MAX), None);
    }
}
