//! The busiest virtual machines of a host.
//!
//! In: one collection after another. Out: the virtual machines whose vCPUs ran or waited
//! for a processor longest between two collections. Samples are read, so that no choice
//! of exported statistics changes the order.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::num::NonZeroUsize;

use qapi_stats::stats::{StatsProvider, StatsTarget};

use super::answer::{Answer, VmState};
use super::choice::EXITS;
use super::collector::Collection;
use crate::sample::{Object, Timestamp, Value};
use crate::source::{Peer, RUN, RUN_DELAY, SCHED};

/// How much busier another virtual machine has to be to take the place of one that was
/// exported before, in tenths: each change begins and ends series.
const PERSISTENCE_TENTHS: u128 = 15;

/// The choice of the busiest virtual machines.
#[derive(Debug)]
pub(super) struct Busiest {
    count: NonZeroUsize,
    /// The last work of each virtual machine.
    last: HashMap<usize, Work>,
    chosen: HashSet<usize>,
}

/// The work of a virtual machine since its start.
#[derive(Debug)]
struct Work {
    process: Option<Peer>,
    at: Timestamp,
    /// The nanoseconds for which the threads of its vCPUs ran, or wanted to.
    time: Option<u64>,
    /// The exits, of which a virtual machine without known threads has some too.
    exits: u64,
    /// The work in a second before `at`.
    rate: u128,
}

impl Busiest {
    /// Makes a choice of this number of virtual machines, none of which is known yet.
    pub(super) fn new(count: NonZeroUsize) -> Self {
        Self {
            count,
            last: HashMap::new(),
            chosen: HashSet::new(),
        }
    }

    /// Returns whether a virtual machine is among the busiest.
    pub(super) fn has(&self, vm: &VmState) -> bool {
        self.chosen.contains(&vm.vm.id)
    }

    /// Chooses again, by the work since the last collection.
    pub(super) fn update(&mut self, collection: &Collection) {
        let present: HashSet<usize> = collection.vms.iter().map(|vm| vm.vm.id).collect();
        self.last.retain(|vm, _| present.contains(vm));
        let (mut by_time, mut by_exits) = (Vec::new(), Vec::new());
        for vm in &collection.vms {
            let Some(answer) = vm.answer() else {
                continue;
            };
            let id = vm.vm.id;
            let mut work = Work::of(answer);
            let before = self.last.get(&id);
            let before = before.filter(|before| before.process == work.process);
            // A collection that scrapers share has the same answer again.
            let again = before.filter(|before| before.at == work.at);
            work.rate = again.map_or_else(
                || work.rate(before, answer.started.map(Timestamp)),
                |again| again.rate,
            );
            let rate = work.rate;
            let tenths = if self.chosen.contains(&id) {
                PERSISTENCE_TENTHS
            } else {
                10
            };
            let ranks = match work.time {
                Some(_) => &mut by_time,
                None => &mut by_exits,
            };
            ranks.push((Reverse(rate * tenths), id));
            self.last.insert(id, work);
        }
        by_time.sort_unstable();
        by_exits.sort_unstable();
        // Nothing compares nanoseconds with exits, so the two orders are merged by the
        // part of their own order that comes before a virtual machine.
        let (times, exits) = (by_time.len().max(1), by_exits.len().max(1));
        let by_time = by_time.into_iter().enumerate();
        let by_exits = by_exits.into_iter().enumerate();
        let mut merged: Vec<_> = by_time
            .map(|(place, (_, id))| ((2 * place + 1) * exits, id))
            .chain(by_exits.map(|(place, (_, id))| ((2 * place + 1) * times, id)))
            .collect();
        merged.sort_unstable();
        let chosen = merged.into_iter().take(self.count.get());
        self.chosen = chosen.map(|(_, id)| id).collect();
    }
}

