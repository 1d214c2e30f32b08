//! The time of whole requests over a Unix socket, compared with a minimal
//! server and with QEMU.
//!
//! In: vCPUs of this machine's KVM. Out: comparisons and numbers of
//! allocations. One vCPU runs during the measurement, and after every turn one
//! more reply of ours is compared with replies of the minimal server.

mod client;
mod minimal_server;
mod replies;

use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::Duration;

use qapi_stats::stats::StatsProvider;
use serde_json::Value;
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};

pub(super) use self::client::Client;
use self::minimal_server::Content;
use super::allocations;
use super::processors::Processors;
use super::report::Report;
use super::turns::turn;
use super::vm::Vm;
use crate::process::{Running, qemu};
use crate::tools::{Failure, text};

/// The time for which QEMU keeps working after it has sent a long reply. QEMU
/// shares our processor, so the next turn has to wait until QEMU is idle.
const QEMU_REST_TIME: Duration = Duration::from_millis(60);
const QEMU: &str = "qemu-system-x86_64";
/// The most vCPUs of QEMU's machine type.
const QEMU_VCPUS_MAX: u32 = 255;
/// The most turns with QEMU, whose replies take long.
const QEMU_ROUNDS_MAX: usize = 9;

/// The number of requests over which allocations are averaged.
const COUNTED: u32 = 200;

/// A request of a client.
struct Request {
    name: &'static str,
    text: &'static str,
    objects: Objects,
    /// The statistics that are asked for, as the minimal server takes them.
    names: &'static str,
}

/// The objects of a request's reply.
#[derive(Clone, Copy, PartialEq)]
enum Objects {
    Vcpus,
    Vm,
    /// The reply is constant.
    Nothing,
}

const REQUESTS: [Request; 4] = [
    Request {
        name: "request, all vCPUs",
        text: "{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vcpu\"}}\n",
        objects: Objects::Vcpus,
        names: "",
    },
    Request {
        name: "request, two names",
        text: "{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vcpu\", \"providers\": \
               [{\"provider\": \"kvm\", \"names\": [\"exits\", \"halt_poll_success_hist\"]}]}}\n",
        objects: Objects::Vcpus,
        names: ",exits,halt_poll_success_hist,",
    },
    Request {
        name: "request, vm",
        text: "{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vm\"}}\n",
        objects: Objects::Vm,
        names: "",
    },
    Request {
        name: "request, schemas",
        text: "{\"execute\": \"query-stats-schemas\"}\n",
        objects: Objects::Nothing,
        names: "",
    },
];

/// Measures each number of vCPUs.
pub(super) fn run(
    vcpus: &[u32],
    rounds: usize,
    processors: &Processors,
    report: &mut Report,
) -> Result<(), Failure> {
    // The minimal server and QEMU inherit this thread's processor.
    processors.pin()?;
    let folder = tempfile::tempdir().map_err(text)?;
    minimal_server::compile(folder.path())?;
    for &vcpus in vcpus {
        let vm = Vm::new(vcpus, 1)?;
        processors.pin_guest(&vm)?;
        measure(&vm, vcpus, rounds, folder.path(), report)?;
    }
    Ok(())
}

