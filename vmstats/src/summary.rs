//! A span of samples of one virtual machine, in a few numbers for each statistic.
//!
//! In: samples in the order of time. Out: rates over the time that was covered, means,
//! extremes, sums of histograms, and what happened in between. Nothing here knows where
//! the samples come from, or what other spans have.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use qapi_stats::stats::{StatsProvider, StatsTarget};

use crate::measure;
use crate::rates::{Change, Comparison, Life, ObjectChanges, add_buckets, begin, compare, sum};
use crate::sample::{Kind, Object, ObjectId, Sample, Stat, Table, Timestamp, Value};

/// The number of events that a summary lists; further ones are counted.
const EVENTS_MAX: usize = 1_000;

/// A sample with its changes since the sample before.
#[derive(Debug)]
pub struct Step<'a> {
    /// The sample before; `None` for the first one.
    pub before: Option<&'a Sample>,
    /// The sample.
    pub after: &'a Sample,
    /// The changes; `None` for the first sample, and after a gap.
    pub comparison: Option<Comparison<'a>>,
    /// The time that the answer took, if that is as long as a gap.
    pub delay: Option<Duration>,
}

impl<'a> Step<'a> {
    /// Compares a sample with the one before. A longer time than `gap_min` between the
    /// two was not covered, so that nothing is known of it.
    #[must_use]
    pub fn new(before: Option<&'a Sample>, after: &'a Sample, gap_min: Duration) -> Self {
        let near = before.filter(|before| after.window.begin.since(before.window.end) <= gap_min);
        Self {
            before,
            after,
            comparison: near.map(|before| compare(before, after)),
            delay: Some(after.window.length()).filter(|delay| *delay >= gap_min),
        }
    }

    /// Returns the length of the gap before the sample; `None` without a gap.
    #[must_use]
    pub fn gap(&self) -> Option<Duration> {
        let before = self.before.filter(|_| self.comparison.is_none())?;
        Some(self.after.window.begin.since(before.window.end))
    }

    /// Returns whether the virtual machine was started again before the sample.
    #[must_use]
    pub fn is_restarted(&self) -> bool {
        self.before
            .is_some_and(|before| before.run != self.after.run)
    }

    /// Returns each object with its changes.
    pub fn objects(&self) -> impl Iterator<Item = (&'a Object, ObjectChanges)> {
        let changes = self.comparison.as_ref().map(|one| one.objects.clone());
        let changes =
            changes.unwrap_or_else(|| self.after.objects.iter().map(begin).collect::<Vec<_>>());
        self.after.objects.iter().zip(changes)
    }
}

/// An event in the life of a virtual machine.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The time of the first sample after the event.
    pub at: Timestamp,
    /// The event.
    pub happening: Happening,
}

/// A kind of event.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// The virtual machine was started again.
    Restarted,
    /// No sample was taken for this time.
    Gap(Duration),
    /// The monitor took this time to answer, as one does that hangs.
    Late(Duration),
    /// An object counts from zero again.
    Reset(StatsTarget, ObjectId),
    /// An object was plugged in.
    Appeared(StatsTarget, ObjectId),
    /// An object was unplugged.
    Gone(StatsTarget, ObjectId),
}

/// A span of one virtual machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// The times of the first and the last sample; `None` without samples.
    pub times: Option<(Timestamp, Timestamp)>,
    /// The number of samples.
    pub samples: u64,
    /// The time between samples that can be compared, in seconds.
    pub covered_seconds: f64,
    /// The events, the earliest first.
    pub events: Vec<Event>,
    /// The number of events beyond those that are listed.
    pub events_unlisted: u64,
    /// The provider, the target and the reason of absent values, each once.
    pub absences: Vec<String>,
    /// The statistics.
    pub groups: Vec<Group>,
}

/// The statistics of one object, or of all objects of a provider and target.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The provider.
    pub provider: StatsProvider,
    /// The kind of object.
    pub target: StatsTarget,
    /// The object; `None` for all objects together.
    pub object: Option<ObjectId>,
    /// The statistics, in the order of the schema.
    pub series: Vec<Series>,
    /// The table of the last object, and the place of each of its statistics.
    places: Option<(Arc<Table>, Vec<usize>)>,
}

