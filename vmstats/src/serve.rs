//! `vmstats serve`: recorded stats files behind a monitor.
//!
//! In: arguments. Out: a served socket, until a signal or a client ends it.

use std::io::Write;
use std::sync::Arc;

use crate::cli::{Human, Serve};
use crate::failure::Failure;
use crate::host::{Ending, Vm};
use crate::monitor::Served;
use crate::{replay, shell};

/// Runs `vmstats serve`.
///
/// # Errors
///
/// A file that cannot be served, or a socket that cannot be bound.
pub fn run(arguments: &Serve, out: &mut dyn Write) -> Result<(), Failure> {
    let listeners = arguments.serving.bind()?;
    let replay = replay::open(&arguments.replay)?;
    let ending = Ending::listen()?;
    let vm = Vm::recorded(replay.qom_paths, &ending).called(arguments.name.clone());
    let provider = Arc::new(replay.provider);
    let mut served = Served::start(&arguments.serving, provider, vm, listeners)?;
    writeln!(out, "{}", served.path().display())?;
    for address in served.addresses() {
        writeln!(out, "{address}")?;
    }
    out.flush()?;
    match &arguments.serving.hmp {
        Some(Human::Terminal) => return shell::human(served.path(), &ending, out),
        Some(Human::Unix(path)) => served.offer_human(path)?,
        None => {}
    }
    ending.wait();
    Ok(())
}