/// Measures every request with one VM.
fn measure(
    vm: &Vm,
    vcpus: u32,
    rounds: usize,
    folder: &Path,
    report: &mut Report,
) -> Result<(), Failure> {
    let registry = Registry::new();
    let provider = vm.provider().clone();
    let registered = registry.register(StatsProvider::Kvm, provider);
    registered.map_err(text)?;
    let path = folder.join(format!("ours-{vcpus}"));
    let listener = Listener::unix(&path).map_err(text)?;
    let monitor = Monitor::new(registry, NoHost);
    let server = Server::start(monitor, [listener], Options::new()).map_err(text)?;
    let mut ours = Client::negotiated(UnixStream::connect(&path).map_err(text)?)?;
    let mut qemu = start_qemu(vcpus, folder)?;
    for request in REQUESTS {
        let Request { name, text, .. } = request;
        let first = ours.ask(text)?.to_vec();
        let (_running, mut minimal) =
            minimal_server::start(folder, content(vm, &request, &first)?)?;
        let before = minimal.ask(text)?.to_vec();
        let mut turns = Vec::new();
        for _ in 0..=rounds {
            turns.push(take_turns(text, [&mut ours, &mut minimal])?);
            check(&request, &mut ours, &mut minimal)?;
        }
        report.compare(name, Some(vcpus), "minimal server", without_first(&turns));
        if request.objects == Objects::Vcpus && minimal.ask(text)? == before {
            return Err("no vCPU has run".to_owned());
        }
        if let Some((_running, qemu)) = &mut qemu {
            let mut turns = Vec::new();
            for _ in 0..=rounds.min(QEMU_ROUNDS_MAX) {
                turns.push(take_turns(text, [&mut ours, qemu])?);
                thread::sleep(QEMU_REST_TIME);
            }
            report.compare(name, Some(vcpus), "QEMU", without_first(&turns));
        }
        let allocations = allocations(text, &mut ours)?;
        report.count(&format!("{name}: allocations"), Some(vcpus), allocations);
    }
    drop(server);
    Ok(())
}

/// Returns the turns without the first one, which warms up.
fn without_first(turns: &[[f64; 2]]) -> &[[f64; 2]] {
    turns.get(1..).unwrap_or_default()
}

/// Starts QEMU with KVM, whose replies are about another machine and are not
/// checked. Returns `None` if QEMU is not installed, or cannot have as many
/// vCPUs.
fn start_qemu(vcpus: u32, folder: &Path) -> Result<Option<(Running, Client)>, Failure> {
    let is_installed = Command::new(QEMU).arg("--version").output().is_ok();
    if !is_installed || vcpus > QEMU_VCPUS_MAX {
        return Ok(None);
    }
    let vcpus = vcpus.to_string();
    let machine = [
        "-accel", "kvm", "-machine", "q35", "-m", "128", "-smp", &vcpus,
    ];
    let (running, stream) = qemu(Path::new(QEMU), &machine, folder)?;
    Ok(Some((running, Client::negotiated(stream)?)))
}

/// Returns the content of the minimal server's reply, given our first reply.
fn content<'r>(vm: &Vm, request: &Request, first: &'r [u8]) -> Result<Content<'r>, Failure> {
    let objects = match request.objects {
        Objects::Nothing => return Ok(Content::Fixed(first)),
        Objects::Vcpus => vm.vcpus()?,
        Objects::Vm => vec![(String::new(), vm.vm()?)],
    };
    let names = request.names;
    Ok(Content::Live { names, objects })
}

/// Lets both clients send the same request for one turn each.
fn take_turns(request: &str, [ours, other]: [&mut Client; 2]) -> Result<[f64; 2], Failure> {
    Ok([
        turn(|| ours.ask(request).map(drop))?,
        turn(|| other.ask(request).map(drop))?,
    ])
}

/// Checks one reply of ours against reads of the statistics files before and
/// after it.
fn check(request: &Request, ours: &mut Client, minimal: &mut Client) -> Result<(), Failure> {
    let ask = |client: &mut Client| -> Result<Value, Failure> {
        serde_json::from_slice(client.ask(request.text)?).map_err(text)
    };
    let (before, reply, after) = (ask(minimal)?, ask(ours)?, ask(minimal)?);
    if replies::is_between(&reply, &before, &after) {
        return Ok(());
    }
    Err(format!(
        "{}: a reply is not what the statistics files say",
        request.name
    ))
}

/// Returns the mean number of allocations of the whole process, client
/// included, for one request.
fn allocations(request: &str, ours: &mut Client) -> Result<f64, Failure> {
    let before = allocations::count();
    for _ in 0..COUNTED {
        ours.ask(request)?;
    }
    let count = u32::try_from(allocations::count() - before).map_err(text)?;
    Ok(f64::from(count) / f64::from(COUNTED))
}
