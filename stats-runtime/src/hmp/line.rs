//! A human monitor on a byte stream: the state for one client.
//!
//! In: bytes as they are typed, cut anywhere. Out: a greeting, prompts, and
//! what each line prints. It does no I/O, echoes nothing, and holds one line
//! and its answer at most.

use std::panic::{AssertUnwindSafe, catch_unwind};

use qapi_stats::control::VersionInfo;

use super::state::HmpState;
use crate::monitor::Monitor;

/// The longest line that is executed, in bytes: what QEMU's line editor holds.
/// A longer one is refused, where QEMU executes its beginning.
pub const LINE_BYTES_MAX: usize = 4095;

const PROMPT: &[u8] = b"(qemu) ";

/// The human monitor's state for one client.
///
/// Unlike QEMU's it does not echo what is typed: a terminal that is not raw
/// does so itself, and a program wants answers only. Backspace, Ctrl-U and
/// the keys that send escape sequences do what is expected of them or nothing.
///
/// ```
/// use std::sync::Arc;
///
/// use stats_runtime::hmp::LineMonitor;
/// use stats_runtime::{Monitor, NoHost, Registry};
///
/// let monitor = Monitor::new(Arc::new(Registry::new()), Arc::new(NoHost));
/// let mut lines = LineMonitor::new(&monitor.host().version());
/// let greeting = lines.output().len();
/// lines.sent(greeting);
/// assert_eq!(lines.receive(b"nosuch\ninfo stats vm\n"), 7, "one line at a time");
/// lines.run(&monitor);
/// assert_eq!(lines.output(), b"unknown command: 'nosuch'\r\n(qemu) ");
/// ```
#[derive(Debug)]
pub struct LineMonitor {
    line: Vec<u8>,
    state: State,
    keys: Keys,
    output: Vec<u8>,
    /// How much of the output has been sent.
    sent_bytes: usize,
    human: HmpState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The line is being typed.
    Typing,
    /// It has become too long: the rest is skipped.
    Skipping,
    /// It is complete.
    Complete,
    /// It is complete, and too long.
    TooLong,
    /// There are no more lines.
    Over,
}

/// Where in a sequence of bytes that are no text the input stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    Text,
    /// Behind CR: a LF belongs to it.
    Return,
    /// Behind ESC.
    Escape,
    /// Within a control sequence (ECMA-48, CSI).
    Sequence,
}

impl LineMonitor {
    /// A conversation that has just begun: its output is the greeting.
    #[must_use]
    pub fn new(version: &VersionInfo) -> Self {
        let triple = &version.qemu;
        let (major, minor, micro) = (triple.major, triple.minor, triple.micro);
        let mut output =
            format!("QEMU {major}.{minor}.{micro} monitor - type 'help' for more information\r\n")
                .into_bytes();
        output.extend(PROMPT);
        Self {
            line: Vec::new(),
            state: State::Typing,
            keys: Keys::Text,
            output,
            sent_bytes: 0,
            human: HmpState::new(),
        }
    }

    /// Takes bytes from the client up to the end of the first line, and returns
    /// how many. None are taken while a line waits to be executed or output to
    /// be sent, which bounds what is held.
    #[must_use = "the other bytes are to be offered again"]
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        if !self.output().is_empty() {
            return 0;
        }
        for (byte, count) in bytes.iter().zip(0_usize..) {
            match self.state {
                State::Typing | State::Skipping => self.take(*byte),
                State::Complete | State::TooLong => return count,
                // Nobody listens any more.
                State::Over => return bytes.len(),
            }
        }
        bytes.len()
    }

    /// The client sends no more. A line that has not been ended is not
    /// executed.
    pub fn end_of_input(&mut self) {
        if matches!(self.state, State::Typing | State::Skipping) {
            self.state = State::Over;
        }
    }

    /// Executes the line, if one is complete: output is then its text and a
    /// prompt.
    pub fn run(&mut self, monitor: &Monitor) {
        match self.state {
            State::Typing | State::Skipping | State::Over => return,
            State::TooLong => {
                let text = format!("the line is longer than {LINE_BYTES_MAX} bytes\r\n");
                self.output.extend(text.into_bytes());
                self.state = State::Typing;
            }
            State::Complete => {
                let line = std::mem::take(&mut self.line);
                self.state = State::Typing;
                self.execute(monitor, &String::from_utf8_lossy(&line));
            }
        }
        self.line.clear();
        if self.state != State::Over {
            self.output.extend(PROMPT);
        }
    }

    fn execute(&mut self, monitor: &Monitor, line: &str) {
        let human = &mut self.human;
        // Whatever a host has half done is its own affair.
        let outcome = catch_unwind(AssertUnwindSafe(|| human.execute(monitor, line)));
        let text = outcome.unwrap_or_else(|_| "Error: The command panicked\r\n".to_owned());
        // It is silent if it has done what it says.
        let quits = matches!(line.split_whitespace().next(), Some("q" | "quit"));
        if quits && text.is_empty() {
            self.state = State::Over;
        }
        self.output.extend(text.into_bytes());
    }

    /// What is to be sent.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.get(self.sent_bytes..).unwrap_or_default()
    }

    /// So many bytes of the output have been sent.
    pub fn sent(&mut self, count: usize) {
        self.sent_bytes += count;
        if self.sent_bytes >= self.output.len() {
            self.output = Vec::new();
            self.sent_bytes = 0;
        }
    }

    /// Whether there will be neither output nor use for more input.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over && self.output().is_empty()
    }

    fn take(&mut self, byte: u8) {
        const CTRL_U: u8 = 0x15;
        const BACKSPACE: u8 = 0x08;
        const DELETE: u8 = 0x7f;
        const ESCAPE: u8 = 0x1b;
        let keys = std::mem::replace(&mut self.keys, Keys::Text);
        match (keys, byte) {
            (Keys::Return, b'\n') => {}
            (Keys::Escape, b'[' | b'O') => self.keys = Keys::Sequence,
            (Keys::Escape, b'\r' | b'\n') | (Keys::Text | Keys::Return, b'\r' | b'\n') => {
                self.end_line(byte);
            }
            // Parameters go on, a final byte ends it (ECMA-48, 5.4).
            (Keys::Sequence, b'\r' | b'\n') => self.end_line(byte),
            (Keys::Sequence, 0x20..=0x3f) => self.keys = Keys::Sequence,
            (Keys::Sequence | Keys::Escape, _) => {}
            (_, ESCAPE) => self.keys = Keys::Escape,
            (_, CTRL_U) => {
                self.line.clear();
                self.state = State::Typing;
            }
            (_, BACKSPACE | DELETE) => self.erase(),
            (_, b'\t') => self.add(b' '),
            (_, 0..0x20) => {}
            (_, text) => self.add(text),
        }
    }

    fn end_line(&mut self, byte: u8) {
        if byte == b'\r' {
            self.keys = Keys::Return;
        }
        self.state = match self.state {
            State::Skipping => State::TooLong,
            _ => State::Complete,
        };
    }

    fn add(&mut self, byte: u8) {
        if self.state == State::Skipping {
            return;
        }
        if self.line.len() == LINE_BYTES_MAX {
            self.state = State::Skipping;
            self.line = Vec::new();
            return;
        }
        self.line.push(byte);
    }

    /// Takes the last character away, all its bytes.
    fn erase(&mut self) {
        const CONTINUATION_MASK: u8 = 0xc0;
        const CONTINUATION: u8 = 0x80;
        while let Some(byte) = self.line.pop() {
            if byte & CONTINUATION_MASK != CONTINUATION {
                return;
            }
        }
    }
}
