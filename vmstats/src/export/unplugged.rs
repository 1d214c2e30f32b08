//! The vCPUs of a virtual machine that were unplugged.
//!
//! In: a sample and the one before it. Out: the values that sums over vCPUs keep.
//! Nothing here asks a monitor.

use std::collections::HashMap;
use std::sync::Arc;

use qapi_stats::stats::{StatsProvider, StatsTarget};

use super::sums::combine;
use crate::sample::{Kind, Object, ObjectId, Sample, Table, Value};

/// The maximum number of numbers that are kept of vCPUs that may come back: those of some
/// 400 vCPUs of KVM. Older ones are added to the sums for good.
const NUMBERS_MAX: usize = 1 << 16;

/// The counts of vCPUs that are gone, so that sums do not go back: a scraper would take
/// that for a reset, and count everything again. A copy costs nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Unplugged(Arc<Kept>);

#[derive(Clone, Debug, Default)]
struct Kept {
    /// The vCPUs that may come back, the one that left first at the front.
    away: Vec<(ObjectId, Counts)>,
    /// The counts of vCPUs that began again, or that left long ago; one entry for each
    /// provider.
    begun_again: Vec<Counts>,
    /// All of these counts together; one entry for each provider.
    totals: Vec<Counts>,
}

/// Counters and histograms of one or more vCPUs.
#[derive(Clone, Debug)]
struct Counts {
    table: Arc<Table>,
    /// A value for each statistic of the table. `None` adds nothing to a sum;
    /// [`Value::Absent`] makes a sum unknown.
    values: Vec<Option<Value>>,
}

impl Unplugged {
    /// Returns what vCPUs that are gone add to the sums of a table's statistics. Returns
    /// `None` if they add nothing.
    pub(super) fn of(&self, table: &Arc<Table>) -> Option<&[Option<Value>]> {
        let mut totals = self.0.totals.iter();
        let total = totals.find(|total| Arc::ptr_eq(&total.table, table))?;
        Some(&total.values)
    }
}

/// Returns the counts of vCPUs that are gone after a sample. `last` is the sample before, of
/// the same process, with the counts after it; another process counts from zero.
pub(super) fn unplugged(last: Option<(&Sample, &Unplugged)>, sample: &Sample) -> Unplugged {
    let Some((last, unplugged)) = last else {
        return Unplugged::default();
    };
    let is_same =
        |(one, other): (&Object, &Object)| Arc::ptr_eq(&one.table, &other.table) && one.is(other);
    let (before, after) = (&last.objects, &sample.objects);
    if before.len() == after.len() && before.iter().zip(after).all(is_same) {
        return unplugged.clone();
    }
    let is_vcpu = |object: &&Object| object.table.target == StatsTarget::Vcpu;
    let present = after.iter().filter(is_vcpu);
    let present: HashMap<_, _> = present.map(|object| (object.order(), object)).collect();
    let mut kept = Kept::clone(&unplugged.0);
    // Without any vCPU, the provider refused, and its values are absent.
    let providers: HashMap<_, _> = { present.values() }
        .map(|object| (&object.table.provider, &object.table))
        .collect();
    kept.follow(&providers);
    kept.take_back(&present);
    for object in before.iter().filter(is_vcpu) {
        let table = providers.get(&object.table.provider);
        if let Some(table) = table.filter(|_| !present.contains_key(&object.order())) {
            let mut counts = Counts::of(object);
            counts.follow(table);
            if counts.values.iter().any(Option::is_some) {
                kept.away.push((object.id.clone(), counts));
            }
        }
    }
    kept.bound(&providers);
    kept.totals = kept.begun_again.clone();
    for (_, counts) in &kept.away {
        add(&mut kept.totals, counts);
    }
    Unplugged(Arc::new(kept))
}

/// The current table of each provider.
type Tables<'a> = HashMap<&'a StatsProvider, &'a Arc<Table>>;

/// The objects of a sample, by their order.
type Objects<'a> = HashMap<(&'a StatsTarget, &'a StatsProvider, &'a ObjectId), &'a Object>;