impl Work {
    fn of(answer: &Answer) -> Self {
        let sum = |provider: &StatsProvider, names: &[&str]| {
            let vcpus = answer.sample.objects.iter().filter(|object| {
                object.table.target == StatsTarget::Vcpu && object.table.provider == *provider
            });
            let values = vcpus.flat_map(|vcpu| names.iter().filter_map(|name| number(vcpu, name)));
            values.reduce(u64::saturating_add)
        };
        Self {
            process: answer.process.clone(),
            at: answer.sample.window.end,
            time: sum(&StatsProvider::Unknown(SCHED.into()), &[RUN, RUN_DELAY]),
            exits: sum(&StatsProvider::Kvm, &EXITS).unwrap_or_default(),
            rate: 0,
        }
    }

    /// Returns the work in a second: since the earlier work, else since the start of the
    /// process, else none.
    fn rate(&self, before: Option<&Self>, started: Option<Timestamp>) -> u128 {
        let value = |work: &Self| work.time.unwrap_or(work.exits);
        let before = before.filter(|before| {
            before.time.is_some() == self.time.is_some() && value(before) <= value(self)
        });
        let (grown, since) = match (before, started) {
            (Some(before), _) => (value(self) - value(before), before.at),
            (None, Some(started)) => (value(self), started),
            (None, None) => return 0,
        };
        let nanos = self.at.since(since).as_nanos().max(1);
        u128::from(grown) * 1_000_000_000 / nanos
    }
}

fn number(object: &Object, name: &str) -> Option<u64> {
    match object.value(name)? {
        Value::Number(number) => Some(*number),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use qapi_stats::stats::{StatsSchema, StatsSchemaValue};

    use super::*;
    use crate::sample::{ObjectId, Table, Window};

    /// A virtual machine with one statistic of one vCPU, at a second.
    fn vm(id: usize, second: u64, provider: StatsProvider, name: &str, value: u64) -> VmState {
        let at = Timestamp(second * 1_000_000_000);
        let window = Window { begin: at, end: at };
        let table = Arc::new(Table::new(StatsSchema {
            provider,
            target: StatsTarget::Vcpu,
            stats: vec![StatsSchemaValue::cumulative(name)],
        }));
        let object = Object {
            table,
            id: ObjectId::default(),
            window,
            values: vec![Value::Number(value)],
        };
        VmState::answered(id, at, Answer::of_objects(window, vec![object]))
    }

    fn chosen(busiest: &mut Busiest, second: u64, times: &[u64], exits: &[u64]) -> Vec<usize> {
        let sched = || StatsProvider::Unknown(SCHED.into());
        let times = times.iter().enumerate();
        let times = times.map(|(id, time)| vm(id, second, sched(), RUN_DELAY, *time));
        let exits = exits.iter().enumerate();
        let exits =
            exits.map(|(id, count)| vm(100 + id, second, StatsProvider::Kvm, "exits", *count));
        let vms: Vec<_> = times.chain(exits).collect();
        let at = Timestamp(second * 1_000_000_000);
        busiest.update(&Collection::of(second, at, vms.clone()));
        let chosen = vms.iter().filter(|vm| busiest.has(vm));
        chosen.map(|vm| vm.vm.id).collect()
    }

    #[test]
    fn machine_that_waits_is_busy_and_others_are_ranked_by_exits() {
        let mut busiest = Busiest::new(NonZeroUsize::new(2).unwrap());
        chosen(&mut busiest, 1, &[50, 10, 20, 30], &[5, 5]);
        // The growth counts: of the times that of 2, of the exits that of 101.
        let now = chosen(&mut busiest, 2, &[51, 10, 90, 33], &[6, 50]);
        assert_eq!(now, [2, 101]);
        // One that is a little busier takes no place.
        let now = chosen(&mut busiest, 3, &[60, 10, 100, 44], &[20, 60]);
        assert_eq!(now, [2, 101]);
        let now = chosen(&mut busiest, 4, &[60, 200, 110, 44], &[20, 70]);
        assert_eq!(now, [1, 101]);
    }
}
