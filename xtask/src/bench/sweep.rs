//! The sweep of all vCPUs' statistics: the provider against bare reads.
//!
//! In: vCPUs of this machine's KVM. Out: comparisons.

use std::hint::black_box;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use qapi_stats::stats::StatsTarget;
use qapi_stats::wire::Writer;
use stats_runtime::columns::Row;
use stats_runtime::kvm::{Image, KvmProvider, record};
use stats_runtime::provider::{Provider, StatsQuery, StatsSink};
use stats_runtime::sink::JsonResults;

use super::processors::Processors;
use super::report::{Comparison, Report, Unit};
use super::vm::{Vm, text};
use crate::tools::Failure;

/// Measures each number of vCPUs.
pub(super) fn run(
    vcpus: &[u32],
    rounds: usize,
    processors: &Processors,
    report: &mut Report,
) -> Result<(), Failure> {
    for &vcpus in vcpus {
        processors.pin()?;
        sweep(vcpus, rounds, report)?;
        if vcpus >= READERS_VCPUS_MIN && processors.are_two() {
            with_a_reader(vcpus, rounds, processors, report)?;
        }
    }
    Ok(())
}

/// From so many vCPUs on a thread that reads ahead is worth looking at.
const READERS_VCPUS_MIN: u32 = 512;

/// The sweep with a thread that reads ahead, on a processor of its own, beside
/// the same without.
fn with_a_reader(
    vcpus: u32,
    rounds: usize,
    processors: &Processors,
    report: &mut Report,
) -> Result<(), Failure> {
    let vm = Vm::new(vcpus, 0)?;
    let files = vm.provider().files();
    let helped = KvmProvider::new();
    helped.set_readers(1).map_err(text)?;
    processors.pin_named("stats-reader")?;
    for (qom_path, fd) in files.vcpus() {
        let fd = fd.try_clone_to_owned().map_err(text)?;
        helped.add_vcpu_fd(qom_path, fd).map_err(text)?;
    }
    let target = StatsTarget::Vcpu;
    let query = StatsQuery::all(&target);
    let mut json = Vec::new();
    let mut rows = Rows;
    let mut sides = [const { [const { Vec::new() }; 2] }; 2];
    for round in 0..=rounds {
        for (side, provider) in sides.iter_mut().zip([&helped, vm.provider()]) {
            let turns = [
                turn(|| provider.query(&query, &mut rows).is_ok()),
                turn(|| to_json(provider, &query, &mut json)),
            ];
            for (values, ns) in side.iter_mut().zip(turns) {
                let ns = ns.ok_or("a statistics file cannot be read")?;
                if round > 0 {
                    values.push(ns);
                }
            }
        }
    }
    let [[rows, json], [rows_alone, json_alone]] = sides;
    for (what, ours, others) in [
        ("sweep, as rows, with a reader", rows, rows_alone),
        ("sweep, to JSON, with a reader", json, json_alone),
    ] {
        report.comparisons.push(Comparison {
            what: what.to_owned(),
            vcpus: Some(vcpus),
            other: "without a reader",
            unit: Unit::Ns,
            ours,
            others,
        });
    }
    Ok(())
}

fn to_json(provider: &KvmProvider, query: &StatsQuery<'_>, text: &mut Vec<u8>) -> bool {
    text.clear();
    let mut writer = Writer::new(text);
    let mut json = JsonResults::new(&mut writer);
    let read = provider.query(query, &mut json).is_ok();
    json.finish();
    read
}

/// How long each side runs in its turn.
const TURN: Duration = Duration::from_millis(20);

fn sweep(vcpus: u32, rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let vm = Vm::new(vcpus, 0)?;
    let bare = Bare::new(&vm)?;
    let provider = vm.provider();
    let target = StatsTarget::Vcpu;
    let query = StatsQuery::all(&target);
    let mut text = Vec::new();
    let mut sides = [const { Vec::new() }; 4];
    let (mut rows, mut each) = (Rows, Each);
    // The first turn warms up.
    for round in 0..=rounds {
        let turns = [
            turn(|| bare.sweep()),
            turn(|| provider.query(&query, &mut rows).is_ok()),
            turn(|| provider.query(&query, &mut each).is_ok()),
            turn(|| to_json(provider, &query, &mut text)),
        ];
        for (side, ns) in sides.iter_mut().zip(turns) {
            let ns = ns.ok_or("a statistics file cannot be read")?;
            if round > 0 {
                side.push(ns);
            }
        }
    }
    let [bare_ns, rows_ns, each_ns, json_ns] = sides;
    for (what, ours) in [
        ("sweep, as rows", rows_ns),
        ("sweep, name by name", each_ns),
        ("sweep, to JSON", json_ns),
    ] {
        report.comparisons.push(Comparison {
            what: what.to_owned(),
            vcpus: Some(vcpus),
            other: "bare pread loop",
            unit: Unit::Ns,
            ours,
            others: bare_ns.clone(),
        });
    }
    Ok(())
}

/// The least that reading every vCPU's values can cost: one `pread` each.
struct Bare {
    fds: Vec<OwnedFd>,
    offset: u64,
    len: usize,
}

impl Bare {
    fn new(vm: &Vm) -> Result<Self, Failure> {
        let fds: Vec<_> = vm.vcpus()?.into_iter().map(|(_, fd)| fd).collect();
        let bytes = record(fds.first().ok_or("there is no vCPU")?).map_err(text)?;
        let data = Image::read(&bytes).map_err(text)?.layout().data();
        let (offset, len) = (
            data.start,
            usize::try_from(data.end - data.start).map_err(text)?,
        );
        Ok(Self { fds, offset, len })
    }

    fn sweep(&self) -> bool {
        let mut buffer = [0_u8; 8192];
        let Some(buffer) = buffer.get_mut(..self.len) else {
            return false;
        };
        self.fds.iter().all(|fd| {
            let read = rustix::io::pread(fd, &mut *buffer, self.offset);
            black_box(&buffer);
            read == Ok(self.len)
        })
    }
}

/// A sink that takes values as they were read, like the bare reads.
struct Rows;

impl StatsSink for Rows {
    fn result(&mut self, _: Option<&str>) {}
    fn scalar(&mut self, _: &str, _: u64) {}
    fn boolean(&mut self, _: &str, _: bool) {}
    fn histogram(&mut self, _: &str, _: &[u64]) {}

    fn row(&mut self, qom_path: Option<&str>, row: &Row<'_>) {
        black_box((qom_path, row.columns(), row.values()));
    }
}

/// A sink that looks at each statistic and keeps nothing.
struct Each;

impl StatsSink for Each {
    fn result(&mut self, qom_path: Option<&str>) {
        black_box(qom_path);
    }

    fn scalar(&mut self, name: &str, value: u64) {
        black_box((name, value));
    }

    fn boolean(&mut self, name: &str, value: bool) {
        black_box((name, value));
    }

    fn histogram(&mut self, name: &str, buckets: &[u64]) {
        black_box((name, buckets));
    }
}

/// Runs `work` over and over for a turn: nanoseconds for each, or `None` if it
/// failed.
pub(super) fn turn(mut work: impl FnMut() -> bool) -> Option<f64> {
    let begin = Instant::now();
    let mut count = 0_u32;
    while begin.elapsed() < TURN {
        for _ in 0..8 {
            if !work() {
                return None;
            }
        }
        count += 8;
    }
    Some(begin.elapsed().as_secs_f64() * 1e9 / f64::from(count))
}
