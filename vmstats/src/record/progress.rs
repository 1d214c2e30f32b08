//! The messages of a recorder on the terminal.
//!
//! In: problems and counts. Out: lines on the standard error stream.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::failure::warn;
use crate::printable::printable;

/// Clears the line of a terminal, which may have the progress.
const CLEAR: &str = "\r\x1b[K";

/// Writes a problem in place of the progress.
pub(super) fn tell(problem: &str) {
    if io::stderr().is_terminal() {
        let _ = write!(io::stderr(), "{CLEAR}");
    }
    warn(problem);
}

/// A line on the terminal that is replaced each second.
pub(super) struct Progress {
    is_shown: bool,
    begin: Instant,
    last: Instant,
}

impl Progress {
    pub(super) fn new() -> Self {
        let begin = Instant::now();
        Self {
            is_shown: io::stderr().is_terminal(),
            begin,
            last: begin,
        }
    }

    /// Shows the progress, unless it was shown less than a second ago.
    pub(super) fn show(&mut self, text: impl FnOnce() -> String) {
        if !self.is_shown || self.last.elapsed() < Duration::from_secs(1) {
            return;
        }
        self.last = Instant::now();
        let seconds = self.begin.elapsed().as_secs();
        let text = format!("{seconds} s: {}", text());
        let _ = write!(io::stderr(), "{CLEAR}{}", printable(&text));
    }

    /// Leaves the line.
    pub(super) fn end(&self) {
        if self.is_shown {
            let _ = writeln!(io::stderr());
        }
    }
}
