//! The sweep of all vCPUs' statistics: the provider against bare reads.
//!
//! In: vCPUs of this machine's KVM. Out: rows of a table.

use std::hint::black_box;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use qapi::stats::StatsTarget;
use qapi::wire::Writer;
use stats_runtime::columns::Row;
use stats_runtime::kvm::{Image, KvmProvider, raise_nofile_limit, record, vcpu_stats_fd};
use stats_runtime::provider::{Provider, StatsQuery, StatsSink};
use stats_runtime::sink::JsonResults;

use super::{quantile, spread, time};
use crate::tools::Failure;

/// Prints the table: a row for each number of vCPUs.
pub(super) fn run(vcpus: &[u32], rounds: usize) -> Result<(), Failure> {
    println!("Sweep of all statistics of all vCPUs, which do not run.");
    println!("Medians of {rounds} turns; in brackets the quartiles of the ratio.\n");
    println!(
        "{:>6}  {:>12}  {:>12}  {:>22}  {:>12}  {:>22}",
        "vCPUs", "bare pread", "provider", "ratio", "to JSON", "ratio"
    );
    for &vcpus in vcpus {
        let row = sweep(vcpus, rounds)?;
        println!(
            "{vcpus:>6}  {:>12}  {:>12}  {:>22}  {:>12}  {:>22}",
            time(row.bare_ns),
            time(row.provider_ns),
            row.provider_ratio,
            time(row.json_ns),
            row.json_ratio,
        );
    }
    Ok(())
}

/// How long each side runs in its turn.
const TURN: Duration = Duration::from_millis(20);

struct Line {
    bare_ns: f64,
    provider_ns: f64,
    provider_ratio: String,
    json_ns: f64,
    json_ratio: String,
}

fn sweep(vcpus: u32, rounds: usize) -> Result<Line, Failure> {
    let vm = Vm::new(vcpus)?;
    let bare = Bare::new(&vm)?;
    let provider = &vm.provider;
    let target = StatsTarget::Vcpu;
    let query = StatsQuery::all(&target);
    let mut text = Vec::new();
    let (mut bare_ns, mut provider_ns, mut json_ns) = (Vec::new(), Vec::new(), Vec::new());
    let mut sink = Discard;
    // The first turn warms up.
    for round in 0..=rounds {
        let turns = [
            turn(|| bare.sweep()),
            turn(|| provider.query(&query, &mut sink).is_ok()),
            turn(|| {
                text.clear();
                let mut writer = Writer::new(&mut text);
                let mut json = JsonResults::new(&mut writer);
                let read = provider.query(&query, &mut json).is_ok();
                json.finish();
                read
            }),
        ];
        let [Some(a), Some(b), Some(c)] = turns else {
            return Err("a statistics file cannot be read".to_owned());
        };
        if round > 0 {
            bare_ns.push(a);
            provider_ns.push(b);
            json_ns.push(c);
        }
    }
    let ratios = |over: &[f64]| {
        over.iter()
            .zip(&bare_ns)
            .map(|(a, b)| a / b)
            .collect::<Vec<_>>()
    };
    Ok(Line {
        provider_ratio: spread(ratios(&provider_ns)),
        json_ratio: spread(ratios(&json_ns)),
        bare_ns: quantile(&mut bare_ns, 0.5),
        provider_ns: quantile(&mut provider_ns, 0.5),
        json_ns: quantile(&mut json_ns, 0.5),
    })
}

/// vCPUs that never run: what they count costs as much to read.
struct Vm {
    provider: KvmProvider,
    // Kept open: the bench reads what a VMM would.
    vcpus: Vec<VcpuFd>,
    _vm: VmFd,
}

impl Vm {
    fn new(count: u32) -> Result<Self, Failure> {
        raise_nofile_limit(u64::from(count) * 3 + 100).map_err(text)?;
        let vm = Kvm::new().and_then(|kvm| kvm.create_vm()).map_err(text)?;
        let provider = KvmProvider::with_vm(&vm).map_err(text)?;
        let mut vcpus = Vec::new();
        for id in 0..count {
            let vcpu = vm.create_vcpu(id.into()).map_err(text)?;
            provider
                .add_vcpu(format!("/machine/unattached/device[{id}]"), &vcpu)
                .map_err(text)?;
            vcpus.push(vcpu);
        }
        Ok(Self {
            provider,
            vcpus,
            _vm: vm,
        })
    }
}

fn text(error: impl std::fmt::Display) -> Failure {
    error.to_string()
}

/// The least that reading every vCPU's values can cost: one `pread` each.
struct Bare {
    fds: Vec<OwnedFd>,
    offset: u64,
    len: usize,
}

impl Bare {
    fn new(vm: &Vm) -> Result<Self, Failure> {
        let fds: Result<Vec<_>, _> = vm.vcpus.iter().map(vcpu_stats_fd).collect();
        let fds = fds.map_err(text)?;
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

/// A sink that looks at everything and keeps nothing.
struct Discard;

impl StatsSink for Discard {
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

    fn row(&mut self, qom_path: Option<&str>, row: &Row<'_>) {
        black_box(qom_path);
        // As of the bare reads, the values as they were read.
        black_box(row.values());
    }
}

/// Runs `work` over and over for a turn: nanoseconds for each, or `None` if it
/// failed.
fn turn(mut work: impl FnMut() -> bool) -> Option<f64> {
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
