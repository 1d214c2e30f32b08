//! `vmstats serve`: a monitor for recorded statistics files.
//!
//! In: arguments. Out: a served socket, until a signal or a client ends it.

use std::io::Write;

use crate::cli::{HmpEndpoint, ServeArgs};
use crate::failure::Failure;
use crate::host::Vm;
use crate::monitor_server::{self, MonitorServer};
use crate::shutdown::PendingSignals;
use crate::{replay, shell};

/// Runs `vmstats serve`.
///
/// # Errors
///
/// Returns an error if a file is not a statistics file, or if the monitor cannot
/// be served.
pub fn run(arguments: &ServeArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let signals = PendingSignals::install()?;
    let sockets = monitor_server::bind(&arguments.server)?;
    let shutdown = signals.start()?;
    let replay = replay::open(&arguments.replay)?;
    let registry = monitor_server::kvm_registry(replay.provider)?;
    let vm = Vm::recorded(replay.qom_paths, shutdown.trigger()).with_name(arguments.name.clone());
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
