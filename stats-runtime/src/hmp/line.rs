//! A human monitor on a byte stream: the state for one client.
//!
//! In: typed bytes, split anywhere. Out: a greeting, prompts, and the answer to
//! each line. This file does no I/O, echoes no input, and buffers at most one
//! line and its answer.

use std::panic::{AssertUnwindSafe, catch_unwind};

use qapi_stats::control::VersionInfo;

use super::state::HmpState;
use crate::monitor::Monitor;

/// The length of the longest line that is executed, which is the size of QEMU's
/// line editor. A longer line is refused, whereas QEMU executes its beginning.
pub const LINE_BYTES_MAX: usize = 4095;

const PROMPT: &[u8] = b"(qemu) ";

/// The human monitor's state for one client.
///
/// Unlike QEMU's monitor it does not echo input, because a terminal in its usual
/// mode does so itself and a program expects answers only. Backspace deletes a
/// character and Ctrl-U deletes the line. Keys that send escape sequences are
/// ignored.
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
    /// The number of bytes of `output` that have been sent.
    sent_bytes: usize,
    hmp: HmpState,
}

/// The progress of the current line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The line is being typed.
    Typing,
    /// The line has become too long, and the rest of it is skipped.
    Skipping,
    /// The line is complete.
    Complete,
    /// The line is complete, and too long.
    TooLong,
    /// No more lines are read.
    Over,
}

/// The position in a sequence of bytes that make up one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keys {
    /// The next byte is text or begins a key.
    Text,
    /// The last byte was CR. A LF after it ends the same line.
    Return,
    /// The last byte was ESC.
    Escape,
    /// The last bytes began a control sequence (ECMA-48, CSI).
    Sequence,
}

impl LineMonitor {
    /// Creates the state of a new client. The output is then the greeting.
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
            hmp: HmpState::new(),
        }
    }

    /// Reads bytes from the client up to the end of the first line, and returns
    /// the number of bytes that were read.
    ///
    /// Returns 0 while a line waits to be executed or output waits to be sent,
    /// so that no more than one line and its answer are buffered.
    #[must_use = "the caller must pass the other bytes again"]
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        if !self.output().is_empty() {
            return 0;
        }
        for (byte, count) in bytes.iter().zip(0_usize..) {
            match self.state {
                State::Typing | State::Skipping => self.read_byte(*byte),
                State::Complete | State::TooLong => return count,
                // Discard the input, because no line will be executed.
                State::Over => return bytes.len(),
            }
        }
        bytes.len()
    }

    /// Ends the input. A line without an end is not executed.
    pub fn end_of_input(&mut self) {
        if matches!(self.state, State::Typing | State::Skipping) {
            self.state = State::Over;
        }
    }

    /// Executes the line if it is complete. The output is then the answer and a
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
        let hmp = &mut self.hmp;
        // AssertUnwindSafe, because state that a host left inconsistent is the
        // VMM's.
        let outcome = catch_unwind(AssertUnwindSafe(|| hmp.execute(monitor, line)));
        let text = outcome.unwrap_or_else(|_| "Error: The command panicked\r\n".to_owned());
        // A successful `quit` answers with no text; an error does not end the
        // conversation.
        let quits = matches!(line.split_whitespace().next(), Some("q" | "quit"));
        if quits && text.is_empty() {
            self.state = State::Over;
        }
        self.output.extend(text.into_bytes());
    }

    /// Returns the output that the caller must send.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.get(self.sent_bytes..).unwrap_or_default()
    }

    /// Removes the first `count` bytes of the output, which have been sent.
    pub fn sent(&mut self, count: usize) {
        self.sent_bytes += count;
        if self.sent_bytes >= self.output.len() {
            self.output = Vec::new();
            self.sent_bytes = 0;
        }
    }

    /// Returns whether the conversation has ended and all output has been sent.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over && self.output().is_empty()
    }

    /// Reads one byte of the current line.
    fn read_byte(&mut self, byte: u8) {
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
            // A parameter or intermediate byte continues the sequence; any other
            // byte ends it (ECMA-48, 5.4).
            (Keys::Sequence, b'\r' | b'\n') => self.end_line(byte),
            (Keys::Sequence, 0x20..=0x3f) => self.keys = Keys::Sequence,
            (Keys::Sequence | Keys::Escape, _) => {}
            (_, ESCAPE) => self.keys = Keys::Escape,
            (_, CTRL_U) => {
                self.line.clear();
                self.state = State::Typing;
            }
            (_, BACKSPACE | DELETE) => self.erase(),
            (_, b'\t') => self.append(b' '),
            (_, 0..0x20) => {}
            (_, text) => self.append(text),
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

    fn append(&mut self, byte: u8) {
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

    /// Deletes the last character with all of its bytes.
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
