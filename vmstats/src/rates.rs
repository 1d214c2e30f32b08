//! How statistics change between two samples.
//!
//! In: two samples of one virtual machine. Out: for each object and statistic the growth
//! with the time that it took, or the reason why the growth is unknown. A series is
//! compared before series are summed, because a counter that was reset would otherwise
//! hide in a sum.

use std::collections::HashSet;
use std::time::Duration;

use qapi_stats::stats::StatsUnit;

use crate::sample::{Kind, Object, Sample, Value, Window};

/// The time between two readings of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elapsed {
    /// The time from the middle of one window to the middle of the other, in seconds.
    pub seconds: f64,
    /// The largest error of `seconds`: a value is read anywhere within its window.
    pub error_seconds: f64,
}

impl Elapsed {
    /// Returns the time between two windows; zero if the second is not later.
    #[must_use]
    pub fn between(before: Window, after: Window) -> Self {
        let half = |window: Window| window.length().as_secs_f64() / 2.0;
        Self {
            seconds: after.middle().since(before.middle()).as_secs_f64(),
            error_seconds: half(before) + half(after),
        }
    }

    /// Returns the rate of a growth per second; `None` if no time has passed.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
    pub fn rate(&self, increase: u64) -> Option<f64> {
        (self.seconds > 0.0).then(|| increase as f64 / self.seconds)
    }
}

/// The change of one series.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// A counter grew by this much.
    Increase(u64),
    /// The buckets of a histogram grew by this much, the lowest bucket first.
    Buckets(Box<[u64]>),
    /// The value has no rate: a gauge, a truth value, a peak, or a type that this build
    /// does not know.
    Level,
    /// The series has no earlier value: its object is new, or its value was absent.
    Begins,
    /// The counter is lower than before by this much, although it only grows, and its
    /// object was not reset. Some of the kernel's counters go back a little.
    WentBack(u64),
    /// The object counts from zero again.
    Reset,
    /// The value could not be read.
    Absent,
}

/// The life of an object between two samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Life {
    /// The object was there before.
    Continues,
    /// The object was not there before: the first sample, or a vCPU that was plugged in.
    Appeared,
    /// The object counts from zero again: a vCPU was unplugged and plugged in between
    /// the samples, or its statistics were reset.
    Reset,
}

/// The changes of one object.
#[derive(Clone, Debug, PartialEq)]
pub struct ObjectChanges {
    /// How the object came through the time between the samples.
    pub life: Life,
    /// The time between the readings; `None` if the object was not there before.
    pub elapsed: Option<Elapsed>,
    /// A change for each statistic of the object's table, in its order.
    pub changes: Vec<Change>,
}

/// The changes of a virtual machine between two samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison<'a> {
    /// True if the virtual machine was started again between the samples. All its series
    /// begin then.
    pub is_restarted: bool,
    /// The changes of each object of the later sample, in its order.
    pub objects: Vec<ObjectChanges>,
    /// The objects that are in the earlier sample only: unplugged vCPUs.
    pub gone: Vec<&'a Object>,
}

/// Compares a sample with an earlier one.
#[must_use]
pub fn compare<'a>(before: &'a Sample, after: &Sample) -> Comparison<'a> {
    if before.run != after.run {
        return Comparison {
            is_restarted: true,
            objects: after.objects.iter().map(begin).collect(),
            gone: Vec::new(),
        };
    }
    // Objects keep their order from sample to sample, so the next one is nearly always
    // the one looked for.
    let mut next = 0;
    let mut is_found = vec![false; before.objects.len()];
    let mut find = |object: &Object| {
        let order = (next..before.objects.len()).chain(0..next);
        let place = order.into_iter().find(|place| {
            before
                .objects
                .get(*place)
                .is_some_and(|other| other.is(object))
        })?;
        next = place + 1;
        if let Some(flag) = is_found.get_mut(place) {
            *flag = true;
        }
        before.objects.get(place)
    };
    let objects = after.objects.iter();
    let mut objects: Vec<ObjectChanges> = objects
        .map(|object| match find(object) {
            Some(earlier) => compare_objects(earlier, object),
            None => begin(object),
        })
        .collect();
    reset_replugged(&after.objects, &mut objects);
    let gone = before.objects.iter().zip(&is_found);
    Comparison {
        is_restarted: false,
        objects,
        gone: gone
            .filter(|(_, is_found)| !**is_found)
            .map(|(object, _)| object)
            .collect(),
    }
}

