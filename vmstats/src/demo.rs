//! `vmstats demo`: a guest, its monitor, and a client that watches it.
//!
//! In: arguments. Out: what a client sees, second by second. The client knows
//! nothing but the socket.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use qapi_stats::stats::commands::QueryStatsSchemas;
use qapi_stats::stats::{StatsSchema, StatsTarget};
use stats_runtime::kvm::KvmProvider;

use crate::cli::{Demo, Human};
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::failure::Failure;
use crate::host::{Ending, Vm};
use crate::monitor::Served;
use crate::printable::printable;
use crate::watch::{Snapshot, Watch};
use crate::{replay, shell, table};
use demo_guest::{Guest, GuestConfig, GuestError};

/// How long the demo's own monitor may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long statistics are shown for if nothing is said.
const SECONDS_DEFAULT: u64 = 5;

/// Runs `vmstats demo`.
///
/// # Errors
///
/// A guest that does not boot although KVM is there, a socket that cannot be
/// bound, a monitor that does not answer.
pub fn run(arguments: &Demo, out: &mut dyn Write) -> Result<(), Failure> {
    let listeners = arguments.serving.bind()?;
    let ending = Ending::listen()?;
    let machine = Machine::start(arguments)?;
    let vm = machine
        .vm(&ending)
        .called(Some(arguments.name.clone()))
        .identified(arguments.uuid.clone());
    let mut served = Served::start(&arguments.serving, machine.provider(), vm, listeners)?;
    if let Some(Human::Unix(path)) = &arguments.serving.hmp {
        served.offer_human(path)?;
    }
    let seconds = match (arguments.seconds, arguments.hold) {
        (Some(seconds), _) => seconds,
        (None, true) => 0,
        (None, false) => SECONDS_DEFAULT,
    };
    if arguments.hold {
        writeln!(out, "{}", served.path().display())?;
    }
    introduce(out, &machine, &served)?;
    if arguments.serving.hmp == Some(Human::Terminal) {
        shell::human(served.path(), &ending, out)?;
    } else if seconds > 0 || !arguments.hold {
        show(out, &served, &machine, seconds, &ending)?;
    }
    out.flush()?;
    if arguments.hold && arguments.serving.hmp != Some(Human::Terminal) {
        ending.wait();
    }
    // The clients first, then what they look at.
    drop(served);
    machine.stop()
}

/// What has statistics: a live guest, or a record of one.
enum Machine {
    Live(Arc<Guest>),
    Recorded {
        replay: Arc<KvmProvider>,
        qom_paths: Vec<String>,
        why: GuestError,
    },
}

impl Machine {
    fn start(arguments: &Demo) -> Result<Self, Failure> {
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
            Err(why) if why.is_kvm_unavailable() => {
                let replay = replay::recorded()?;
                Ok(Self::Recorded {
                    replay: Arc::new(replay.provider),
                    qom_paths: replay.qom_paths,
                    why,
                })
            }
            Err(error) => Err(Failure::other(error.to_string())),
        }
    }

    fn provider(&self) -> Arc<KvmProvider> {
        match self {
            Self::Live(guest) => Arc::clone(guest.provider()),
            Self::Recorded { replay, .. } => Arc::clone(replay),
        }
    }

    fn vm(&self, ending: &Ending) -> Vm {
        match self {
            Self::Live(guest) => Vm::live(Arc::clone(guest), ending),
            Self::Recorded { qom_paths, .. } => Vm::recorded(qom_paths.clone(), ending),
        }
    }

    /// Call it when the monitor is gone, which holds the guest as well.
    fn stop(self) -> Result<(), Failure> {
        match self {
            Self::Live(guest) => match Arc::into_inner(guest) {
                Some(guest) => guest
                    .stop()
                    .map_err(|error| Failure::other(error.to_string())),
                // Whoever still holds it stops it.
                None => Ok(()),
            },
            Self::Recorded { .. } => Ok(()),
        }
    }
}

fn introduce(out: &mut dyn Write, machine: &Machine, served: &Served) -> io::Result<()> {
    match machine {
        Machine::Live(guest) => {
            let (vcpus, running) = (guest.vcpus(), guest.running());
            writeln!(
                out,
                "A guest with {vcpus} vCPU(s), {running} running, on KVM."
            )?;
        }
        Machine::Recorded { why, .. } => {
            writeln!(out, "No live guest: {why}.")?;
            writeln!(
                out,
                "Replaying recorded stats files instead; none of it will move."
            )?;
        }
    }
    writeln!(out, "Its monitor: {}", served.path().display())?;
    for address in served.addresses() {
        writeln!(out, "And at {address}")?;
    }
    writeln!(out)
}

/// Connects as any client would, and prints what there is and how it changes.
fn show(
    out: &mut dyn Write,
    served: &Served,
    machine: &Machine,
    seconds: u64,
    ending: &Ending,
) -> Result<(), Failure> {
    let mut client = Client::connect(&Endpoint::Unix(served.path().to_owned()), TIMEOUT)?;
    let version = client.version();
    let triple = &version.qemu;
    writeln!(
        out,
        "Monitor version {}.{}.{} ({})",
        triple.major,
        triple.minor,
        triple.micro,
        printable(&version.package)
    )?;
    let schemas = client.execute(&QueryStatsSchemas { provider: None })?;
    summarize(out, &schemas)?;
    let mut watch = Watch::new(schemas, Snapshot::take(&mut client)?);
    if matches!(machine, Machine::Recorded { .. }) {
        return Ok(watch.print_values(out)?);
    }
    let begin = Instant::now();
    for second in 1..=seconds {
        let next = begin + Duration::from_secs(second);
        if ending.wait_timeout(next.saturating_duration_since(Instant::now())) {
            break;
        }
        let heading = format!("after {second} s");
        table::heading(out, &heading)?;
        watch.advance(Snapshot::take(&mut client)?, out)?;
    }
    Ok(())
}

fn summarize(out: &mut dyn Write, schemas: &[StatsSchema]) -> io::Result<()> {
    for schema in schemas {
        let histograms = schema
            .stats
            .iter()
            .filter(|stat| stat.is_histogram())
            .count();
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
