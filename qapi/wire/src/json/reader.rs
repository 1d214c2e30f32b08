//! The message reader: from a stream of bytes to parsed messages.
//!
//! In: bytes as they arrive, in any pieces. Out: documents and syntax errors,
//! one at a time. The reader knows no protocol: a message is any JSON value.

use std::collections::TryReserveError;
use std::mem;
use std::ops::Range;

use super::error::SyntaxError;
use super::limits::Limits;
use super::parse;
use super::scan::{Scan, Scanner};
use crate::document::Document;

/// The incoming half of a connection: finds the messages in a stream of bytes
/// and parses them.
///
/// The reader buffers one unfinished message, and the messages that its owner
/// has not asked for yet. [`Limits`] bound the memory of each message.
///
/// ```
/// use qapi_wire::json::{MessageReader, Limits};
///
/// let mut reader = MessageReader::new(Limits::default());
/// reader.receive(b"{} [1");
/// assert!(reader.next_message().unwrap().is_ok());
/// assert!(reader.next_message().is_none());
/// reader.receive(b"]");
/// assert!(reader.next_message().unwrap().is_ok());
/// ```
#[derive(Clone, Debug)]
pub struct MessageReader {
    scanner: Scanner,
    buffer: Vec<u8>,
    /// The number of bytes at the start of the buffer that have been
    /// consumed: messages that were returned, and blanks after them.
    consumed: usize,
    ended: bool,
    /// The error of the unfinished message, if bytes of it had to be dropped
    /// because no memory could be allocated for them.
    out_of_memory: Option<SyntaxError>,
}

/// The room that is kept for further messages. Few requests are longer; and an
/// idle client costs no more.
const BUFFER_BYTES_KEPT: usize = 4 << 10;

/// The size from which on the buffer grows by an eighth instead of doubling.
const DOUBLED_BYTES_MAX: usize = 64 << 10;

impl MessageReader {
    /// Creates a reader for a stream of which nothing has been received.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            scanner: Scanner::new(limits),
            buffer: Vec::new(),
            consumed: 0,
            ended: false,
            out_of_memory: None,
        }
    }

    /// Buffers bytes from the peer, cut anywhere. Ignores bytes that follow the
    /// [end](Self::end).
    ///
    /// If no memory can be allocated, the message that the bytes belong to
    /// becomes a syntax error.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.ended || self.out_of_memory.is_some() {
            return;
        }
        match self.reserve(bytes.len()) {
            Ok(()) => self.buffer.extend_from_slice(bytes),
            Err(error) => self.out_of_memory = Some(error.into()),
        }
    }

    /// Records that the peer sends no more. An unfinished message is dropped.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Returns whether the peer sends no more and every message has been
    /// returned.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.ended && self.unread().is_empty() && self.out_of_memory.is_none()
    }

    /// Returns the number of bytes that belong to messages which have not been
    /// returned.
    #[must_use]
    pub fn pending_bytes(&self) -> usize {
        self.unread().len()
    }

    /// Returns how many bytes of memory the buffer holds, spare room included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.buffer.capacity()
    }

    /// Returns the next message or syntax error; `None` if the next message is
    /// not complete.
    pub fn next_message(&mut self) -> Option<Result<Document, SyntaxError>> {
        let unread = self.buffer.get(self.consumed..).unwrap_or_default();
        match self.scanner.scan(unread) {
            Scan::Incomplete => self.incomplete().map(Err),
            Scan::Invalid { end, error } => {
                self.consume(end);
                Some(Err(error))
            }
            Scan::Message { start, end, tokens } => {
                let text = self.take(start..end);
                Some(text.and_then(|text| parse::message(text, tokens)))
            }
        }
    }

    /// Drops blanks before a message, and a message that cannot be completed.
    /// Returns an error if it cannot be completed for want of memory.
    fn incomplete(&mut self) -> Option<SyntaxError> {
        if let Some(error) = self.out_of_memory.take() {
            self.consumed = 0;
            self.buffer = Vec::new();
            self.scanner.recover();
            return Some(error);
        }
        // A message that the peer broke off is dropped, as in QEMU.
        let dropped = if self.ended {
            self.unread().len()
        } else {
            self.scanner.needed_from()
        };
        self.consume(dropped);
        None
    }

    /// Removes a message from the buffer, together with the bytes before it. A
    /// long message becomes the owner of the buffer, because a copy would need
    /// its memory twice.
    fn take(&mut self, message: Range<usize>) -> Result<Vec<u8>, SyntaxError> {
        let unread = self.unread();
        let (head, rest) = unread.split_at_checked(message.end).unwrap_or_default();
        let text = head.get(message.start..).unwrap_or_default();
        if text.len() <= BUFFER_BYTES_KEPT || text.len() < rest.len() {
            let text = parse::copy(text);
            self.consume(message.end);
            return text;
        }
        let rest = match parse::copy(rest) {
            Ok(rest) => rest,
            Err(error) => {
                self.consume(message.end);
                return Err(error);
            }
        };
        let start = self.consumed + message.start;
        let end = self.consumed + message.end;
        let mut text = mem::replace(&mut self.buffer, rest);
        self.scanner.discard(message.end);
        self.consumed = 0;
        text.truncate(end);
        text.drain(..start);
        text.shrink_to_fit();
        Ok(text)
    }

    /// Removes the first `end` bytes that have not been consumed.
    fn consume(&mut self, end: usize) {
        self.consumed += end;
        self.scanner.discard(end);
        let is_large = self.buffer.capacity() > 2 * BUFFER_BYTES_KEPT;
        if is_large && self.unread().len() < BUFFER_BYTES_KEPT {
            self.compact();
        }
    }

    fn unread(&self) -> &[u8] {
        self.buffer.get(self.consumed..).unwrap_or_default()
    }

    /// Makes room for `count` more bytes. The buffer grows in proportion to its
    /// length, so that receiving a message takes linear time.
    fn reserve(&mut self, count: usize) -> Result<(), TryReserveError> {
        if count > self.buffer.capacity() - self.buffer.len() {
            self.compact();
            let length = self.buffer.len();
            let growth = if length < DOUBLED_BYTES_MAX {
                length
            } else {
                length / 8
            };
            self.buffer.try_reserve_exact(count.max(growth))?;
        }
        Ok(())
    }

    /// Removes the consumed bytes from the buffer.
    fn compact(&mut self) {
        self.buffer.drain(..self.consumed);
        self.consumed = 0;
        if self.buffer.len() < BUFFER_BYTES_KEPT {
            self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        }
    }
}
