//! What a running guest notices of a client that asks in a loop: beside the
//! same loop of bare reads.
//!
//! In: a guest with one vCPU, on a processor of its own. Out: its exits per
//! second under both, and how many of them were by a signal.

use std::sync::Arc;
use std::time::{Duration, Instant};

use qapi_stats::stats::{StatsProvider, StatsTarget};
use stats_runtime::kvm::record;
use stats_runtime::provider::{Provider, StatsQuery, StatsSink};
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};

use super::processors::Processors;
use super::report::{Comparison, Count, Report, Unit};
use super::request::{self, Client, VCPUS_REQUEST};
use super::vm::{Vm, text};
use crate::tools::Failure;

/// How often both take turns.
const ROUNDS: u32 = 10;

/// How long a turn is: some thousand exits.
const TURN: Duration = Duration::from_millis(600);

/// Compares the pollers; nothing on a machine with one processor, where they
/// and the guest would share it.
pub(super) fn run(processors: &Processors, report: &mut Report) -> Result<(), Failure> {
    if !processors.are_two() {
        eprintln!("How a guest is disturbed cannot be measured on one processor.");
        return Ok(());
    }
    processors.pin()?;
    let vm = Vm::new(1, 1)?;
    processors.pin_guest(&vm)?;
    let registry = Arc::new(Registry::new());
    let provider = Arc::clone(vm.provider());
    let registered = registry.register(StatsProvider::Kvm, provider);
    registered.map_err(text)?;
    let folder = tempfile::tempdir().map_err(text)?;
    let path = folder.path().join("ours");
    let listener = Listener::unix(&path).map_err(text)?;
    let monitor = Monitor::new(registry, Arc::new(NoHost));
    let server = Server::start(monitor, [listener], Options::new()).map_err(text)?;
    let mut client = Client::negotiated(&path)?;
    let mut minimal = request::minimal_client(&vm, folder.path())?;
    let vcpus = vm.vcpus()?;
    let (_, file) = vcpus.first().ok_or("there is no vCPU")?;
    let mut buffer = vec![0; record(file).map_err(text)?.len()];

    let mut sides = [const { Vec::new() }; 3];
    let (mut signals, mut requests) = (0, 0);
    // The first turn warms up.
    for round in 0..=ROUNDS {
        let asked = poll(&vm, || client.ask(VCPUS_REQUEST).is_ok())?;
        let read = poll(&vm, || rustix::io::pread(file, &mut buffer[..], 0).is_ok())?;
        let minimally = poll(&vm, || minimal.ask(VCPUS_REQUEST).is_ok())?;
        if round > 0 {
            for (side, turn) in sides.iter_mut().zip([&asked, &read, &minimally]) {
                side.push(turn.exits_per_second);
            }
            signals += asked.signal_exits;
            requests += asked.polls;
        }
    }
    drop(server);
    let [ours, read, minimally] = sides;
    for (other, others) in [
        ("under bare preads", read),
        ("under minimal server", minimally),
    ] {
        report.comparisons.push(Comparison {
            what: "exits of the guest".to_owned(),
            vcpus: Some(1),
            other,
            unit: Unit::PerSecond,
            ours: ours.clone(),
            others,
        });
    }
    for (what, value) in [
        ("requests meanwhile", requests),
        ("signal_exits by them", signals),
    ] {
        report.counts.push(Count {
            what: what.to_owned(),
            vcpus: Some(1),
            value: u32::try_from(value).map_err(text)?.into(),
        });
    }
    Ok(())
}

/// What the guest did in a turn.
struct Turn {
    exits_per_second: f64,
    signal_exits: u64,
    polls: u64,
}

/// Runs `work` over and over for a turn.
fn poll(vm: &Vm, mut work: impl FnMut() -> bool) -> Result<Turn, Failure> {
    let (before, begin) = (Exits::of(vm)?, Instant::now());
    let mut polls = 0;
    while begin.elapsed() < TURN {
        if !work() {
            return Err("the statistics cannot be read".to_owned());
        }
        polls += 1;
    }
    let (after, seconds) = (Exits::of(vm)?, begin.elapsed().as_secs_f64());
    let exits = u32::try_from(after.all - before.all).map_err(text)?;
    if exits == 0 {
        return Err("the guest does not run".to_owned());
    }
    Ok(Turn {
        exits_per_second: f64::from(exits) / seconds,
        signal_exits: after.by_signal - before.by_signal,
        polls,
    })
}

/// What the guest's vCPU has counted.
#[derive(Default)]
struct Exits {
    all: u64,
    by_signal: u64,
}

impl Exits {
    fn of(vm: &Vm) -> Result<Self, Failure> {
        let mut exits = Self::default();
        let query = StatsQuery::all(&StatsTarget::Vcpu);
        vm.provider().query(&query, &mut exits).map_err(text)?;
        Ok(exits)
    }
}

impl StatsSink for Exits {
    fn result(&mut self, _: Option<&str>) {}

    fn scalar(&mut self, name: &str, value: u64) {
        match name {
            "exits" => self.all = value,
            "signal_exits" => self.by_signal = value,
            _ => {}
        }
    }

    fn boolean(&mut self, _: &str, _: bool) {}

    fn histogram(&mut self, _: &str, _: &[u64]) {}
}