/// Makes all objects of a vCPU begin again if one of them did. A vCPU that was unplugged
/// and plugged in has counters that passed their old values beside others that did not.
/// Each provider's counters alone would look as if some had gone back.
fn reset_replugged(objects: &[Object], changes: &mut [ObjectChanges]) {
    let reset: HashSet<i64> = objects
        .iter()
        .zip(changes.iter())
        .filter(|(_, changes)| changes.life == Life::Reset)
        .filter_map(|(object, _)| object.id.index)
        .collect();
    if reset.is_empty() {
        return;
    }
    for (object, changes) in objects.iter().zip(changes) {
        if object.id.index.is_some_and(|index| reset.contains(&index)) {
            changes.reset();
        }
    }
}

/// Returns the changes of an object that was not there before.
#[must_use]
pub fn begin(object: &Object) -> ObjectChanges {
    let stats = object.table.stats.iter().zip(&object.values);
    ObjectChanges {
        life: Life::Appeared,
        elapsed: None,
        changes: stats
            .map(|(stat, value)| match value {
                Value::Absent => Change::Absent,
                _ if is_counted(stat.kind) => Change::Begins,
                _ => Change::Level,
            })
            .collect(),
    }
}

/// Compares an object with itself at an earlier time.
#[must_use]
pub fn compare_objects(before: &Object, after: &Object) -> ObjectChanges {
    let stats = after.table.stats.iter().zip(&after.values).enumerate();
    let has_same_table = std::sync::Arc::ptr_eq(&before.table, &after.table);
    let earlier = |place: usize, name: &str| {
        if has_same_table {
            before.values.get(place)
        } else {
            before.value(name)
        }
    };
    let changes: Vec<Change> = stats
        .map(|(place, (stat, value))| change(stat.kind, earlier(place, &stat.name), value))
        .collect();
    let mut changes = ObjectChanges {
        life: Life::Continues,
        elapsed: Some(Elapsed::between(before.window, after.window)),
        changes,
    };
    if is_reset(&changes.changes) {
        changes.reset();
    }
    changes
}

impl ObjectChanges {
    /// Makes the object's counters count from zero.
    fn reset(&mut self) {
        self.life = Life::Reset;
        for change in &mut self.changes {
            if matches!(
                change,
                Change::Increase(_) | Change::Buckets(_) | Change::WentBack(_)
            ) {
                *change = Change::Reset;
            }
        }
    }
}

/// Returns whether an object counts from zero again: some of its counters went back,
/// and none grew. A single counter that goes back is not a reset: some of KVM's do, but
/// then others grow.
fn is_reset(changes: &[Change]) -> bool {
    let went_back = changes
        .iter()
        .any(|change| matches!(change, Change::WentBack(_)));
    let grew = |change: &Change| match change {
        Change::Increase(increase) => *increase > 0,
        Change::Buckets(buckets) => buckets.iter().any(|increase| *increase > 0),
        _ => false,
    };
    went_back && !changes.iter().any(grew)
}

fn is_counted(kind: Kind) -> bool {
    matches!(kind, Kind::Counter | Kind::Histogram)
}

fn change(kind: Kind, before: Option<&Value>, after: &Value) -> Change {
    match (kind, before, after) {
        (_, _, Value::Absent) => Change::Absent,
        (Kind::Counter, Some(Value::Number(before)), Value::Number(after)) => {
            match after.checked_sub(*before) {
                Some(increase) => Change::Increase(increase),
                None => Change::WentBack(before - after),
            }
        }
        (Kind::Histogram, Some(Value::Buckets(before)), Value::Buckets(after))
            if before.len() == after.len() =>
        {
            let increases = after.iter().zip(before).map(|(after, before)| {
                after.checked_sub(*before).ok_or(before - after.min(before))
            });
            match increases.collect::<Result<Vec<u64>, u64>>() {
                Ok(increases) => Change::Buckets(increases.into()),
                Err(back) => Change::WentBack(back),
            }
        }
        (Kind::Counter | Kind::Histogram, _, _) => Change::Begins,
        _ => Change::Level,
    }
}