/// A statistic over a span.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// The statistic.
    pub stat: Stat,
    /// Its values; `None` if nothing could be read or compared.
    pub figure: Option<Figure>,
    /// The number of pairs of samples that were left out, because a counter was reset,
    /// went back or could not be read.
    pub left_out: u64,
    partial: Partial,
}

/// The values of a statistic over a span, by its kind.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// The growth of a counter.
    Counter {
        /// The growth.
        increase: u128,
        /// The time that the growth took, in seconds.
        seconds: f64,
    },
    /// A gauge.
    Gauge {
        /// The sum over the samples.
        sum: u128,
        /// The number of samples.
        samples: u64,
        /// The lowest value.
        min: u128,
        /// The highest value.
        max: u128,
    },
    /// A truth value.
    Boolean {
        /// The number of values that are true.
        true_count: u64,
        /// The number of values.
        samples: u64,
    },
    /// The maximum of a peak.
    Peak(u64),
    /// The growth of a histogram's buckets.
    Histogram {
        /// The growths, the lowest bucket first.
        increases: Vec<u64>,
        /// The time that the growth took, in seconds.
        seconds: f64,
    },
}

impl Figure {
    /// Returns one number for the span: a rate per second, a mean, the share
    /// of true values, or a maximum. Returns `None` if no time has passed.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a mean is rounded anyway")]
    pub fn level(&self) -> Option<f64> {
        let per = |sum: f64, count: f64| (count > 0.0).then(|| sum / count);
        match self {
            Self::Counter { increase, seconds } => per(*increase as f64, *seconds),
            Self::Histogram { increases, seconds } => per(sum(increases) as f64, *seconds),
            Self::Gauge { sum, samples, .. } => per(*sum as f64, *samples as f64),
            Self::Boolean {
                true_count,
                samples,
            } => per(*true_count as f64, *samples as f64),
            Self::Peak(highest) => Some(*highest as f64),
        }
    }

    /// Returns the smallest difference that one event or one unit makes in
    /// [`level`](Self::level).
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub fn resolution(&self) -> f64 {
        match self {
            Self::Counter { seconds, .. } | Self::Histogram { seconds, .. } => 1.0 / seconds,
            Self::Boolean { samples, .. } => 1.0 / *samples as f64,
            Self::Gauge { .. } | Self::Peak(_) => 1.0,
        }
    }
}

/// The values of the objects of a group in one sample.
#[derive(Clone, Debug, Default, PartialEq)]
struct Partial {
    increase: u128,
    buckets: Vec<u64>,
    seconds: f64,
    compared: u32,
    is_broken: bool,
    level: u128,
    highest: u64,
    true_count: u64,
    levels: u64,
}

/// Adds up samples.
#[derive(Debug)]
pub struct Summarizer {
    by_object: bool,
    only: Option<StatsProvider>,
    summary: Summary,
    by_key: HashMap<(StatsProvider, StatsTarget, Option<ObjectId>), usize>,
}

impl Summarizer {
    /// Starts without samples. The objects of a kind are combined unless `by_object`.
    #[must_use]
    pub fn new(by_object: bool) -> Self {
        Self {
            by_object,
            only: None,
            summary: Summary::default(),
            by_key: HashMap::new(),
        }
    }

    /// Leaves out the statistics of other providers.
    #[must_use]
    pub fn only(self, provider: StatsProvider) -> Self {
        Self {
            only: Some(provider),
            ..self
        }
    }

