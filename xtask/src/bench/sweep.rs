//! The time to read all vCPUs' statistics, compared with bare reads.
//!
//! In: vCPUs of this machine's KVM. Out: one comparison for each sink.

use std::hint::black_box;
use std::os::fd::OwnedFd;

use kvm_stats::{Image, record};
use qapi_stats::stats::StatsTarget;
use qapi_stats::wire::Writer;
use stats_runtime::sink::{JsonResults, Row};
use stats_runtime::{Provider, StatsQuery, StatsSink};

use super::processors::Processors;
use super::report::Report;
use super::turns::turn;
use super::vm::Vm;
use crate::tools::{Failure, text};

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

fn sweep(vcpus: u32, rounds: usize, report: &mut Report) -> Result<(), Failure> {
    let vm = Vm::new(vcpus, 0)?;
    let bare = BarePreads::new(&vm)?;
    let provider = vm.provider();
    let target = StatsTarget::Vcpu;
    let query = StatsQuery::all(&target);
    let mut bytes = Vec::new();
    let (mut as_rows, mut to_json) = (Vec::new(), Vec::new());
    // The first turn warms up.
    for round in 0..=rounds {
        let bare_ns = turn(|| bare.sweep())?;
        let rows_ns = turn(|| provider.query(&query, &mut RowSink).map_err(text))?;
        let json_ns = turn(|| {
            bytes.clear();
            let mut writer = Writer::new(&mut bytes);
            let mut json = JsonResults::new(&mut writer);
            provider.query(&query, &mut json).map_err(text)?;
            json.finish();
            Ok(())
        })?;
        if round > 0 {
            as_rows.push([rows_ns, bare_ns]);
            to_json.push([json_ns, bare_ns]);
        }
    }
    report.compare("sweep, as rows", Some(vcpus), "bare pread loop", &as_rows);
    report.compare("sweep, to JSON", Some(vcpus), "bare pread loop", &to_json);
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
        let len = usize::try_from(data.end - data.start).map_err(text)?;
        Ok(Self {
            fds,
            offset: data.start,
            len,
        })
    }

    fn sweep(&self) -> Result<(), Failure> {
        let mut buffer = [0_u8; 8192];
        let buffer = buffer
            .get_mut(..self.len)
            .ok_or("the values are too long")?;
        for fd in &self.fds {
            rustix::io::pread(fd, &mut *buffer, self.offset).map_err(text)?;
            black_box(&buffer);
        }
        Ok(())
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
