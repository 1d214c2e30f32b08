//! From the stream of bytes to whole messages.
//!
//! In: bytes as they come, in any pieces. Out: parsed messages and syntax
//! errors, one at a time. It keeps no more than one unfinished message and
//! what has not been asked for yet.

use std::collections::TryReserveError;
use std::mem;
use std::ops::Range;

use super::error::SyntaxError;
use super::limits::Limits;
use super::parse;
use super::scan::{Scan, Scanner};
use crate::document::Document;
use crate::value::Value;

/// The incoming half of a connection: what a server and a client do with bytes
/// before they mean anything.
///
/// What it holds in memory is bounded: see [`Limits`].
///
/// ```
/// use qapi_wire::json::{Frames, Limits};
///
/// let mut frames = Frames::new(Limits::default());
/// frames.receive(b"{} [1");
/// assert!(frames.next_message().unwrap().is_ok());
/// assert!(frames.next_message().is_none());
/// frames.receive(b"]");
/// assert!(frames.next_message().unwrap().is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct Frames {
    scanner: Scanner,
    bytes: Vec<u8>,
    /// How many of the bytes are no longer needed: messages that have been
    /// handed out, and blanks after them.
    done: usize,
    ended: bool,
    /// Whether bytes had to be dropped for want of memory: the message that
    /// they belong to is refused.
    out_of_memory: Option<SyntaxError>,
}

/// The room that is kept for further messages. Few requests are longer, and a
/// client that waits takes no more.
const BUFFER_BYTES_KEPT: usize = 4 << 10;

/// The size from which on the buffer grows by an eighth instead of doubling.
const DOUBLED_BYTES_MAX: usize = 64 << 10;

impl Frames {
    /// The beginning of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            scanner: Scanner::new(limits),
            bytes: Vec::new(),
            done: 0,
            ended: false,
            out_of_memory: None,
        }
    }

    /// Takes what the peer sent. Behind the [end](Self::end) there is nothing.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.ended || self.out_of_memory.is_some() {
            return;
        }
        match self.reserve(bytes.len()) {
            Ok(()) => self.bytes.extend_from_slice(bytes),
            Err(error) => self.out_of_memory = Some(error.into()),
        }
    }

    /// The peer sends no more.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the peer sends no more and everything has been handed out.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.ended && self.unread().is_empty() && self.out_of_memory.is_none()
    }

    /// How many bytes wait to be handed out.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.unread().len()
    }

    /// How many bytes of memory are kept for them, and those to come.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.bytes.capacity()
    }

    /// The next message as a tree, or a syntax error, if one is complete.
    pub fn next_message(&mut self) -> Option<Result<Value, SyntaxError>> {
        let message = self.next_document()?;
        Some(message.map(|message| message.root().to_value()))
    }

    /// The next message or syntax error, if one is complete.
    pub fn next_document(&mut self) -> Option<Result<Document, SyntaxError>> {
        let unread = self.bytes.get(self.done..).unwrap_or_default();
        match self.scanner.scan(unread) {
            Scan::Incomplete => self.incomplete().map(Err),
            Scan::Invalid { end, error } => {
                self.hand_out(end);
                Some(Err(error))
            }
            Scan::Message { start, end, tokens } => {
                let text = self.take(start..end);
                Some(text.and_then(|text| parse::message(text, tokens)))
            }
        }
    }

    /// Drops what no message will need, and a message that cannot be completed;
    /// the latter is an error if memory is what it lacks.
    fn incomplete(&mut self) -> Option<SyntaxError> {
        if let Some(error) = self.out_of_memory.take() {
            self.done = 0;
            self.bytes = Vec::new();
            self.scanner.recover();
            return Some(error);
        }
        // A message that the peer broke off is dropped, as in QEMU.
        let dropped = if self.ended {
            self.unread().len()
        } else {
            self.scanner.needed_from()
        };
        self.hand_out(dropped);
        None
    }

    /// Takes a message out of the buffer, together with everything before it. A
    /// long one takes the buffer along, so that it is never there twice.
    fn take(&mut self, message: Range<usize>) -> Result<Vec<u8>, SyntaxError> {
        let unread = self.unread();
        let (head, rest) = unread.split_at_checked(message.end).unwrap_or_default();
        let text = head.get(message.start..).unwrap_or_default();
        if text.len() <= BUFFER_BYTES_KEPT || text.len() < rest.len() {
            let text = parse::copy(text);
            self.hand_out(message.end);
            return text;
        }
        let rest = match parse::copy(rest) {
            Ok(rest) => rest,
            Err(error) => {
                self.hand_out(message.end);
                return Err(error);
            }
        };
        let start = self.done + message.start;
        let end = self.done + message.end;
        let mut text = mem::replace(&mut self.bytes, rest);
        self.scanner.discard(message.end);
        self.done = 0;
        text.truncate(end);
        text.drain(..start);
        text.shrink_to_fit();
        Ok(text)
    }

    /// What stands before `end` is not needed any more.
    fn hand_out(&mut self, end: usize) {
        self.done += end;
        self.scanner.discard(end);
        let is_large = self.bytes.capacity() > 2 * BUFFER_BYTES_KEPT;
        if is_large && self.unread().len() < BUFFER_BYTES_KEPT {
            self.compact();
        }
    }

    fn unread(&self) -> &[u8] {
        self.bytes.get(self.done..).unwrap_or_default()
    }

    /// Makes room for `count` more bytes.
    fn reserve(&mut self, count: usize) -> Result<(), TryReserveError> {
        if count > self.bytes.capacity() - self.bytes.len() {
            self.compact();
            let length = self.bytes.len();
            let growth = if length < DOUBLED_BYTES_MAX {
                length
            } else {
                length / 8
            };
            self.bytes.try_reserve_exact(count.max(growth))?;
        }
        Ok(())
    }

    /// Forgets what has been handed out.
    fn compact(&mut self) {
        self.bytes.drain(..self.done);
        self.done = 0;
        if self.bytes.len() < BUFFER_BYTES_KEPT {
            self.bytes.shrink_to(BUFFER_BYTES_KEPT);
        }
    }
}