    /// Adds a sample.
    pub fn add(&mut self, step: &Step<'_>) {
        let at = step.after.window.middle();
        let summary = &mut self.summary;
        summary.samples += 1;
        summary.times = Some((summary.times.map_or(at, |(first, _)| first), at));
        if let (Some(before), Some(comparison)) = (step.before, &step.comparison)
            && !comparison.is_restarted
        {
            summary.covered_seconds += at.since(before.window.middle()).as_secs_f64();
        }
        for absence in &step.after.absences {
            let (provider, target) = (&absence.provider, &absence.target);
            let reason = format!("{provider} {target}: {}", absence.reason);
            if !summary.absences.contains(&reason) && summary.absences.len() < EVENTS_MAX {
                summary.absences.push(reason);
            }
        }
        for happening in happenings(step) {
            if self.summary.events.len() < EVENTS_MAX {
                self.summary.events.push(Event { at, happening });
            } else {
                self.summary.events_unlisted += 1;
            }
        }
        for (object, changes) in step.objects() {
            if self
                .only
                .as_ref()
                .is_some_and(|only| *only != object.table.provider)
            {
                continue;
            }
            self.add_object(object, &changes);
        }
        for group in &mut self.summary.groups {
            group.end_sample();
        }
    }

    /// Returns the summary.
    #[must_use]
    pub fn finish(self) -> Summary {
        self.summary
    }

    fn add_object(&mut self, object: &Object, changes: &ObjectChanges) {
        let id = self.by_object.then(|| object.id.clone());
        let key = (
            object.table.provider.clone(),
            object.table.target.clone(),
            id,
        );
        let groups = &mut self.summary.groups;
        let place = *self.by_key.entry(key).or_insert_with_key(|key| {
            groups.push(Group::new(key.clone()));
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.add(object, changes);
        }
    }
}

/// Returns what happened between two samples.
fn happenings(step: &Step<'_>) -> Vec<Happening> {
    let mut happenings = Vec::new();
    if let Some(gap) = step.gap() {
        happenings.push(Happening::Gap(gap));
    }
    happenings.extend(step.delay.map(Happening::Late));
    if step.is_restarted() {
        happenings.push(Happening::Restarted);
    }
    let Some(comparison) = step.comparison.as_ref().filter(|one| !one.is_restarted) else {
        return happenings;
    };
    let mut tell = |happening: Happening| {
        // Several providers have statistics of one vCPU.
        if !happenings.contains(&happening) {
            happenings.push(happening);
        }
    };
    for object in &comparison.gone {
        tell(Happening::Gone(
            object.table.target.clone(),
            object.id.clone(),
        ));
    }
    for (object, changes) in step.after.objects.iter().zip(&comparison.objects) {
        let (target, id) = (object.table.target.clone(), object.id.clone());
        match changes.life {
            Life::Continues => {}
            Life::Appeared => tell(Happening::Appeared(target, id)),
            Life::Reset => tell(Happening::Reset(target, id)),
        }
    }
    happenings
}

impl Group {
    fn new((provider, target, object): (StatsProvider, StatsTarget, Option<ObjectId>)) -> Self {
        Self {
            provider,
            target,
            object,
            series: Vec::new(),
            places: None,
        }
    }

    fn add(&mut self, object: &Object, changes: &ObjectChanges) {
        self.follow(&object.table);
        let Some((_, places)) = &self.places else {
            return;
        };
        let elapsed = changes.elapsed.map_or(0.0, |elapsed| elapsed.seconds);
        let values = object.values.iter().zip(&changes.changes).zip(places);
        for ((value, change), place) in values {
            if let Some(series) = self.series.get_mut(*place) {
                series.partial.add(value, change, elapsed);
            }
        }
    }

    /// Finds the place of each statistic of a table.
    fn follow(&mut self, table: &Arc<Table>) {
        if let Some((last, _)) = &self.places
            && Arc::ptr_eq(last, table)
        {
            return;
        }
        let mut places = Vec::new();
        for stat in &table.stats {
            // Match by name and kind only: after an upgrade the unit may differ.
            let place = self.series.iter().position(|one| {
                one.stat == *stat || (one.stat.name == stat.name && one.stat.kind == stat.kind)
            });
            places.push(place.unwrap_or_else(|| {
                self.series.push(Series {
                    stat: stat.clone(),
                    figure: None,
                    left_out: 0,
                    partial: Partial::default(),
                });
                self.series.len() - 1
            }));
        }
        self.places = Some((Arc::clone(table), places));
    }

