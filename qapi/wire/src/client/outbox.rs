//! Requests that have not been sent completely.
//!
//! In: lines of requests. Out: their bytes, in order and in any pieces. A request
//! can be withdrawn until its first byte is handed out. This file knows no reply.

use std::collections::VecDeque;

use crate::message::RequestId;

/// The requests that have not been sent completely.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    lines: VecDeque<Line>,
    /// The number of bytes of the first line that have been sent.
    sent_bytes: usize,
}

#[derive(Debug)]
struct Line {
    id: RequestId,
    bytes: Vec<u8>,
    /// `true` once a part of the line has been handed out. The rest must follow;
    /// otherwise the server takes the next request for the rest.
    is_begun: bool,
}

impl Outbox {
    pub(super) fn push(&mut self, id: RequestId, bytes: Vec<u8>) {
        self.lines.push_back(Line {
            id,
            bytes,
            is_begun: false,
        });
    }

    /// Returns the unsent rest of the first line, or an empty slice if no line is queued.
    pub(super) fn unsent(&mut self) -> &[u8] {
        let Some(line) = self.lines.front_mut() else {
            return &[];
        };
        line.is_begun = true;
        line.bytes.get(self.sent_bytes..).unwrap_or_default()
    }

    /// Removes the first `count` bytes.
    pub(super) fn sent(&mut self, count: usize) {
        self.sent_bytes += count;
        let length = self.lines.front().map_or(0, |line| line.bytes.len());
        if self.sent_bytes >= length {
            self.lines.pop_front();
            self.sent_bytes = 0;
        }
    }

    /// Removes a request of which nothing has been handed out. Returns `false` if
    /// the server has it already, or will get the rest.
    pub(super) fn withdraw(&mut self, id: &RequestId) -> bool {
        let count = self.lines.len();
        self.lines.retain(|line| line.is_begun || line.id != *id);
        self.lines.len() < count
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