/// The value of one statistic over several objects.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// The combined value.
    pub amount: Amount,
    /// The number of objects whose value is part of the amount.
    pub objects: usize,
    /// The number of objects whose value could not be used: it is absent, begins, or was
    /// reset.
    pub missing: usize,
}

/// A combined value, by the kind of the statistic.
#[derive(Clone, Debug, PartialEq)]
pub enum Amount {
    /// The sum of counters and of their rates.
    Count {
        /// The sum of the rates per second.
        per_second: f64,
        /// The sum of the values at the later time.
        total: u128,
    },
    /// The sum of histograms, of their growths and of their rates.
    Histogram {
        /// The sum of the growths, the lowest bucket first.
        increases: Vec<u64>,
        /// The rate of all observations per second.
        per_second: f64,
        /// The sum of the counts at the later time, the lowest bucket first.
        totals: Vec<u64>,
    },
    /// The sum of gauges, or of numbers of an unknown type.
    Sum(u128),
    /// The number of truth values that are true.
    True(usize),
    /// The maximum of peaks.
    Highest(u64),
}

/// Combines the values of the statistic at the place `stat` of objects that have the
/// same table. Returns `None` if the objects have no such statistic, or none of them
/// has a value.
pub fn aggregate<'a>(
    objects: impl IntoIterator<Item = (&'a Object, &'a ObjectChanges)>,
    stat: usize,
) -> Option<Aggregate> {
    let mut sum: Option<Aggregate> = None;
    let mut missing = 0;
    for (object, changes) in objects {
        let kind = object.table.stats.get(stat)?.kind;
        let (value, change) = (object.values.get(stat)?, changes.changes.get(stat)?);
        match amount(kind, value, change, changes.elapsed) {
            Some(amount) => match &mut sum {
                Some(sum) => {
                    sum.objects += 1;
                    sum.amount.add(amount);
                }
                None => {
                    sum = Some(Aggregate {
                        amount,
                        objects: 1,
                        missing: 0,
                    });
                }
            },
            None => missing += 1,
        }
    }
    sum.map(|sum| Aggregate { missing, ..sum })
}

/// Returns the value of one series; `None` if the value is absent, or a counter has no
/// rate.
#[must_use]
pub fn amount(
    kind: Kind,
    value: &Value,
    change: &Change,
    elapsed: Option<Elapsed>,
) -> Option<Amount> {
    match (value, change) {
        (Value::Number(number), Change::Increase(increase)) => Some(Amount::Count {
            per_second: elapsed?.rate(*increase)?,
            total: u128::from(*number),
        }),
        (Value::Buckets(totals), Change::Buckets(increases)) => Some(Amount::Histogram {
            per_second: elapsed?.rate(sum(increases))?,
            increases: increases.to_vec(),
            totals: totals.to_vec(),
        }),
        (Value::Boolean(value), Change::Level) => Some(Amount::True((*value).into())),
        // A boolean of KVM is the number 0 or 1 for some providers.
        (Value::Number(number), Change::Level) if kind == Kind::Boolean => {
            Some(Amount::True((*number != 0).into()))
        }
        (Value::Number(number), Change::Level) if kind == Kind::Peak => {
            Some(Amount::Highest(*number))
        }
        (Value::Number(number), Change::Level) => Some(Amount::Sum(u128::from(*number))),
        _ => None,
    }
}

/// Returns the sum of counts; a sum beyond 64 bits is cut.
#[must_use]
pub fn sum(counts: &[u64]) -> u64 {
    counts
        .iter()
        .fold(0, |sum: u64, count| sum.saturating_add(*count))
}