    fn end_sample(&mut self) {
        for series in &mut self.series {
            let partial = std::mem::take(&mut series.partial);
            series.add(partial);
        }
    }
}

impl Partial {
    fn add(&mut self, value: &Value, change: &Change, elapsed: f64) {
        match (change, value) {
            (Change::Increase(increase), _) => {
                self.increase += u128::from(*increase);
                self.compared += 1;
                self.seconds += elapsed;
            }
            (Change::Buckets(increases), _) => {
                add_buckets(&mut self.buckets, increases);
                self.compared += 1;
                self.seconds += elapsed;
            }
            (Change::Reset | Change::WentBack(_) | Change::Absent, _) => self.is_broken = true,
            (Change::Level, Value::Number(number)) => {
                self.levels += 1;
                self.level += u128::from(*number);
                self.highest = self.highest.max(*number);
                self.true_count += u64::from(*number != 0);
            }
            (Change::Level, Value::Boolean(value)) => {
                self.levels += 1;
                self.true_count += u64::from(*value);
            }
            (Change::Begins | Change::Level, _) => {}
        }
    }
}

impl Series {
    /// Adds the values of one sample. If one of several counters cannot be compared, the
    /// pair of samples counts for none of them, because the sum would be too low.
    fn add(&mut self, partial: Partial) {
        let is_counted = matches!(self.stat.kind, Kind::Counter | Kind::Histogram);
        if is_counted && partial.is_broken {
            self.left_out += 1;
            return;
        }
        if is_counted && partial.compared > 0 {
            // Objects of one sample are read at slightly different times.
            let elapsed = partial.seconds / f64::from(partial.compared);
            self.grow(partial, elapsed);
        } else if !is_counted && partial.levels > 0 {
            self.stay(&partial);
        }
    }

    fn grow(&mut self, partial: Partial, elapsed: f64) {
        let is_histogram = self.stat.kind == Kind::Histogram;
        let figure = self.figure.get_or_insert(if is_histogram {
            Figure::Histogram {
                increases: Vec::new(),
                seconds: 0.0,
            }
        } else {
            Figure::Counter {
                increase: 0,
                seconds: 0.0,
            }
        });
        match figure {
            Figure::Counter { increase, seconds } => {
                *increase += partial.increase;
                *seconds += elapsed;
            }
            Figure::Histogram { increases, seconds } => {
                add_buckets(increases, &partial.buckets);
                *seconds += elapsed;
            }
            Figure::Gauge { .. } | Figure::Boolean { .. } | Figure::Peak(_) => {}
        }
    }

    fn stay(&mut self, partial: &Partial) {
        let figure = self.figure.get_or_insert(match self.stat.kind {
            Kind::Boolean => Figure::Boolean {
                true_count: 0,
                samples: 0,
            },
            Kind::Peak => Figure::Peak(0),
            _ => Figure::Gauge {
                sum: 0,
                samples: 0,
                min: u128::MAX,
                max: 0,
            },
        });
        match figure {
            Figure::Gauge {
                sum,
                samples,
                min,
                max,
            } => {
                *sum += partial.level;
                *samples += 1;
                *min = partial.level.min(*min);
                *max = partial.level.max(*max);
            }
            Figure::Boolean {
                true_count,
                samples,
            } => {
                *true_count += partial.true_count;
                *samples += partial.levels;
            }
            Figure::Peak(highest) => *highest = partial.highest.max(*highest),
            Figure::Counter { .. } | Figure::Histogram { .. } => {}
        }
    }
}

/// Returns a level of a statistic with its unit.
#[must_use]
pub fn level(stat: &Stat, level: f64) -> String {
    let meaning = stat.schema.as_ref();
    match stat.kind {
        Kind::Counter => {
            let text = measure::rate(level, meaning);
            if text.ends_with("/s") {
                text
            } else {
                format!("{text}/s")
            }
        }
        Kind::Histogram => format!("{}/s", measure::rate(level, None)),
        Kind::Boolean => format!("{} %", measure::rate(level * 100.0, None)),
        Kind::Gauge | Kind::Peak | Kind::Unknown => measure::mean(level, meaning),
    }
}
