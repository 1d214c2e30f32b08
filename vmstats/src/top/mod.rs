//! `vmstats top`: the statistics of many virtual machines as they change.
//!
//! In: places of monitors. Out: a screen, or tables and records for scripts. State,
//! update and drawing are apart: drawing is a function of the state.

#![allow(dead_code, reason = "the screen uses the rest")]

mod batch;
mod column;
mod figures;
mod history;
mod list;
mod live;
mod observed;
mod records;
mod stats;
mod time;

use std::io::Write;

use crate::cli::TopArgs;
use crate::failure::Failure;

/// A number that no other virtual machine of a screen has or had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct VmId(usize);

/// Runs `vmstats top`.
///
/// # Errors
///
/// Returns an error if there is no terminal, if nothing is there to observe, or, when it
/// prints once, if a virtual machine failed.
pub fn run(arguments: &TopArgs, out: &mut dyn Write) -> Result<(), Failure> {
    batch::run(arguments, out)
}
