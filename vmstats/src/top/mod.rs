//! `vmstats top`: the statistics of many virtual machines as they change.
//!
//! In: places of monitors. Out: a screen, or tables and records for scripts. State,
//! update and drawing are apart: drawing is a function of the state.

mod batch;
mod column;
mod draw;
mod figures;
mod history;
mod jump;
mod keys;
mod list;
mod live;
mod observed;
mod player;
mod records;
mod screen;
#[cfg(test)]
mod screens;
mod series;
mod state;
mod stats;
mod terminal;
mod vm_id;

use std::io::Write;

use crate::cli::{ReplayArgs, TopArgs};
use crate::failure::Failure;

/// Runs `vmstats top`.
///
/// # Errors
///
/// Returns an error if a screen has no terminal, if nothing is there to observe, or, when
/// it prints once, if a virtual machine failed.
pub fn run(arguments: &TopArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if arguments.is_printed() {
        return batch::run(arguments, out);
    }
    if let Some((option, on_screen)) = arguments.for_printing() {
        return Err(Failure::usage(format!(
            "{option} is for --batch, -1, --csv or --json; on the screen, {on_screen}"
        )));
    }
    screen::run(arguments)
}

/// Runs `vmstats replay`.
///
/// # Errors
///
/// Returns an error if a screen has no terminal, or if the recording cannot be read.
pub fn replay(arguments: &ReplayArgs) -> Result<(), Failure> {
    screen::replay(arguments)
}
