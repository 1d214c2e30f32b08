//! Messages that wait for a receiver.
//!
//! In: messages. Out: the oldest message that still waits. If too many wait, the oldest is
//! left out: counters are cumulative, so that a later message has what it had.

use std::collections::VecDeque;

use hyper::body::Bytes;
use tokio::sync::Notify;

use super::super::encoder::OtlpFigures;
use crate::lock::Lock;

/// The number of messages that wait.
const MESSAGES_MAX: usize = 32;

/// The size of the messages that wait.
const BYTES_MAX: usize = 32 << 20;

/// A queue between the thread that collects and the task that sends.
#[derive(Debug, Default)]
pub(super) struct Queue {
    state: Lock<State>,
    pushed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The messages with their numbers.
    messages: VecDeque<(u64, Bytes)>,
    next: u64,
    figures: OtlpFigures,
}

/// The outcome of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver has it.
    Sent,
    /// The receiver refuses it for good.
    Failed,
}

impl Queue {
    /// Adds a message.
    pub(super) fn push(&self, message: Bytes) {
        let mut state = self.state.lock();
        let number = state.next;
        state.next += 1;
        state.messages.push_back((number, message));
        while state.messages.len() > MESSAGES_MAX || state.bytes() > BYTES_MAX {
            state.messages.pop_front();
            state.figures.dropped += 1;
        }
        drop(state);
        self.pushed.notify_one();
    }

    /// Waits for the oldest message. It stays in the queue.
    pub(super) async fn first(&self) -> (u64, Bytes) {
        loop {
            let first = self.state.lock().messages.front().cloned();
            match first {
                Some(first) => return first,
                None => self.pushed.notified().await,
            }
        }
    }

    /// Removes a message, unless it was left out meanwhile.
    pub(super) fn finish(&self, number: u64, outcome: Outcome) {
        let mut state = self.state.lock();
        state.messages.retain(|(other, _)| *other != number);
        match outcome {
            Outcome::Sent => state.figures.sent += 1,
            Outcome::Failed => state.figures.failed += 1,
        }
    }

    /// Returns the figures.
    pub(super) fn figures(&self) -> OtlpFigures {
        let state = self.state.lock();
        OtlpFigures {
            queued: u64::try_from(state.messages.len()).unwrap_or(u64::MAX),
            ..state.figures
        }
    }
}

impl State {
    fn bytes(&self) -> usize {
        self.messages.iter().map(|(_, message)| message.len()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_message_is_left_out_when_too_many_wait() {
        let queue = Queue::default();
        for number in 0..40u8 {
            queue.push(Bytes::from(vec![number]));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (number, first) = runtime.block_on(queue.first());
        assert_eq!((number, &*first), (8, &[8][..]));
        queue.finish(number, Outcome::Sent);
        let OtlpFigures {
            sent,
            failed,
            dropped,
            queued,
        } = queue.figures();
        assert_eq!((sent, failed, dropped, queued), (1, 0, 8, 31));
        queue.push(Bytes::from(vec![0; BYTES_MAX + 1]));
        assert_eq!(queue.figures().queued, 0);
    }
}
