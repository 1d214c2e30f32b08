//! The output of a session: replies and events on their way to the client.
//!
//! In: outcomes of commands, events, numbers of bytes that were sent. Out:
//! lines in the order in which the client must see them; the end of a session
//! whose client leaves too much unread.

use qapi_stats::wire::command::Event;
use qapi_stats::wire::message::{Timestamp, write_event};
use qapi_stats::wire::{Error, Node, SpecialFeatures, Writer};

use super::{OUTPUT_COMPACT_BYTES, Phase, Session, Ticket};
use crate::qmp::reply;

impl Session {
    /// Returns the bytes to send to the client.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.get(self.sent_bytes..).unwrap_or_default()
    }

    /// Removes the first `count` bytes of the output, which have been sent.
    pub fn sent(&mut self, count: usize) {
        self.sent_bytes = self.sent_bytes.saturating_add(count).min(self.output.len());
        if self.sent_bytes == self.output.len() {
            self.drop_output();
            self.output.shrink_to(self.limits.output_bytes_high);
        }
    }

    /// Writes an event for the client, unless the client has not negotiated or
    /// the policy hides the event. Ends the session if the client has left too
    /// much unread.
    pub fn emit<E: Event>(&mut self, event: &E, at: Timestamp) {
        let is_hidden = self.policy.hides(SpecialFeatures::among(E::FEATURES));
        if !is_hidden && self.takes_event() {
            write_event(&mut self.output, self.policy, event, at);
        }
    }

    /// Like [`emit`](Self::emit), for an event that is already a line and that
    /// the policy does not hide.
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

    /// Returns whether more may be written: the client reads its output.
    pub(crate) fn has_room(&self) -> bool {
        self.output().len() < self.limits.output_bytes_high
    }

    /// Writes the reply of a command into `reply`, up to the end of its value,
    /// with the session's policy and limit.
    pub(crate) fn begin_reply(
        &self,
        reply: &mut Vec<u8>,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        reply::begin(reply, self.limits.reply_bytes_max, self.policy, write)
    }

    /// Completes the reply for `ticket` and appends it to the output; or the
    /// error, if the command failed. Does nothing for a ticket that is finished
    /// already.
    ///
    /// If the output is empty, swaps `reply` with it instead of copying: a
    /// reply can have megabytes.
    pub(crate) fn finish_reply(
        &mut self,
        ticket: Ticket,
        outcome: Result<(), Error>,
        reply: &mut Vec<u8>,
    ) {
        let position = |running: &super::Running| running.ticket == ticket;
        let Some(index) = self.running.iter().position(position) else {
            return;
        };
        let running = self.running.swap_remove(index);
        if self.phase == Phase::Closed {
            return;
        }
        match outcome {
            Ok(()) if running.info.success_response => {
                reply::finish(reply, running.request.id());
                self.compact_output();
                if self.output.is_empty() {
                    std::mem::swap(&mut self.output, reply);
                } else {
                    self.output.extend_from_slice(reply);
                }
            }
            Ok(()) => {}
            Err(error) => self.answer_error(running.request.id(), &error),
        }
    }

    pub(super) fn answer_error(&mut self, id: Option<Node<'_>>, error: &Error) {
        self.compact_output();
        reply::error(&mut self.output, id, error);
    }

    pub(super) fn compact_output(&mut self) {
        if self.sent_bytes >= OUTPUT_COMPACT_BYTES {
            self.output.drain(..self.sent_bytes);
            self.sent_bytes = 0;
        }
    }

    /// Takes the allocation of the output, if the output is empty, so that the
    /// next reply is written into it.
    pub(crate) fn take_room(&mut self) -> Vec<u8> {
        if self.output.is_empty() {
            std::mem::take(&mut self.output)
        } else {
            Vec::new()
        }
    }

    /// Replaces the output's allocation with `room`, if the output is empty and
    /// `room` has the larger capacity.
    pub(crate) fn give_room(&mut self, mut room: Vec<u8>) {
        if self.output.is_empty() && self.output.capacity() < room.capacity() {
            room.clear();
            self.output = room;
        }
    }

    /// Discards the output, because nobody will read it.
    pub(crate) fn drop_output(&mut self) {
        self.output.clear();
        self.sent_bytes = 0;
    }
}

#[cfg(feature = "server")]
impl Session {
    /// Returns whether the client has not negotiated yet.
    pub(crate) fn is_negotiating(&self) -> bool {
        self.phase == Phase::Negotiating
    }

    /// Returns whether the client has switched out-of-band execution on.
    pub(crate) fn is_oob(&self) -> bool {
        self.phase == Phase::Executing { oob: true }
    }

    /// Returns whether a command of the client has been handed out and not
    /// finished.
    pub(crate) fn is_executing(&self) -> bool {
        !self.running.is_empty()
    }

    /// Returns the maximum length of a reply in bytes.
    pub(crate) fn reply_bytes_max(&self) -> usize {
        self.limits.reply_bytes_max
    }

    /// Returns how many bytes of memory the session keeps for its client:
    /// messages that are incomplete, waiting or executed, and unsent output.
    pub(crate) fn held_bytes(&self) -> usize {
        let queued = self.queue.iter().map(|queued| match queued {
            Ok(request) => request.held_bytes(),
            Err(malformed) => malformed.held_bytes(),
        });
        let queued_bytes: usize = queued.sum();
        let requests_bytes = queued_bytes + self.executing_bytes();
        self.reader.held_bytes() + self.output.capacity() + requests_bytes
    }

    /// Returns how many of these bytes belong to commands that have been handed
    /// out and not finished.
    pub(crate) fn executing_bytes(&self) -> usize {
        let running = self.running.iter();
        running
            .map(|running| running.request.executing_bytes())
            .sum()
    }

    /// Gives back memory before the session waits: an empty output keeps no
    /// allocation, and one that the client has half read only what is unread.
    pub(crate) fn shrink(&mut self) {
        if self.sent_bytes > self.output.len() / 2 {
            self.output.drain(..self.sent_bytes);
            self.sent_bytes = 0;
        }
        if self.output.capacity() / 2 >= self.output.len() {
            self.output.shrink_to_fit();
        }
    }
}
