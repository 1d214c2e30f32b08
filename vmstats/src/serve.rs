//! `vmstats serve`: recorded stats files behind a monitor.
//!
//! In: arguments. Out: a served socket, until a signal or a client ends it.

use std::io::Write;
use std::sync::Arc;

use crate::cli::Serve;
use crate::failure::Failure;
use crate::host::{Ending, Vm};
use crate::monitor::Served;
use crate::{listen, replay};

/// Runs `vmstats serve`.
///
/// # Errors
///
/// A file that cannot be served, or a socket that cannot be bound.
pub fn run(arguments: &Serve, out: &mut dyn Write) -> Result<(), Failure> {
    let listeners = listen::bind(&arguments.listen)?;
    let replay = replay::open(&arguments.replay)?;
    let ending = Ending::listen()?;
    let vm = Vm::new(arguments.name.clone(), replay.qom_paths, &ending);
    let served = Served::start(
        arguments.qmp.as_deref(),
        Arc::new(replay.provider),
        vm,
        listeners,
    )?;
    writeln!(out, "{}", served.path().display())?;
    out.flush()?;
    ending.wait();
    Ok(())
}
