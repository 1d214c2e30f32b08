//! Tests that the machine cannot run.
//!
//! In: the reason. Out: a line on standard error, which a plain `cargo test`
//! shows.

use std::fmt::Display;
use std::io::Write as _;
use std::{io, thread};

/// Prints that the running test is skipped, and why.
pub fn because(reason: impl Display) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("a test");
    // Write to the stream itself, because the test harness captures `eprintln`
    // and shows its text for failed tests only. Write once, so that lines of
    // parallel tests do not mix.
    let line = format!("skipped: {test}: {reason}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}
