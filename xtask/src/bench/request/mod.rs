//! Whole requests over a Unix socket: ours against the least that a server has
//! to do, and against a QEMU.
//!
//! In: vCPUs of this machine's KVM. Out: comparisons, and counts of what a
//! request costs beside time. One vCPU runs meanwhile, and after every turn a
//! reply of each is held against reads of the statistics files.

mod client;
mod minimal;
mod qemu;
mod tracer;
mod witness;

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use qapi_stats::stats::StatsProvider;
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};

pub(super) use self::client::Client;
use self::minimal::{Content, Live};
use self::witness::Witness;
use super::processors::Processors;
use super::report::{Comparison, Count, Report, Unit};
use super::sweep::turn;
use super::vm::{Vm, text};
use super::{allocations, peak_kib};
use crate::tools::Failure;

/// How long QEMU, which is on our processor, goes on working when it has sent
/// a long reply: that is not to count as our time.
const QEMU_REST_TIME: Duration = Duration::from_millis(60);

/// What the comparison with QEMU is called.
pub(super) const QEMU: &str = "QEMU";

/// Requests of which what they cost beside time is the mean.
const COUNTED: u32 = 200;

/// A request for all statistics of all vCPUs.
pub(super) const VCPUS_REQUEST: &str =
    "{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vcpu\"}}\n";

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
            Self::Vcpu => VCPUS_REQUEST,
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
pub(super) fn run(
    vcpus: &[u32],
    rounds: usize,
    processors: &Processors,
    report: &mut Report,
) -> Result<(), Failure> {
    // QEMU inherits the choice.
    processors.pin()?;
    let folder = tempfile::tempdir().map_err(text)?;
    for &vcpus in vcpus {
        let vm = Vm::new(vcpus, 1)?;
        processors.pin_guest(&vm)?;
        let mut bench = Bench {
            vm,
            vcpus,
            rounds,
            report: &mut *report,
        };
        bench.run(folder.path())?;
    }
    Ok(())
}

/// What stands before each vCPU's values in a reply, and its file.
fn vcpu_objects(vm: &Vm) -> Result<Vec<(String, OwnedFd)>, Failure> {
    let vcpus = vm.vcpus()?.into_iter();
    let object = |(path, fd)| {
        let head = format!("{{\"provider\": \"kvm\", \"qom-path\": \"{path}\", \"stats\": [");
        (head, fd)
    };
    Ok(vcpus.map(object).collect())
}

/// A client of a minimal server of all vCPUs' statistics, which ends with it.
pub(super) fn minimal_client(vm: &Vm, folder: &Path) -> Result<Client, Failure> {
    let path = folder.join("minimal");
    let content = Content::Live(Live::new(vcpu_objects(vm)?, None)?);
    let listener = UnixListener::bind(&path).map_err(text)?;
    thread::spawn(move || minimal::serve(&listener, content));
    Client::connect(&path)
}

/// Measures one number of vCPUs.
struct Bench<'r> {
    vm: Vm,
    vcpus: u32,
    rounds: usize,
    report: &'r mut Report,
}

