//! The progress of a chore, on standard error.
//!
//! In: the name of a step that begins. Out: a line with the time since the program
//! started. Standard output is for the chore's result.

use std::fmt::Display;
use std::sync::OnceLock;
use std::time::Instant;

static START: OnceLock<Instant> = OnceLock::new();

/// Starts the clock, if it does not run yet, and prints a line for a step.
pub(crate) fn step(name: impl Display) {
    let elapsed_s = START.get_or_init(Instant::now).elapsed().as_secs_f64();
    eprintln!("[{elapsed_s:6.1} s] {name}");
}
