//! `vmstats demo`: a guest, its monitor, and a client that watches the guest.
//!
//! In: arguments. Out: the statistics that the client sees, second by second. The
//! client knows nothing but the monitor's socket.

use std::io::{self, Write};
#[cfg(feature = "host")]
use std::os::fd::BorrowedFd;
#[cfg(feature = "host")]
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use demo_guest::{Guest, GuestConfig, GuestError};
use qapi_stats::stats::commands::QueryStatsSchemas;
use qapi_stats::stats::{StatsSchema, StatsTarget};
#[cfg(feature = "host")]
use stats_handover::Handover;
use stats_runtime::kvm::KvmProvider;

use crate::cli::{DemoArgs, HmpEndpoint};
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::monitor_server::{self, MonitorServer};
use crate::printable::printable;
use crate::sample::Clock;
use crate::selection::Selection;
use crate::served_vm::Vm;
use crate::shutdown::{PendingSignals, ShutdownSignal, ShutdownTrigger};
use crate::source::Monitor;
use crate::{changes, query, replay, shell, table};

/// How long the demo's own monitor may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The number of seconds that statistics are shown for by default.
const SECONDS_DEFAULT: u64 = 5;

/// Runs `vmstats demo`.
///
/// # Errors
///
/// Returns an error if KVM is there but the guest does not boot, if the monitor
/// cannot be served, or if the monitor does not answer.
pub fn run(arguments: &DemoArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let signals = PendingSignals::install()?;
    let sockets = monitor_server::bind(&arguments.server)?;
    let shutdown = signals.start()?;
    let machine = Machine::start(arguments)?;
    let registry = monitor_server::kvm_registry(machine.provider())?;
    let vm = machine
        .vm(shutdown.trigger())
        .with_name(Some(arguments.name.clone()))
        .with_uuid(arguments.uuid.clone());
    let server = MonitorServer::start(&arguments.server, registry, vm, sockets)?;
    // Dropping it ends the hand-over.
    #[cfg(feature = "host")]
    let _handover = arguments
        .handover
        .as_deref()
        .map(|socket| hand_over(arguments, &machine, socket));
    #[cfg(feature = "host")]
    let _handover = _handover.transpose()?;
    let seconds = match (arguments.seconds, arguments.hold) {
        (Some(seconds), _) => seconds,
        (None, true) => 0,
        (None, false) => SECONDS_DEFAULT,
    };
    if arguments.hold {
        writeln!(out, "{}", server.path().display())?;
    }
    introduce(out, &machine, &server)?;
    let is_own_terminal = arguments.server.hmp == Some(HmpEndpoint::Terminal);
    if is_own_terminal {
        shell::run_own_hmp(server.path(), &shutdown, out)?;
    } else if seconds > 0 || !arguments.hold {
        show(out, &server, &machine, seconds, &shutdown)?;
    }
    out.flush()?;
    if arguments.hold && !is_own_terminal {
        shutdown.wait();
    }
    // Stop the server first: its clients use the machine.
    drop(server);
    machine.stop()
}

/// Hands the files of a machine over to the host that listens at `socket`.
#[cfg(feature = "host")]
fn hand_over(arguments: &DemoArgs, machine: &Machine, socket: &Path) -> Result<Handover, Failure> {
    let cannot = |error: &dyn std::fmt::Display| {
        Failure::other(format!("cannot hand over at {}: {error}", socket.display()))
    };
    let files = machine.provider().files().map_err(|error| cannot(&error))?;
    let own = |file: BorrowedFd<'_>| file.try_clone_to_owned().map_err(|error| cannot(&error));
    let give = |handover: &mut Handover| {
        if let Some(uuid) = &arguments.uuid {
            handover.set_uuid(&uuid.to_string())?;
        }
        handover.give(stats_handover::connect(socket)?)
    };
    let mut handover = Handover::new(&arguments.name).map_err(|error| cannot(&error))?;
    if let Some(vm) = files.vm() {
        handover
            .set_vm_fd(own(vm)?)
            .map_err(|error| cannot(&error))?;
    }
    for (index, (path, vcpu)) in (0..).zip(files.vcpus()) {
        let added = handover.add_vcpu_fd(index, path, own(vcpu)?);
        added.map_err(|error| cannot(&error))?;
    }
    give(&mut handover).map_err(|error| cannot(&error))?;
    Ok(handover)
}

/// The source of the statistics: a live guest, or recorded files.
enum Machine {
    Live(Arc<Guest>),
    Recorded {
        provider: KvmProvider,
        qom_paths: Vec<String>,
        /// The reason why the guest cannot be booted.
        reason: GuestError,
    },
}

