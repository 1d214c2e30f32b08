//! Whole requests over a Unix socket: ours against the least that a server has
//! to do, and against a QEMU.
//!
//! In: vCPUs of this machine's KVM. Out: comparisons, and counts of what a
//! request costs beside time. Every kind of reply is checked against a read of
//! the statistics files before it is measured.

mod client;
mod minimal;
mod qemu;
mod tracer;

use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use kvm_ioctls::VcpuExit;
use qapi::stats::StatsProvider;
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
use stats_runtime::kvm::{vcpu_stats_fd, vm_stats_fd};
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};

use self::client::Client;
use self::minimal::{Content, Live};
use super::allocations;
use super::report::{Comparison, Count, Report};
use super::sweep::{Vm, qom_path, text, turn};
use crate::tools::Failure;

/// What the comparison with QEMU is called.
pub(super) const QEMU: &str = "QEMU";

/// Requests of which what they cost beside time is the mean.
const COUNTED: u32 = 200;

/// The names that are asked for where not all are.
const NAMES: [&str; 2] = ["exits", "halt_poll_success_hist"];

/// What a client can ask.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Vcpu,
    Names,
    Vm,
    Schemas,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Vcpu, Self::Names, Self::Vm, Self::Schemas];

    fn name(self) -> &'static str {
        match self {
            Self::Vcpu => "request, all vCPUs",
            Self::Names => "request, two names",
            Self::Vm => "request, vm",
            Self::Schemas => "request, schemas",
        }
    }

    fn request(self) -> &'static str {
        match self {
            Self::Vcpu => "{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vcpu\"}}\n",
            Self::Names => {
                "{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vcpu\", \"providers\": \
                 [{\"provider\": \"kvm\", \"names\": [\"exits\", \"halt_poll_success_hist\"]}]}}\n"
            }
            Self::Vm => "{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vm\"}}\n",
            Self::Schemas => "{\"execute\": \"query-stats-schemas\"}\n",
        }
    }
}

/// Measures each number of vCPUs.
pub(super) fn run(vcpus: &[u32], rounds: usize, report: &mut Report) -> Result<(), Failure> {
    // Whether client and server happen to share a processor would decide
    // everything else. QEMU inherits the choice.
    let mut processor = CpuSet::new();
    processor.set(sched_getcpu());
    sched_setaffinity(None, &processor).map_err(text)?;
    let folder = tempfile::tempdir().map_err(text)?;
    for &vcpus in vcpus {
        measure(vcpus, rounds, folder.path(), report)?;
    }
    Ok(())
}

fn measure(vcpus: u32, rounds: usize, folder: &Path, report: &mut Report) -> Result<(), Failure> {
    let mut vm = Vm::new(vcpus)?;
    let registry = Arc::new(Registry::new());
    let provider = Arc::clone(&vm.provider);
    registry
        .register(StatsProvider::Kvm, provider)
        .map_err(text)?;
    let path = folder.join(format!("ours-{vcpus}"));
    let listener = Listener::unix(&path).map_err(text)?;
    let monitor = Monitor::new(registry, Arc::new(NoHost));
    let server = Server::start(monitor, [listener], Options::new()).map_err(text)?;
    let mut ours = Client::negotiated(&path)?;
    let mut qemu = qemu::Qemu::start(vcpus, folder)?;
    for kind in Kind::ALL {
        let text = ours.ask(kind.request())?.to_vec();
        let path = folder.join(format!("minimal-{}-{vcpus}", kind as u8));
        let content = content(kind, &vm, text)?;
        let listener = UnixListener::bind(&path).map_err(super::sweep::text)?;
        let thread = thread::spawn(move || minimal::serve(&listener, content));
        let mut other = Client::connect(&path)?;
        check(kind, &mut vm, &mut ours, &mut other)?;
        compare(
            kind,
            vcpus,
            rounds,
            (&mut ours, &mut other, "minimal server"),
            report,
        )?;
        drop(other);
        let _ = thread.join();
        if let Some(qemu) = &mut qemu {
            compare(
                kind,
                vcpus,
                rounds.min(9),
                (&mut ours, &mut qemu.client, QEMU),
                report,
            )?;
        }
        count(kind, vcpus, &mut ours, report)?;
    }
    let peak = peak_kib()?;
    report.counts.push(Count {
        what: "peak memory of the whole bench, KiB".to_owned(),
        vcpus,
        value: peak,
    });
    drop(server);
    Ok(())
}

