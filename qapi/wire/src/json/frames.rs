//! From the stream of bytes to whole messages.
//!
//! In: bytes as they come, in any pieces. Out: parsed messages and syntax
//! errors, one at a time. It keeps no more than one unfinished message and
//! what has not been asked for yet.

use super::{Limits, Scan, Scanner, SyntaxError, parse};
use crate::document::Document;
use crate::value::Value;

/// The incoming half of a connection: what a server and a client do with bytes
/// before they mean anything.
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
    /// How many of the bytes belong to messages that have been handed out.
    done: usize,
    ended: bool,
}

/// A room that one message is not likely to exceed; what is beyond it is given
/// back when it is no longer needed.
const BUFFER_BYTES_KEPT: usize = 64 << 10;

impl Frames {
    /// The beginning of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            scanner: Scanner::new(limits),
            bytes: Vec::new(),
            done: 0,
            ended: false,
        }
    }

    /// Takes what the peer sent. Behind the [end](Self::end) there is nothing.
    pub fn receive(&mut self, bytes: &[u8]) {
        if !self.ended {
            self.compact();
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// The peer sends no more.
    pub fn end(&mut self) {
        self.ended = true;
    }

    /// Whether the peer sends no more and everything has been handed out.
    #[must_use]
    pub fn is_exhausted(&self) -> bool {
        self.ended && self.unread().is_empty()
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

    /// The next message or syntax error, if one is complete.
    pub fn next_message(&mut self) -> Option<Result<Value, SyntaxError>> {
        self.next_with(|message| message.root().to_value())
    }

    /// The same for a caller that does not need the message as a tree.
    pub(crate) fn next_with<T>(
        &mut self,
        read: impl FnOnce(Document<'_>) -> T,
    ) -> Option<Result<T, SyntaxError>> {
        let unread = self.bytes.get(self.done..).unwrap_or_default();
        let (end, message) = match self.scanner.scan(unread) {
            Scan::Incomplete => {
                // A message that the peer broke off is dropped, as in QEMU.
                if self.ended {
                    self.done = self.bytes.len();
                }
                return None;
            }
            Scan::Invalid { end, error } => (end, Err(error)),
            Scan::Message { start, end } => {
                let message = unread.get(start..end).unwrap_or_default();
                (end, parse::message(message).map(read))
            }
        };
        self.hand_out(end);
        Some(message)
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

    /// Forgets what has been handed out and what lies between messages.
    fn compact(&mut self) {
        let between = self.scanner.needed_from();
        self.scanner.discard(between);
        self.bytes.drain(..self.done + between);
        self.done = 0;
        if self.bytes.len() < BUFFER_BYTES_KEPT {
            self.bytes.shrink_to(BUFFER_BYTES_KEPT);
        }
    }
}
