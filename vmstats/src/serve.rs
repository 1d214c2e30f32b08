//! `vmstats serve`: a monitor for a recording, or for recorded statistics files.
//!
//! In: arguments. Out: a served socket, until a signal or a client ends it.

use std::io::Write;

use stats_runtime::Registry;

use crate::cli::{HmpEndpoint, ServeArgs};
use crate::failure::Failure;
use crate::monitor_server::{self, MonitorServer};
#[cfg(feature = "record")]
use crate::playback::Playback;
use crate::served_vm::Vm;
use crate::shutdown::{PendingSignals, ShutdownTrigger};
use crate::time_span::Part;
use crate::{replay, shell};

/// Runs `vmstats serve`.
///
/// # Errors
///
/// Returns an error if there is neither a recording nor statistics files, or if the
/// monitor cannot be served.
pub fn run(arguments: &ServeArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let signals = PendingSignals::install()?;
    let sockets = monitor_server::bind(&arguments.server)?;
    let shutdown = signals.start()?;
    let (registry, mut vm) = open(arguments, shutdown.trigger())?;
    if arguments.name.is_some() {
        vm = vm.with_name(arguments.name.clone());
    }
    let server = MonitorServer::start(&arguments.server, registry, vm, sockets)?;
    writeln!(out, "{}", server.path().display())?;
    for address in server.addresses() {
        writeln!(out, "{address}")?;
    }
    out.flush()?;
    if arguments.server.hmp == Some(HmpEndpoint::Terminal) {
        return shell::run_own_hmp(server.path(), &shutdown, out);
    }
    shutdown.wait();
    Ok(())
}

/// Opens the recording, or the folder of statistics files, that `--replay` names.
fn open(arguments: &ServeArgs, shutdown: ShutdownTrigger) -> Result<(Registry, Vm), Failure> {
    let place = &arguments.replay;
    #[cfg(feature = "record")]
    if let Some(playback) = Playback::start(place, arguments.vm.as_deref())? {
        return Ok((playback.registry, Vm::played(playback.identity, shutdown)));
    }
    if place.part != Part::All || arguments.vm.is_some() {
        return Err(Failure::other(format!(
            "{} is not a recording, and only recordings have times and --vm; \
            `vmstats record` makes recordings",
            place.folder.display()
        )));
    }
    let replay = replay::open(&place.folder)?;
    let registry = monitor_server::kvm_registry(replay.provider)?;
    Ok((registry, Vm::recorded(replay.qom_paths, shutdown)))
}
