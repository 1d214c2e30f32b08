//! The changes of a VM's statistics.
//!
//! In: snapshots of all statistics. Out: the statistics that changed between two
//! snapshots, with their rates.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Instant;

use qapi_stats::stats::commands::QueryStats;
use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsSchema, StatsTarget, StatsType, StatsUnit,
    StatsVCPUFilter,
};

use crate::client::{Client, ClientError};
use crate::printable::printable;
use crate::table;

/// All statistics of the VM, and the sums over its vCPUs, at one moment.
#[derive(Debug)]
pub struct Snapshot {
    taken: Instant,
    values: BTreeMap<Key, u64>,
}

/// The target, the provider and the name of a statistic.
type Key = (StatsTarget, StatsProvider, String);

impl Snapshot {
    /// Asks a monitor for all statistics.
    ///
    /// # Errors
    ///
    /// Returns the client's error.
    pub fn take(client: &mut Client) -> Result<Self, ClientError> {
        let taken = Instant::now();
        let mut values = BTreeMap::new();
        let vcpu = StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus: None });
        for target in [StatsFilterBranch::Vm, vcpu] {
            let tag = target.tag();
            let results = client.execute(&QueryStats(StatsFilter {
                target,
                providers: None,
            }))?;
            for result in results {
                for stat in result.stats {
                    let key = (tag.clone(), result.provider.clone(), stat.name);
                    let sum: &mut u64 = values.entry(key).or_default();
                    *sum = sum.saturating_add(stat.value.total());
                }
            }
        }
        Ok(Self { taken, values })
    }
}

/// The last snapshot, which the next one is compared with.
#[derive(Debug)]
pub struct Watch {
    schemas: Vec<StatsSchema>,
    last: Snapshot,
}

impl Watch {
    /// Begins with the first snapshot.
    #[must_use]
    pub fn new(schemas: Vec<StatsSchema>, first: Snapshot) -> Self {
        Self {
            schemas,
            last: first,
        }
    }

    /// Takes the next snapshot, and prints the statistics that changed.
    ///
    /// # Errors
    ///
    /// Returns the error of writing.
    pub fn advance(&mut self, next: Snapshot, out: &mut dyn Write) -> io::Result<()> {
        let seconds = next.taken.duration_since(self.last.taken).as_secs_f64();
        let mut moved = table::columns(&["", "NAME", "VALUE", "PER SECOND", "UNIT"]);
        table::right_align(&mut moved, 2);
        table::right_align(&mut moved, 3);
        for (key, value) in &next.values {
            let before = self.last.values.get(key).copied().unwrap_or_default();
            if *value == before {
                continue;
            }
            let (target, _, name) = key;
            let (is_cumulative, unit) = self.meaning(key);
            // A counter that is smaller than before has been reset, so the
            // difference is not a rate. Any other value may become smaller.
            let rate = match value.checked_sub(before) {
                Some(difference) if is_cumulative => per_second(difference, seconds),
                Some(_) => String::new(),
                None if is_cumulative => "reset".to_owned(),
                None => String::new(),
            };
            moved.add_row([
                target.to_string(),
                printable(name).into_owned(),
                value.to_string(),
                rate,
                unit,
            ]);
        }
        self.last = next;
        if moved.is_empty() {
            return writeln!(out, "nothing moved\n");
        }
        table::print(out, &moved)?;
        writeln!(out)
    }

    /// Prints the statistics that are not 0, for a VM whose statistics do not
    /// change.
    ///
    /// # Errors
    ///
    /// Returns the error of writing.
    pub fn print_values(&mut self, out: &mut dyn Write) -> io::Result<()> {
        let mut values = table::columns(&["", "NAME", "VALUE", "UNIT"]);
        table::right_align(&mut values, 2);
        for (key, value) in self.last.values.iter().filter(|(_, value)| **value != 0) {
            let (target, _, name) = key;
            let (_, unit) = self.meaning(key);
            values.add_row([
                target.to_string(),
                printable(name).into_owned(),
                value.to_string(),
                unit,
            ]);
        }
        table::print(out, &values)?;
        writeln!(out)
    }

    /// Returns whether a statistic counts up, and its unit.
    fn meaning(&self, (target, provider, name): &Key) -> (bool, String) {
        let schema = self
            .schemas
            .iter()
            .find(|schema| schema.provider == *provider && schema.target == *target);
        let stat = schema.and_then(|schema| schema.stats.iter().find(|stat| stat.name == *name));
        match stat {
            Some(stat) if stat.is_histogram() => (true, "samples".to_owned()),
            // The sum over the vCPUs is the number of vCPUs with a true value.
            Some(stat) if stat.unit == Some(StatsUnit::Boolean) => (false, "true".to_owned()),
            Some(stat) => (
                stat.type_ == StatsType::Cumulative,
                stat.quantity().to_string(),
            ),
            None => (false, String::new()),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
fn per_second(difference: u64, seconds: f64) -> String {
    format!("{:.0}", difference as f64 / seconds)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use qapi_stats::stats::StatsSchemaValue;

    use super::*;

    fn snapshot(taken: Instant, value: u64) -> Snapshot {
        let key = |name: &str| (StatsTarget::Vm, StatsProvider::Kvm, name.to_owned());
        let values = ["counter", "gauge"].map(|name| (key(name), value));
        Snapshot {
            taken,
            values: values.into(),
        }
    }

    #[test]
    fn only_a_counter_is_reset_when_it_becomes_smaller() {
        let stat = |name: &str, type_| StatsSchemaValue::new(name, type_);
        let schema = StatsSchema {
            provider: StatsProvider::Kvm,
            target: StatsTarget::Vm,
            stats: vec![
                stat("counter", StatsType::Cumulative),
                stat("gauge", StatsType::Instant),
            ],
        };
        let begin = Instant::now();
        let mut watch = Watch::new(vec![schema], snapshot(begin, 5));
        let mut out = Vec::new();
        let next = snapshot(begin + Duration::from_secs(1), 3);
        watch.advance(next, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        let line = |name: &str| text.lines().find(|line| line.contains(name)).unwrap();
        assert!(line("counter").contains("reset"), "{text}");
        assert!(!line("gauge").contains("reset"), "{text}");
    }
}