impl Amount {
    /// Adds the amount of another object.
    fn add(&mut self, other: Self) {
        match (self, other) {
            (
                Self::Count { per_second, total },
                Self::Count {
                    per_second: rate,
                    total: value,
                },
            ) => {
                *per_second += rate;
                *total += value;
            }
            (
                Self::Histogram {
                    increases,
                    per_second,
                    totals,
                },
                Self::Histogram {
                    increases: other_increases,
                    per_second: rate,
                    totals: other_totals,
                },
            ) => {
                *per_second += rate;
                add_buckets(increases, &other_increases);
                add_buckets(totals, &other_totals);
            }
            (Self::Sum(sum), Self::Sum(value)) => *sum += value,
            (Self::True(sum), Self::True(value)) => *sum += value,
            (Self::Highest(highest), Self::Highest(value)) => *highest = value.max(*highest),
            // A hostile monitor can describe a statistic of one table in two ways.
            _ => {}
        }
    }
}

/// Adds the counts of a histogram's buckets. Histograms of different lengths agree in
/// their lower buckets.
pub fn add_buckets(sums: &mut Vec<u64>, counts: &[u64]) {
    if counts.len() > sums.len() {
        sums.resize(counts.len(), 0);
    }
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum = sum.saturating_add(*count);
    }
}

/// Returns the index of the bucket in which a percentile lies; `None` if the histogram
/// is empty. A share of 0.99 is the 99th percentile.
#[must_use]
pub fn percentile(counts: &[u64], share: f64) -> Option<usize> {
    let all = u128::from(sum(counts));
    if all == 0 {
        return None;
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank is at least 1 and rounds up"
    )]
    // A little less, because 0.07 × 100 is above 7 as a binary fraction.
    let rank = ((all as f64 * share * (1.0 - 1e-12)).ceil() as u128).clamp(1, all);
    let mut seen = 0;
    counts.iter().position(|count| {
        seen += u128::from(*count);
        seen >= rank
    })
}

/// The share of their time that objects spent in a state, which a counter of nanoseconds
/// measures.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TimeShare {
    in_state_seconds: f64,
    passed_seconds: f64,
}

impl TimeShare {
    /// Adds an object's time since the sample before, and the growth of its counter
    /// `name`. An object adds neither if the growth is unknown, or if the counter has
    /// another unit.
    pub fn add(&mut self, object: &Object, changes: &ObjectChanges, name: &str) {
        let Some(place) = object.table.position(name) else {
            return;
        };
        let schema = { object.table.stats.get(place) }.and_then(|stat| stat.schema.as_ref());
        let is_nanoseconds = schema.is_some_and(|schema| {
            schema.unit == Some(StatsUnit::Seconds)
                && (schema.base, schema.exponent) == (Some(10), -9)
        });
        if let (true, Some(Change::Increase(increase)), Some(elapsed)) =
            (is_nanoseconds, changes.changes.get(place), changes.elapsed)
        {
            self.in_state_seconds += Duration::from_nanos(*increase).as_secs_f64();
            self.passed_seconds += elapsed.seconds;
        }
    }

    /// Returns the share, so that 1.0 is the whole time; `None` if no time has passed.
    #[must_use]
    pub fn share(&self) -> Option<f64> {
        (self.passed_seconds > 0.0).then(|| self.in_state_seconds / self.passed_seconds)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};

    use super::*;
    use crate::sample::{ObjectId, Stat, Table, Timestamp};

    const SECOND: u64 = 1_000_000_000;

    fn table() -> Arc<Table> {
        let stats = [
            StatsSchemaValue::cumulative("exits"),
            StatsSchemaValue::cumulative("halts"),
            StatsSchemaValue::instant("pages"),
            StatsSchemaValue::peak("highest"),
            StatsSchemaValue::instant("blocking").boolean(),
            StatsSchemaValue::log2_histogram("waits"),
        ];
        Arc::new(Table {
            provider: StatsProvider::Kvm,
            target: StatsTarget::Vcpu,
            stats: stats.map(Stat::new).into(),
        })
    }

