//! A human monitor on a byte stream: the state for one client.
//!
//! In: typed bytes, split anywhere. Out: a greeting, prompts, the echo of each key
//! and the answer to each line. This file does no I/O, and buffers at most one line,
//! its answer and [`ECHO_BYTES_MAX`] of echo.

use std::panic::{AssertUnwindSafe, catch_unwind};

use qapi_stats::control::VersionInfo;

use super::state::HmpState;
use crate::monitor::Monitor;

/// The length of the longest line that is executed, which is the size of QEMU's
/// line editor. A longer line is refused, whereas QEMU executes its beginning.
pub const LINE_BYTES_MAX: usize = 4095;

/// The bytes of echo that are buffered until the caller sends them. The echo of one
/// key is up to four times as long as the line, and beyond this number.
const ECHO_BYTES_MAX: usize = 64 << 10;

/// Moves the cursor of a terminal to the left (ECMA-48, CUB).
const CURSOR_LEFT: &[u8] = b"\x1b[D";

/// Erases a terminal's line from the cursor on (ECMA-48, EL).
const ERASE_TO_END: &[u8] = b"\x1b[K";

const PROMPT: &[u8] = b"(qemu) ";

/// The human monitor's state for one client.
///
/// It echoes input as QEMU's monitor does, because programs skip the first line of
/// what comes as the echo of their command: after each key the whole line is drawn
/// again. Backspace deletes a character. Unlike in QEMU's monitor, other control
/// characters and keys that send escape sequences are ignored, so the cursor is
/// always at the line's end.
///
/// ```
/// use std::sync::Arc;
///
/// use stats_runtime::hmp::LineMonitor;
/// use stats_runtime::{Monitor, NoHost, Registry};
///
/// let monitor = Monitor::new(Registry::new(), NoHost);
/// let mut lines = LineMonitor::new(&monitor.host().version());
/// let greeting = lines.output().len();
/// lines.sent(greeting);
/// assert_eq!(lines.receive(b"nosuch\ninfo stats vm\n"), 7, "one line at a time");
/// lines.run(&monitor);
/// let answer = str::from_utf8(lines.output())?;
/// assert!(answer.ends_with("nosuch\x1b[K\r\nunknown command: 'nosuch'\r\n(qemu) "));
/// # Ok::<(), std::str::Utf8Error>(())
/// ```
#[derive(Debug)]
pub struct LineMonitor {
    line: Vec<u8>,
    /// The length of the line as it was last drawn.
    drawn_bytes: usize,
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
            drawn_bytes: 0,
            state: State::Typing,
            keys: Keys::Text,
            output,
            sent_bytes: 0,
            hmp: HmpState::new(),
        }
    }

    /// Reads bytes from the client, at most up to the end of the first line, and
    /// returns the number of bytes that were read. The output is then their echo.
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
                _ if self.output.len() >= ECHO_BYTES_MAX => return count,
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

    /// Returns whether a line waits for [`run`](Self::run).
    #[must_use]
    pub fn has_line(&self) -> bool {
        matches!(self.state, State::Complete | State::TooLong)
    }

    /// Returns whether the conversation has ended and all output has been sent.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state == State::Over && self.output().is_empty()
    }

    /// Reads one byte of the current line.
    fn read_byte(&mut self, byte: u8) {
        const BACKSPACE: u8 = 0x08;
        const DELETE: u8 = 0x7f;
        const ESCAPE: u8 = 0x1b;
        let keys = std::mem::replace(&mut self.keys, Keys::Text);
        match (keys, byte) {
            // As in QEMU, CR and LF each end a line. The end of a line also ends a
            // sequence.
            (_, b'\r' | b'\n') => self.end_line(),
            (Keys::Escape, b'[' | b'O') => self.keys = Keys::Sequence,
            // A parameter or intermediate byte continues the sequence; any other
            // byte ends it (ECMA-48, 5.4).
            (Keys::Sequence, 0x20..=0x3f) => self.keys = Keys::Sequence,
            (Keys::Sequence | Keys::Escape, _) => {}
            (Keys::Text, ESCAPE) => self.keys = Keys::Escape,
            (Keys::Text, BACKSPACE | DELETE) => self.erase(),
            (Keys::Text, b'\t') => self.append(b' '),
            (Keys::Text, 0..0x20) => {}
            (Keys::Text, text) => self.append(text),
        }
    }

    fn end_line(&mut self) {
        self.output.extend(b"\r\n");
        self.drawn_bytes = 0;
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
        self.draw();
    }

    /// Draws the line over the one that was drawn last.
    fn draw(&mut self) {
        self.output.extend(CURSOR_LEFT.repeat(self.drawn_bytes));
        self.output.extend_from_slice(&self.line);
        self.output.extend(ERASE_TO_END);
        self.drawn_bytes = self.line.len();
    }

    /// Deletes the last character with all of its bytes.
    fn erase(&mut self) {
        const CONTINUATION_MASK: u8 = 0xc0;
        const CONTINUATION: u8 = 0x80;
        while let Some(byte) = self.line.pop() {
            if byte & CONTINUATION_MASK != CONTINUATION {
                return self.draw();
            }
        }
    }
}