impl Bench<'_> {
    fn run(&mut self, folder: &Path) -> Result<(), Failure> {
        let vcpus = self.vcpus;
        let registry = Arc::new(Registry::new());
        let provider = Arc::clone(self.vm.provider());
        let registered = registry.register(StatsProvider::Kvm, provider);
        registered.map_err(text)?;
        let path = folder.join(format!("ours-{vcpus}"));
        let listener = Listener::unix(&path).map_err(text)?;
        let monitor = Monitor::new(registry, Arc::new(NoHost));
        let server = Server::start(monitor, [listener], Options::new()).map_err(text)?;
        let mut ours = Client::negotiated(&path)?;
        let mut qemu = qemu::Qemu::start(vcpus, folder)?;
        for kind in Kind::ALL {
            let first = ours.ask(kind.request())?.to_vec();
            let mut witness = Witness::new(self.content(kind, &first)?);
            let path = folder.join(format!("minimal-{}-{vcpus}", kind as u8));
            let listener = UnixListener::bind(&path).map_err(text)?;
            let content = self.content(kind, &first)?;
            let thread = thread::spawn(move || minimal::serve(&listener, content));
            let mut other = Client::connect(&path)?;
            self.compare(kind, &mut ours, &mut other, &mut witness)?;
            drop(other);
            let _ = thread.join();
            if let Some(qemu) = &mut qemu {
                self.compare_with_qemu(kind, &mut ours, &mut qemu.client, &mut witness)?;
            }
            if kind == Kind::Vcpu && !witness.has_seen_change() {
                return Err("no vCPU has run".to_owned());
            }
            count(kind, vcpus, &mut ours, self.report)?;
        }
        self.report.counts.push(Count {
            what: "peak memory of the bench, KiB".to_owned(),
            vcpus: Some(vcpus),
            value: peak_kib()?,
        });
        drop(server);
        Ok(())
    }

    /// What a reply consists of; schemas are those of `reply`.
    fn content(&self, kind: Kind, reply: &[u8]) -> Result<Content, Failure> {
        let live = |objects, names: Option<&[&str]>| Ok(Content::Live(Live::new(objects, names)?));
        match kind {
            Kind::Schemas => Ok(Content::Fixed(reply.to_vec())),
            Kind::Vm => {
                let head = "{\"provider\": \"kvm\", \"stats\": [".to_owned();
                live(vec![(head, self.vm.vm()?)], None)
            }
            Kind::Vcpu => live(vcpu_objects(&self.vm)?, None),
            Kind::Names => live(vcpu_objects(&self.vm)?, Some(&NAMES)),
        }
    }

    /// Both ask the same in turns, and after each turn once more, to look at
    /// the replies.
    fn compare(
        &mut self,
        kind: Kind,
        ours: &mut Client,
        other: &mut Client,
        witness: &mut Witness,
    ) -> Result<(), Failure> {
        let check = |ours: &mut Client, other: &mut Client| {
            for client in [ours, other] {
                let checked = witness.check(|| client.ask(kind.request()));
                checked.map_err(|why| format!("{}: {why}", kind.name()))?;
            }
            Ok(())
        };
        let rounds = self.rounds;
        self.take_turns(kind, rounds, "minimal server", [ours, other], check)
    }

    /// The same with QEMU, whose machine is another.
    fn compare_with_qemu(
        &mut self,
        kind: Kind,
        ours: &mut Client,
        qemu: &mut Client,
        witness: &mut Witness,
    ) -> Result<(), Failure> {
        let rounds = self.rounds.min(9);
        self.take_turns(kind, rounds, QEMU, [ours, qemu], |ours, _| {
            thread::sleep(QEMU_REST_TIME);
            witness.check(|| ours.ask(kind.request()))
        })
    }

    fn take_turns(
        &mut self,
        kind: Kind,
        rounds: usize,
        name: &'static str,
        [a, b]: [&mut Client; 2],
        mut check: impl FnMut(&mut Client, &mut Client) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        check(a, b)?;
        // The first turn warms up.
        for round in 0..=rounds {
            let ours_ns = turn(|| a.ask(kind.request()).is_ok());
            let other_ns = turn(|| b.ask(kind.request()).is_ok());
            let (Some(ours_ns), Some(other_ns)) = (ours_ns, other_ns) else {
                return Err("a server does not answer".to_owned());
            };
            check(a, b)?;
            if round > 0 {
                ours.push(ours_ns);
                others.push(other_ns);
            }
        }
        self.report.comparisons.push(Comparison {
            what: kind.name().to_owned(),
            vcpus: Some(self.vcpus),
            other: name,
            unit: Unit::Ns,
            ours,
            others,
        });
        Ok(())
    }
}

/// What a request costs beside time: allocations of the whole process,
/// syscalls of the server.
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
        report.counts.push(Count {
            what: format!("{}: {what}", kind.name()),
            vcpus: Some(vcpus),
            value,
        });
    };
    add("allocations", mean(allocations::count() - before));
    let syscalls = tracer::count_syscalls(|| {
        for _ in 0..COUNTED {
            ours.ask(kind.request())?;
        }
        Ok(())
    })?;
    if let Some(syscalls) = syscalls {
        add("syscalls", mean(syscalls));
    }
    Ok(())
}
