//! Many VMs in one process: what each costs, in memory and in time.
#![cfg(feature = "kvm")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fs::File;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kvm_stats::{ImageBuilder, ImageStat};
use qapi_stats::stats::{StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stats_runtime::kvm::KvmProvider;
use stats_runtime::{Monitor, NoHost, Registry};

/// How many VMs; fewer where so many files may not be open.
const VMS: [usize; 2] = [10_000, 1_000];

/// What a VM may cost at most, beside its file in the kernel, in bytes.
const BYTES_MAX: usize = 2048;

/// A statistics file of about the size of a VM's, in a file system.
fn path() -> tempfile::TempPath {
    let mut image = ImageBuilder::new("kvm-1");
    for index in 0..16 {
        image = image.stat(ImageStat::new(format!("counter{index}"), 0, 0, [index]));
    }
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(&image.build()).unwrap();
    file.into_temp_path()
}

/// The memory that this process has now, in bytes.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.unwrap().split_whitespace().nth(1).unwrap();
    kib.parse::<usize>().unwrap() * 1024
}

fn name(index: usize) -> StatsProvider {
    StatsProvider::Unknown(format!("vm-{index}").into())
}

/// A registry with so many VMs.
fn registry(vms: usize, path: &tempfile::TempPath) -> Registry {
    let registry = Registry::new();
    let first = KvmProvider::new();
    for index in 0..vms {
        let provider = first.for_another_vm();
        provider
            .set_vm_fd(File::open(path).unwrap().into())
            .unwrap();
        registry.register(name(index), Arc::new(provider)).unwrap();
    }
    registry
}

fn filter(providers: Option<Vec<StatsRequest>>) -> StatsFilter {
    StatsFilter {
        target: StatsFilterBranch::Vm,
        providers,
    }
}

/// The least time that a query took.
fn time(registry: &Registry, filter: &StatsFilter, results: usize) -> Duration {
    let ask = |_| {
        let begin = Instant::now();
        assert_eq!(registry.query(filter).unwrap().len(), results);
        begin.elapsed()
    };
    (0..9).map(ask).min().unwrap()
}

#[test]
fn ten_times_as_many_vms_cost_ten_times_as_much() {
    let is_allowed = |vms: &usize| {
        let files = u64::try_from(vms + vms / 10 + 200).unwrap();
        let maximum = getrlimit(Resource::Nofile).maximum;
        let current = Some(files);
        setrlimit(Resource::Nofile, Rlimit { current, maximum }).is_ok()
    };
    let vms = VMS.into_iter().find(is_allowed).unwrap();
    let few = vms / 10;
    let path = path();
    let tenth = registry(few, &path);
    let before = resident();
    let begin = Instant::now();
    let all = registry(vms, &path);
    let registered = begin.elapsed();
    let bytes_per_vm = resident().saturating_sub(before) / vms;
    let (little, much) = (
        time(&tenth, &filter(None), few),
        time(&all, &filter(None), vms),
    );
    let request = StatsRequest {
        provider: name(vms / 2),
        names: None,
    };
    let one = time(&all, &filter(Some(vec![request])), 1);
    println!(
        "{vms} VMs: registered in {registered:?}, {bytes_per_vm} bytes each; typed results of \
         {few} {little:?}, of all {much:?}, of one {one:?}"
    );
    assert!(bytes_per_vm <= BYTES_MAX, "{bytes_per_vm}");
    // Linear would be ten; the rest is for caches and for who else is busy.
    assert!(much < little * 30, "{little:?} {much:?}");
    assert!(one < much / 5, "{one:?} {much:?}");

    // The same over a session: the first results are those registered last.
    let monitor = Monitor::new(all, NoHost);
    let mut session = stats_runtime::qmp::Session::new(
        &monitor.host().version(),
        stats_runtime::qmp::Limits::default(),
    );
    session.receive(b"{'execute': 'qmp_capabilities'}");
    session.receive(b"{'execute': 'query-stats', 'arguments': {'target': 'vm'}}");
    session.run(&monitor, &monitor.context());
    let output = str::from_utf8(session.output()).unwrap();
    let places: Vec<_> = output.match_indices("\"provider\": \"vm-").collect();
    assert_eq!(places.len(), vms);
    assert!(output.contains(&format!("[{{\"provider\": \"vm-{}\"", vms - 1)));
}
