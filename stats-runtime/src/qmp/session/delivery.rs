//! What a session gives its client unasked, and what servers ask of it.
//!
//! In: events, and where they belong. Out: lines in the output, in the right
//! place; or the end of a client that leaves too much unread.

use qapi_stats::wire::command::Event;
use qapi_stats::wire::message::{Timestamp, write_event};
use qapi_stats::wire::{Error, Special, Writer};

use super::{Phase, Queued, Session, Ticket};

impl Session {
    /// [`finish`](Self::finish), behind what `events` emits when the reply has been written:
    /// what the command's handler told of comes before its reply.
    pub(crate) fn finish_behind(
        &mut self,
        ticket: Ticket,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
        events: impl FnOnce(&mut Self),
    ) {
        let begin = self.output().len();
        self.finish(ticket, write);
        let reply_bytes = self.output().len().saturating_sub(begin);
        events(self);
        let output = self.output.get_mut(self.sent_bytes..).unwrap_or_default();
        // A session that has just been closed has nothing to say.
        if let Some(behind) = output.get_mut(begin..)
            && behind.len() > reply_bytes
        {
            behind.rotate_left(reply_bytes);
        }
    }

    /// Tells the client of an event, if it has negotiated and the policy does
    /// not hide it. A client that has left too much unread is given up: the
    /// session ends.
    pub fn emit<E: Event>(&mut self, event: &E, at: Timestamp) {
        let is_hidden = self.policy.hides(Special::among(E::FEATURES));
        if !is_hidden && self.takes_event() {
            write_event(&mut self.output, self.policy, event, at);
        }
    }

    /// The same for an event that is a line already, and not hidden.
    pub(crate) fn emit_line(&mut self, line: &[u8]) {
        if self.takes_event() {
            self.output.extend_from_slice(line);
        }
    }

    fn takes_event(&mut self) -> bool {
        if !matches!(self.phase, Phase::Executing { .. }) {
            return false;
        }
        if self.output().len() >= self.limits.output_bytes_max {
            self.drop_output();
            self.close();
            return false;
        }
        self.compact_output();
        true
    }

    /// Whether the client has not negotiated yet.
    #[cfg(feature = "server")]
    pub(crate) fn is_negotiating(&self) -> bool {
        self.phase == Phase::Negotiating
    }

    /// Whether the client has switched out-of-band execution on.
    #[cfg(feature = "server")]
    pub(crate) fn is_oob(&self) -> bool {
        self.phase == Phase::Executing { oob: true }
    }

    /// How long a reply may be.
    #[cfg(feature = "server")]
    pub(crate) fn reply_bytes_max(&self) -> usize {
        self.limits.reply_bytes_max
    }

    /// How many bytes of memory the session keeps for its client, between
    /// two steps: messages that are not complete, requests that wait or run,
    /// and output.
    #[cfg(feature = "server")]
    pub(crate) fn held_bytes(&self) -> usize {
        let queued = self.queue.iter().map(|queued| match queued {
            Queued::Request(request) => request.held_bytes(),
            Queued::Error(malformed) => malformed.held_bytes(),
        });
        let running = self
            .running
            .iter()
            .map(|running| running.request.held_bytes());
        self.reader.held_bytes()
            + self.output.capacity()
            + queued.sum::<usize>()
            + running.sum::<usize>()
    }

    /// Takes a buffer's room for the output, if nothing stands there: so that
    /// an idle session has none of its own.
    #[cfg(feature = "server")]
    pub(crate) fn borrow_output(&mut self, room: &mut Vec<u8>) {
        if self.output.is_empty() {
            self.output = std::mem::take(room);
            self.output.clear();
            self.is_output_borrowed = true;
        }
    }

    /// Gives the room back, unless some of the output is still to be sent: for
    /// that no more is kept than twice its length.
    #[cfg(feature = "server")]
    pub(crate) fn return_output(&mut self, room: &mut Vec<u8>) {
        if self.output.is_empty() {
            let own = std::mem::take(&mut self.output);
            if self.is_output_borrowed {
                *room = own;
            }
        } else {
            if self.sent_bytes > self.output.len() / 2 {
                self.output.drain(..self.sent_bytes);
                self.sent_bytes = 0;
            }
            if self.output.capacity() / 2 > self.output.len() {
                self.output.shrink_to_fit();
            }
        }
        self.is_output_borrowed = false;
    }

    /// Drops what was to be sent: nobody will read it.
    pub(crate) fn drop_output(&mut self) {
        self.output.clear();
        self.sent_bytes = 0;
    }

    /// Whether the client reads what it is sent.
    pub(crate) fn has_room(&self) -> bool {
        self.output().len() < self.limits.output_bytes_high
    }
}
