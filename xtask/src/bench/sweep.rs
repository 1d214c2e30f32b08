//! The time to read all vCPUs' statistics, compared with bare reads.
//!
//! In: vCPUs of this machine's KVM. Out: one comparison for each sink.

use std::hint::black_box;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use qapi_stats::stats::StatsTarget;
use qapi_stats::wire::Writer;
use stats_runtime::kvm::{Image, KvmProvider, record};
use stats_runtime::sink::JsonResults;
use stats_runtime::sink::Row;
use stats_runtime::{Provider, StatsQuery, StatsSink};

use super::processors::Processors;
use super::report::{Comparison, Report};
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

/// The shortest time of a turn.
const TURN: Duration = Duration::from_millis(20);

fn sweep(vcpus: u32, rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let vm = Vm::new(vcpus, 0)?;
    let bare = BarePreads::new(&vm)?;
    let provider = vm.provider();
    let target = StatsTarget::Vcpu;
    let query = StatsQuery::all(&target);
    let mut text = Vec::new();
    let mut sides = [const { Vec::new() }; 3];
    let mut rows = RowSink;
    // The first turn warms up.
    for round in 0..=rounds {
        let turns = [
            turn(|| bare.sweep()),
            turn(|| provider.query(&query, &mut rows).is_ok()),
            turn(|| to_json(provider, &query, &mut text)),
        ];
        for (side, ns) in sides.iter_mut().zip(turns) {
            let ns = ns.ok_or("a statistics file cannot be read")?;
            if round > 0 {
                side.push(ns);
            }
        }
    }
    let [bare_ns, rows_ns, json_ns] = sides;
    for (what, ours) in [("sweep, as rows", rows_ns), ("sweep, to JSON", json_ns)] {
        report.comparisons.push(Comparison {
            what: what.to_owned(),
            vcpus: Some(vcpus),
            other: "bare pread loop",
            ours,
            others: bare_ns.clone(),
        });
    }
    Ok(())
}

/// Reads every vCPU's values with one `pread` each, the least work that there
/// can be.
struct BarePreads {
    fds: Vec<OwnedFd>,
    offset: u64,
    len: usize,
}

impl BarePreads {
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

/// A sink that ignores the values, like the bare reads.
struct RowSink;

impl StatsSink for RowSink {
    fn result(&mut self, _: Option<&str>) {}
    fn scalar(&mut self, _: &str, _: u64) {}
    fn boolean(&mut self, _: &str, _: bool) {}
    fn histogram(&mut self, _: &str, _: &[u64]) {}

    fn row(&mut self, qom_path: Option<&str>, row: &Row<'_>) {
        black_box((qom_path, row.columns(), row.values()));
    }
}

/// Repeats `work` for one turn and returns the mean nanoseconds of one call.
/// Returns `None` if `work` failed.
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
