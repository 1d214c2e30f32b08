//! The time of whole requests over a Unix socket, compared with a minimal
//! server and with QEMU.
//!
//! In: vCPUs of this machine's KVM. Out: comparisons and numbers of
//! allocations. One vCPU runs during the measurement, and after every turn a
//! reply of each server is compared with reads of the statistics files.

mod client;
mod minimal;
mod qemu;
mod reply_checker;

use std::fs;
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
use self::reply_checker::ReplyChecker;
use super::allocations;
use super::processors::Processors;
use super::report::{Comparison, Count, Report};
use super::sweep::turn;
use super::vm::{Vm, text};
use crate::tools::Failure;

/// The time for which QEMU keeps working after it has sent a long reply. QEMU
/// shares our processor, so the next turn has to wait until QEMU is idle.
const QEMU_REST_TIME: Duration = Duration::from_millis(60);

/// The name of QEMU's side of a comparison.
const QEMU: &str = "QEMU";

/// The number of requests over which allocations are averaged.
const COUNTED: u32 = 200;

/// A request for all statistics of all vCPUs.
const VCPUS_REQUEST: &str =
    "{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vcpu\"}}\n";

/// The names of a request that does not ask for all statistics.
const NAMES: [&str; 2] = ["exits", "halt_poll_success_hist"];

/// A request of a client.
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
    // QEMU inherits this thread's processor.
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

/// Returns for each vCPU the text before its values in a reply, and its
/// statistics file.
fn vcpu_objects(vm: &Vm) -> Result<Vec<(String, OwnedFd)>, Failure> {
    let vcpus = vm.vcpus()?.into_iter();
    let object = |(path, fd)| {
        let head = format!("{{\"provider\": \"kvm\", \"qom-path\": \"{path}\", \"stats\": [");
        (head, fd)
    };
    Ok(vcpus.map(object).collect())
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
            let mut checker = ReplyChecker::new(self.content(kind, &first)?);
            let path = folder.join(format!("minimal-{}-{vcpus}", kind as u8));
            let listener = UnixListener::bind(&path).map_err(text)?;
            let content = self.content(kind, &first)?;
            let thread = thread::spawn(move || minimal::serve(&listener, content));
            let mut other = Client::connect(&path)?;
            self.compare(kind, &mut ours, &mut other, &mut checker)?;
            drop(other);
            let _ = thread.join();
            if let Some(qemu) = &mut qemu {
                self.compare_with_qemu(kind, &mut ours, &mut qemu.client, &mut checker)?;
            }
            if kind == Kind::Vcpu && !checker.has_seen_change() {
                return Err("no vCPU has run".to_owned());
            }
            count_allocations(kind, vcpus, &mut ours, self.report)?;
        }
        self.report.counts.push(Count {
            what: "peak memory of the bench, KiB".to_owned(),
            vcpus: Some(vcpus),
            value: peak_kib()?,
        });
        drop(server);
        Ok(())
    }

    /// Returns the content of a reply. The reply with schemas is `reply`.
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

    /// Lets both clients send the same request in turns, and checks one more
    /// reply of each after every turn.
    fn compare(
        &mut self,
        kind: Kind,
        ours: &mut Client,
        other: &mut Client,
        checker: &mut ReplyChecker,
    ) -> Result<(), Failure> {
        let check = |ours: &mut Client, other: &mut Client| {
            for client in [ours, other] {
                let checked = checker.check(|| client.ask(kind.request()));
                checked.map_err(|why| format!("{}: {why}", kind.name()))?;
            }
            Ok(())
        };
        let rounds = self.rounds;
        self.take_turns(kind, rounds, "minimal server", [ours, other], check)
    }

    /// Compares with QEMU, whose replies are about another machine and are not
    /// checked.
    fn compare_with_qemu(
        &mut self,
        kind: Kind,
        ours: &mut Client,
        qemu: &mut Client,
        checker: &mut ReplyChecker,
    ) -> Result<(), Failure> {
        let rounds = self.rounds.min(9);
        self.take_turns(kind, rounds, QEMU, [ours, qemu], |ours, _| {
            thread::sleep(QEMU_REST_TIME);
            checker.check(|| ours.ask(kind.request()))
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
            ours,
            others,
        });
        Ok(())
    }
}

/// Counts the allocations of the whole process, client included, for one
/// request.
fn count_allocations(
    kind: Kind,
    vcpus: u32,
    ours: &mut Client,
    report: &mut Report,
) -> Result<(), Failure> {
    let before = allocations::count();
    for _ in 0..COUNTED {
        ours.ask(kind.request())?;
    }
    let allocations = u32::try_from(allocations::count() - before).unwrap_or(u32::MAX);
    report.counts.push(Count {
        what: format!("{}: allocations", kind.name()),
        vcpus: Some(vcpus),
        value: f64::from(allocations) / f64::from(COUNTED),
    });
    Ok(())
}

/// Returns the peak memory of this process.
fn peak_kib() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status").map_err(|error| error.to_string())?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let figure = line.and_then(|line| line.split_whitespace().next());
    figure
        .and_then(|figure| figure.parse().ok())
        .ok_or_else(|| "the kernel does not report the peak of memory".to_owned())
}