impl Machine {
    fn start(arguments: &DemoArgs) -> Result<Self, Failure> {
        let running = arguments.running.unwrap_or(arguments.vcpus);
        if running > arguments.vcpus {
            return Err(Failure::usage(format!(
                "--running {running} is more than --vcpus {}",
                arguments.vcpus
            )));
        }
        let config = GuestConfig {
            vcpus: arguments.vcpus.into(),
            running: running.into(),
        };
        match Guest::boot(config) {
            Ok(guest) => Ok(Self::Live(Arc::new(guest))),
            Err(reason) if reason.is_kvm_unavailable() => {
                let replay = replay::recorded()?;
                Ok(Self::Recorded {
                    provider: replay.provider,
                    qom_paths: replay.qom_paths,
                    reason,
                })
            }
            Err(error) => Err(Failure::other(error.to_string())),
        }
    }

    fn provider(&self) -> KvmProvider {
        match self {
            Self::Live(guest) => guest.provider().clone(),
            Self::Recorded { provider, .. } => provider.clone(),
        }
    }

    fn vm(&self, shutdown: ShutdownTrigger) -> Vm {
        match self {
            Self::Live(guest) => Vm::live(Arc::clone(guest), shutdown),
            Self::Recorded { qom_paths, .. } => Vm::recorded(qom_paths.clone(), shutdown),
        }
    }

    /// Stops the guest. Call it after the server has been dropped, because the
    /// server's monitor has a reference to the guest.
    fn stop(self) -> Result<(), Failure> {
        let Self::Live(guest) = self else {
            return Ok(());
        };
        // A command that still runs keeps a reference, and stops the guest when
        // it ends.
        let Some(guest) = Arc::into_inner(guest) else {
            return Ok(());
        };
        guest
            .stop()
            .map_err(|error| Failure::other(error.to_string()))
    }
}

fn introduce(out: &mut dyn Write, machine: &Machine, server: &MonitorServer) -> io::Result<()> {
    match machine {
        Machine::Live(guest) => {
            let (vcpus, running) = (guest.vcpus(), guest.running());
            writeln!(
                out,
                "A guest with {vcpus} vCPU(s), {running} running, on KVM."
            )?;
        }
        Machine::Recorded { reason, .. } => {
            writeln!(out, "No live guest: {reason}.")?;
            writeln!(
                out,
                "Replaying recorded statistics files instead; their numbers do not change."
            )?;
        }
    }
    writeln!(out, "Its monitor: {}", server.path().display())?;
    for address in server.addresses() {
        writeln!(out, "And at {address}")?;
    }
    writeln!(out)
}

/// Connects as any client would, and prints the statistics and their changes.
fn show(
    out: &mut dyn Write,
    server: &MonitorServer,
    machine: &Machine,
    seconds: u64,
    shutdown: &ShutdownSignal,
) -> Result<(), Failure> {
    let mut client = Client::connect(&Endpoint::Unix(server.path().to_owned()), TIMEOUT)?;
    let version = client.version();
    let package = printable(&version.package);
    writeln!(out, "Monitor version {version} ({package})")?;
    let schemas = client.execute(&QueryStatsSchemas { provider: None })?;
    summarize(out, &schemas)?;
    if matches!(machine, Machine::Recorded { .. }) {
        return query::print_everything(&mut client, out);
    }
    let endpoint = server.path().display().to_string();
    let everything = Selection::default();
    let mut monitor = Monitor::open(client, &endpoint, everything, Clock::start(), true)?;
    let mut last = monitor.sample(0)?;
    let begin = Instant::now();
    for second in 1..=seconds {
        let next = begin + Duration::from_secs(second);
        if shutdown.wait_timeout(next.saturating_duration_since(Instant::now())) {
            break;
        }
        table::heading(out, &format!("after {second} s"))?;
        let sample = monitor.sample(0)?;
        changes::print(&last, &sample, out)?;
        last = sample;
    }
    Ok(())
}

fn summarize(out: &mut dyn Write, schemas: &[StatsSchema]) -> io::Result<()> {
    for schema in schemas {
        let histograms = schema.stats.iter().filter(|stat| stat.is_histogram());
        let histograms = histograms.count();
        let of = if schema.target == StatsTarget::Vcpu {
            "of each vCPU"
        } else {
            "of the VM"
        };
        let (count, provider) = (schema.stats.len(), &schema.provider);
        writeln!(
            out,
            "  {provider}: {count} statistics {of}, {histograms} of them histograms"
        )?;
    }
    writeln!(out)
}