    /// Makes a vCPU whose values are all `value`, read at `second`.
    fn vcpu(table: &Arc<Table>, index: i64, second: u64, value: u64) -> Object {
        let moment = Timestamp(second * SECOND);
        let number = Value::Number(value);
        Object {
            table: Arc::clone(table),
            id: ObjectId {
                index: Some(index),
                qom_path: None,
            },
            window: Window {
                begin: moment,
                end: moment,
            },
            values: vec![
                number.clone(),
                number.clone(),
                number.clone(),
                number,
                Value::Boolean(value > 0),
                Value::Buckets([value, 2 * value].into()),
            ],
        }
    }

    fn sample(run: u32, objects: Vec<Object>) -> Sample {
        let window = objects.first().unwrap().window;
        Sample {
            window,
            run,
            objects,
            absences: Vec::new(),
        }
    }

    fn combine(before: &Sample, after: &Sample, name: &str) -> Option<Aggregate> {
        let comparison = compare(before, after);
        let stat = table().position(name).unwrap();
        aggregate(after.objects.iter().zip(&comparison.objects), stat)
    }

    #[test]
    fn each_kind_is_combined_in_its_own_way() {
        let table = table();
        let at = |second, values: [u64; 2]| {
            sample(
                0,
                (0..)
                    .zip(values)
                    .map(|(index, value)| vcpu(&table, index, second, value))
                    .collect(),
            )
        };
        let (before, after) = (at(1, [10, 20]), at(3, [14, 30]));
        let amount = |name: &str| combine(&before, &after, name).unwrap().amount;
        let count = Amount::Count {
            per_second: 7.0,
            total: 44,
        };
        assert_eq!(amount("exits"), count);
        assert_eq!(amount("pages"), Amount::Sum(44));
        assert_eq!(amount("highest"), Amount::Highest(30));
        assert_eq!(amount("blocking"), Amount::True(2));
        let histogram = Amount::Histogram {
            increases: vec![14, 28],
            per_second: 21.0,
            totals: vec![44, 88],
        };
        assert_eq!(amount("waits"), histogram);
    }

    #[test]
    fn vcpu_that_was_reset_does_not_hide_in_the_sum() {
        let table = table();
        let before = sample(0, vec![vcpu(&table, 0, 1, 100), vcpu(&table, 1, 1, 100)]);
        let after = sample(0, vec![vcpu(&table, 0, 2, 400), vcpu(&table, 1, 2, 7)]);
        let comparison = compare(&before, &after);
        let lives: Vec<Life> = comparison.objects.iter().map(|one| one.life).collect();
        assert_eq!(lives, [Life::Continues, Life::Reset]);
        let exits = combine(&before, &after, "exits").unwrap();
        let amount = Amount::Count {
            per_second: 300.0,
            total: 400,
        };
        assert_eq!((exits.amount, exits.objects, exits.missing), (amount, 1, 1));
        // A gauge that falls is no reset.
        let pages = combine(&before, &after, "pages").unwrap();
        assert_eq!((pages.amount, pages.missing), (Amount::Sum(407), 0));
    }

    #[test]
    fn counter_that_goes_back_alone_is_told_apart_from_a_reset() {
        let table = table();
        let before = vcpu(&table, 0, 1, 100);
        let mut after = vcpu(&table, 0, 2, 105);
        after.values[1] = Value::Number(98);
        let changes = compare_objects(&before, &after);
        assert_eq!(changes.life, Life::Continues);
        assert_eq!(changes.changes[0], Change::Increase(5));
        assert_eq!(changes.changes[1], Change::WentBack(2));
    }

    #[test]
    fn plugged_and_unplugged_vcpus_and_restarts_are_told() {
        let table = table();
        let before = sample(0, vec![vcpu(&table, 0, 1, 5), vcpu(&table, 1, 1, 5)]);
        let after = sample(0, vec![vcpu(&table, 0, 2, 6), vcpu(&table, 2, 2, 1_000)]);
        let comparison = compare(&before, &after);
        assert_eq!(comparison.objects[1].life, Life::Appeared);
        assert_eq!(comparison.objects[1].changes[0], Change::Begins);
        assert_eq!(comparison.gone, [&before.objects[1]]);
        let exits = combine(&before, &after, "exits").unwrap();
        let amount = Amount::Count {
            per_second: 1.0,
            total: 6,
        };
        assert_eq!((exits.amount, exits.missing), (amount, 1));
        let restarted = sample(1, vec![vcpu(&table, 0, 2, 6)]);
        let comparison = compare(&before, &restarted);
        assert!(comparison.is_restarted && comparison.gone.is_empty());
        assert_eq!(combine(&before, &restarted, "exits"), None);
    }

