//! Messages that wait for a receiver.
//!
//! In: messages. Out: the oldest message that still waits. If too many wait, the oldest that
//! is not being sent is left out: counters are cumulative, so that a later message has
//! what an earlier one had.

use std::collections::VecDeque;

use hyper::body::Bytes;
use tokio::sync::Notify;

use super::super::encoder::OtlpFigures;
use super::super::own::number;
use crate::lock::Lock;

/// The maximum number of messages that wait.
const MESSAGES_MAX: usize = 32;

/// The maximum size of the messages that wait, beside the one that is being sent.
pub(super) const BYTES_MAX: usize = 32 << 20;

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
    /// True while the first message is being sent.
    is_sending: bool,
    next: u64,
    figures: OtlpFigures,
}

/// The outcome of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver has the message.
    Sent,
    /// The receiver refuses the message for good.
    Failed,
    /// The receiver may take the message later.
    Postponed,
}

impl Queue {
    /// Adds a message. Returns false if the message is too large and was left out.
    #[must_use]
    pub(super) fn push(&self, message: Bytes) -> bool {
        let mut state = self.state.lock();
        if message.len() > BYTES_MAX {
            state.figures.dropped += 1;
            return false;
        }
        while state.messages.len() >= MESSAGES_MAX || state.bytes() + message.len() > BYTES_MAX {
            let oldest = usize::from(state.is_sending);
            if state.messages.remove(oldest).is_none() {
                break;
            }
            state.figures.dropped += 1;
        }
        let number = state.next;
        state.next += 1;
        state.messages.push_back((number, message));
        drop(state);
        self.pushed.notify_one();
        true
    }

    /// Waits for the oldest message, which stays in the queue until its outcome is known.
    pub(super) async fn first(&self) -> (u64, Bytes) {
        loop {
            {
                let mut state = self.state.lock();
                if let Some(first) = state.messages.front().cloned() {
                    state.is_sending = true;
                    return first;
                }
            }
            self.pushed.notified().await;
        }
    }

    /// Notes the outcome of the message that was being sent.
    pub(super) fn finish(&self, number: u64, outcome: Outcome) {
        let mut state = self.state.lock();
        state.is_sending = false;
        match outcome {
            Outcome::Sent => state.figures.sent += 1,
            Outcome::Failed => state.figures.failed += 1,
            Outcome::Postponed => return,
        }
        state.messages.retain(|(other, _)| *other != number);
    }

    /// Returns the figures.
    pub(super) fn figures(&self) -> OtlpFigures {
        let state = self.state.lock();
        OtlpFigures {
            queued: number(state.messages.len()),
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
            assert!(queue.push(Bytes::from(vec![number])));
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let (number, first) = runtime.block_on(queue.first());
        assert_eq!((number, &*first), (8, &[8][..]));
        // The message that is being sent stays, and so do the others for a message that
        // is too large.
        assert!(queue.push(Bytes::from(vec![40])));
        assert!(!queue.push(Bytes::from(vec![0; BYTES_MAX + 1])));
        queue.finish(number, Outcome::Postponed);
        let (number, first) = runtime.block_on(queue.first());
        assert_eq!(&*first, [8]);
        queue.finish(number, Outcome::Sent);
        let OtlpFigures {
            sent,
            failed,
            dropped,
            queued,
        } = queue.figures();
        assert_eq!((sent, failed, dropped, queued), (1, 0, 10, 31));
        let (_, first) = runtime.block_on(queue.first());
        assert_eq!(&*first, [10]);
    }
}