/// What the minimal server serves.
fn content(kind: Kind, vm: &Vm, text: Vec<u8>) -> Result<Content, Failure> {
    let live = |objects, names: Option<&[&str]>| Ok(Content::Live(Live::new(objects, names)?));
    match kind {
        Kind::Schemas => Ok(Content::Fixed(text)),
        Kind::Vm => {
            let head = "{\"provider\": \"kvm\", \"stats\": [".to_owned();
            live(
                vec![(head, vm_stats_fd(&vm.vm).map_err(super::sweep::text)?)],
                None,
            )
        }
        Kind::Vcpu | Kind::Names => {
            let mut objects = Vec::new();
            for (id, vcpu) in (0..).zip(&vm.vcpus) {
                let path = qom_path(id);
                let head =
                    format!("{{\"provider\": \"kvm\", \"qom-path\": \"{path}\", \"stats\": [");
                objects.push((head, vcpu_stats_fd(vcpu).map_err(super::sweep::text)?));
            }
            live(objects, (kind == Kind::Names).then_some(&NAMES))
        }
    }
}

/// Both have to say what a read of the files says, before and after a vCPU has
/// run.
fn check(kind: Kind, vm: &mut Vm, ours: &mut Client, other: &mut Client) -> Result<(), Failure> {
    let before = ours.ask(kind.request())?.to_vec();
    for _ in 0..2 {
        let our_reply = ours.ask(kind.request())?;
        if our_reply != other.ask(kind.request())? {
            return Err(format!("{}: the replies differ", kind.name()));
        }
        if let Some(vcpu) = vm.vcpus.first_mut() {
            // Without memory it leaves KVM at once, and that is counted.
            let _: Result<VcpuExit<'_>, _> = vcpu.run();
        }
    }
    let after = ours.ask(kind.request())?;
    if kind == Kind::Vcpu && *after == *before {
        return Err(format!("{}: a vCPU has run, unnoticed", kind.name()));
    }
    Ok(())
}

/// Both ask the same in turns.
fn compare(
    kind: Kind,
    vcpus: u32,
    rounds: usize,
    (ours, other, name): (&mut Client, &mut Client, &'static str),
    report: &mut Report,
) -> Result<(), Failure> {
    let (mut ours_ns, mut other_ns) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let a = turn(|| ours.ask(kind.request()).is_ok());
        let b = turn(|| other.ask(kind.request()).is_ok());
        let (Some(a), Some(b)) = (a, b) else {
            return Err("a server does not answer".to_owned());
        };
        if round > 0 {
            ours_ns.push(a);
            other_ns.push(b);
        }
    }
    report.comparisons.push(Comparison {
        what: kind.name().to_owned(),
        vcpus,
        other: name,
        ours_ns,
        other_ns,
    });
    Ok(())
}

/// What a request costs beside time.
fn count(kind: Kind, vcpus: u32, ours: &mut Client, report: &mut Report) -> Result<(), Failure> {
    let before = allocations::count();
    for _ in 0..COUNTED {
        ours.ask(kind.request())?;
    }
    let mean = |count: u64| {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        f64::from(count) / f64::from(COUNTED)
    };
    let mut add = |what: &str, value| {
        let what = format!("{}: {what} per request", kind.name());
        report.counts.push(Count { what, vcpus, value });
    };
    add("allocations", mean(allocations::count() - before));
    let syscalls = tracer::count_syscalls(|| {
        for _ in 0..COUNTED {
            ours.ask(kind.request())?;
        }
        Ok(())
    })?;
    if let Some(syscalls) = syscalls {
        add("syscalls of the server", mean(syscalls));
    }
    Ok(())
}

/// The most memory that this process has had.
fn peak_kib() -> Result<f64, Failure> {
    let status = std::fs::read_to_string("/proc/self/status").map_err(text)?;
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.trim().split(' ').next());
    peak.and_then(|peak| peak.parse().ok())
        .ok_or_else(|| "the kernel does not tell the peak of memory".to_owned())
}