    #[test]
    fn absent_value_is_absent_and_the_next_one_begins() {
        let table = table();
        let mut absent = vcpu(&table, 0, 1, 5);
        absent.values[0] = Value::Absent;
        let present = vcpu(&table, 0, 2, 9);
        let change =
            |before: &Object, after: &Object| compare_objects(before, after).changes.swap_remove(0);
        assert_eq!(change(&present, &absent), Change::Absent);
        assert_eq!(change(&absent, &present), Change::Begins);
    }

    #[test]
    fn window_bounds_the_error_of_a_rate() {
        let window = |begin, end| Window {
            begin: Timestamp(begin),
            end: Timestamp(end),
        };
        let before = window(0, SECOND / 5);
        let after = window(SECOND, SECOND + SECOND / 10);
        let elapsed = Elapsed::between(before, after);
        assert!((elapsed.seconds - 0.95).abs() < 1e-9);
        assert!((elapsed.error_seconds - 0.15).abs() < 1e-9);
        assert!((elapsed.rate(95).unwrap() - 100.0).abs() < 1e-6);
        assert_eq!(Elapsed::between(after, after).rate(1), None);
    }

    #[test]
    fn time_share_counts_each_vcpu_for_as_long_as_it_was_there() {
        let table = |stats: &[StatsSchemaValue]| {
            Arc::new(Table {
                provider: StatsProvider::Kvm,
                target: StatsTarget::Vcpu,
                stats: stats.iter().cloned().map(Stat::new).collect(),
            })
        };
        let delay = StatsSchemaValue::cumulative("delay");
        let vcpus = |table: &Arc<Table>, minute: u64, count: i64| {
            let vcpu = |index| {
                let mut vcpu = vcpu(table, index, 60 * minute, 0);
                // Half of the time, in nanoseconds.
                vcpu.values = vec![Value::Number(30 * minute * SECOND)];
                vcpu
            };
            sample(0, (0..count).map(vcpu).collect())
        };
        // Six vCPUs are plugged in after nine minutes, and unplugged after ten.
        let share = |stat: StatsSchemaValue| {
            let table = table(&[stat]);
            let samples = [(0, 2), (9, 8), (10, 8), (20, 2)];
            let samples = samples.map(|(minute, count)| vcpus(&table, minute, count));
            let mut share = TimeShare::default();
            for pair in samples.windows(2) {
                let comparison = compare(&pair[0], &pair[1]);
                for (object, changes) in pair[1].objects.iter().zip(&comparison.objects) {
                    share.add(object, changes, "delay");
                    share.add(object, changes, "other");
                }
            }
            share.share()
        };
        assert_eq!(share(delay.clone().seconds(-9)), Some(0.5));
        // A counter of microseconds or of events is no time in nanoseconds.
        assert_eq!(share(delay.clone().seconds(-6)), None);
        assert_eq!(share(delay), None);
        assert_eq!(TimeShare::default().share(), None);
    }

    #[test]
    fn percentile_is_the_bucket_in_which_it_lies() {
        assert_eq!(percentile(&[0, 0], 0.5), None);
        assert_eq!(percentile(&[1, 0, 0, 99], 0.01), Some(0));
        assert_eq!(percentile(&[1, 0, 0, 99], 0.011), Some(3));
        assert_eq!(percentile(&[7, 93], 0.07), Some(0));
        assert_eq!(percentile(&[1, 0, 0, 99], 0.99), Some(3));
        assert_eq!(percentile(&[u64::MAX, 5], 1.0), Some(0));
        assert_eq!(percentile(&[0, 4], 0.0), Some(1));
    }
}