impl Kept {
    /// Gives all counts the current table of their provider.
    fn follow(&mut self, tables: &Tables<'_>) {
        let away = self.away.iter_mut().map(|(_, counts)| counts);
        for counts in away.chain(&mut self.begun_again) {
            if let Some(table) = tables.get(&counts.table.provider) {
                counts.follow(table);
            }
        }
    }

    /// Removes the vCPUs that are there again. The counts of those that began from zero
    /// stay, because their new values do not have them.
    fn take_back(&mut self, present: &Objects<'_>) {
        let Self {
            away, begun_again, ..
        } = self;
        away.retain(|(id, counts)| {
            let order = (&StatsTarget::Vcpu, &counts.table.provider, id);
            let Some(object) = present.get(&order) else {
                return true;
            };
            if !counts.is_continued_by(object) {
                add(begun_again, counts);
            }
            false
        });
    }

    /// Limits what is kept, whatever a monitor tells.
    fn bound(&mut self, tables: &Tables<'_>) {
        let mut numbers: usize = { self.away.iter() }
            .map(|(_, counts)| counts.numbers())
            .sum();
        let mut excess = 0;
        for (_, counts) in &self.away {
            if numbers <= NUMBERS_MAX {
                break;
            }
            numbers -= counts.numbers();
            excess += 1;
        }
        for (_, counts) in self.away.drain(..excess) {
            add(&mut self.begun_again, &counts);
        }
        let mut left = NUMBERS_MAX;
        self.begun_again.retain(|counts| {
            let is_told = tables.contains_key(&counts.table.provider);
            // A provider that refuses once may come back, but one is invented easily.
            is_told || { left.checked_sub(counts.numbers()) }
                .map(|rest| left = rest)
                .is_some()
        });
    }
}

impl Counts {
    /// Takes the values of a vCPU that only grow.
    fn of(object: &Object) -> Self {
        let stats = object.table.stats.iter().zip(&object.values);
        let values = stats.map(|(stat, value)| {
            matches!(stat.kind, Kind::Counter | Kind::Histogram).then(|| value.clone())
        });
        Self {
            table: Arc::clone(&object.table),
            values: values.collect(),
        }
    }

    /// Gives the values the places of another table. A statistic that the other table
    /// lacks is forgotten.
    fn follow(&mut self, table: &Arc<Table>) {
        if Arc::ptr_eq(&self.table, table) {
            return;
        }
        if *self.table != **table {
            let stats = self.table.stats.iter().zip(&mut self.values);
            let mut values: HashMap<_, _> = stats
                .map(|(stat, value)| ((&stat.name, stat.kind), value.take()))
                .collect();
            let stats = table.stats.iter();
            let moved = stats.map(|stat| values.remove(&(&stat.name, stat.kind)).flatten());
            self.values = moved.collect();
        }
        self.table = Arc::clone(table);
    }

    /// Returns whether no value of an object of the same table is lower.
    fn is_continued_by(&self, object: &Object) -> bool {
        let mut values = self.values.iter().zip(&object.values);
        values.all(|(before, after)| match (before, after) {
            (Some(Value::Number(before)), Value::Number(after)) => before <= after,
            (Some(Value::Buckets(before)), Value::Buckets(after)) => {
                before.len() == after.len() && before.iter().zip(after).all(|(a, b)| a <= b)
            }
            _ => true,
        })
    }

    /// Returns how many numbers the values have. Each statistic of the table counts, because
    /// it takes memory without a value too.
    fn numbers(&self) -> usize {
        let values = self.values.iter();
        values
            .map(|value| match value {
                Some(Value::Buckets(counts)) => 1 + counts.len(),
                _ => 1,
            })
            .sum()
    }
}

/// Adds counts to those of the same provider.
fn add(totals: &mut Vec<Counts>, counts: &Counts) {
    let mut same = totals.iter_mut();
    let Some(total) = same.find(|total| total.table.provider == counts.table.provider) else {
        totals.push(counts.clone());
        return;
    };
    let stats = counts.table.stats.iter().zip(&counts.values);
    for (total, (stat, value)) in total.values.iter_mut().zip(stats) {
        *total = match (total.take(), value) {
            (Some(total), Some(value)) => {
                let sum = combine(stat.kind, [Some(&total), Some(value)]);
                Some(sum.unwrap_or(Value::Absent))
            }
            (total, value) => total.or_else(|| value.clone()),
        };
    }
}

#[cfg(test)]
mod tests {
    use qapi_stats::stats::{StatsSchema, StatsSchemaValue};

    use super::*;
    use crate::sample::{Timestamp, Window};

    fn table() -> Arc<Table> {
        Arc::new(Table::new(StatsSchema {
            provider: "kvm".into(),
            target: StatsTarget::Vcpu,
            stats: vec![
                StatsSchemaValue::cumulative("exits"),
                StatsSchemaValue::log2_histogram("waits"),
            ],
        }))
    }

    /// A sample of vCPUs, each with its index and its exits.
    fn sample(table: &Arc<Table>, vcpus: &[(i64, u64)], buckets: usize) -> Sample {
        let now = Timestamp(0);
        let window = Window {
            begin: now,
            end: now,
        };
        let objects = vcpus.iter().map(|(index, exits)| Object {
            table: Arc::clone(table),
            id: ObjectId {
                index: Some(*index),
                qom_path: None,
            },
            window,
            values: vec![
                Value::Number(*exits),
                Value::Buckets(vec![*exits; buckets].into()),
            ],
        });
        Sample {
            window,
            run: 0,
            objects: objects.collect(),
            absences: Vec::new(),
        }
    }

    /// Answers one after the other.
    struct Answers {
        last: Option<(u64, Sample, Unplugged)>,
    }

    impl Answers {
        /// Takes a sample, and returns the exits of vCPUs that are gone.
        fn next(&mut self, sample: Sample, started: u64) -> u64 {
            let last = self.last.as_ref().filter(|(of, _, _)| *of == started);
            let last = last.map(|(_, sample, unplugged)| (sample, unplugged));
            let unplugged = unplugged(last, &sample);
            let table = sample.objects.first().map(|object| &object.table);
            let gone = match table.and_then(|table| unplugged.of(table)) {
                Some([Some(Value::Number(exits)), _]) => *exits,
                _ => 0,
            };
            self.last = Some((started, sample, unplugged));
            gone
        }
    }

    #[test]
    fn vcpu_that_is_away_for_one_reply_is_counted_once() {
        let table = table();
        let mut answers = Answers { last: None };
        let all = [(0, 1000), (1, 1000), (2, 1000)];
        assert_eq!(answers.next(sample(&table, &all, 2), 1), 0);
        assert_eq!(answers.next(sample(&table, &[all[0], all[2]], 2), 1), 1000);
        assert_eq!(answers.next(sample(&table, &all, 2), 1), 0);
    }

    #[test]
    fn vcpu_that_begins_again_keeps_its_counts_until_the_process_ends() {
        let table = table();
        let mut answers = Answers { last: None };
        answers.next(sample(&table, &[(0, 10), (1, 10)], 2), 1);
        assert_eq!(answers.next(sample(&table, &[(0, 11)], 2), 1), 10);
        assert_eq!(answers.next(sample(&table, &[(0, 11), (1, 2)], 2), 1), 10);
        assert_eq!(answers.next(sample(&table, &[(0, 11)], 2), 1), 12);
        // Another table of the same statistics is that of a monitor that was asked again.
        let again = self::table();
        assert_eq!(answers.next(sample(&again, &[(0, 11)], 2), 1), 12);
        // A provider that refuses has unplugged nothing.
        answers.next(sample(&again, &[], 2), 1);
        assert_eq!(answers.next(sample(&again, &[(0, 11)], 2), 1), 12);
        assert_eq!(answers.next(sample(&again, &[(0, 1)], 2), 2), 0);
    }

    #[test]
    fn what_is_kept_is_bounded_when_a_monitor_names_another_vcpu_each_time() {
        let table = table();
        let mut answers = Answers { last: None };
        for turn in 0..200 {
            let gone = answers.next(sample(&table, &[(turn, 1)], 4000), 1);
            assert_eq!(gone, turn.unsigned_abs());
        }
        let kept = &answers.last.unwrap().2.0;
        let away = kept.away.iter().map(|(_, counts)| counts.numbers());
        assert!(away.sum::<usize>() <= NUMBERS_MAX);
        assert_eq!((kept.begun_again.len(), kept.totals.len()), (1, 1));
    }
}
