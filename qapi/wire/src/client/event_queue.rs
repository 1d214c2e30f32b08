//! Events that have come and that their subscriber has not read.
//!
//! In: events in order. Out: the same, and the number of those that were dropped
//! because the subscriber was too slow. This file knows no connection.

use std::collections::VecDeque;
use std::sync::Arc;

use super::error::ClientError;
use crate::message::EventMessage;

/// The events that one subscriber has not read.
#[derive(Debug)]
pub(super) struct EventQueue {
    events: VecDeque<Arc<EventMessage>>,
    /// The memory of all events in the queue. Other queues can share it.
    bytes: usize,
    bytes_max: usize,
    /// The number of events that were dropped before the oldest one in the queue,
    /// until `pop` returns it.
    lost: u64,
}

impl EventQueue {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            events: VecDeque::new(),
            bytes: 0,
            bytes_max,
            lost: 0,
        }
    }

    /// Appends an event, and drops the oldest ones beyond the bound: the newest
    /// events describe the state that the subscriber has to catch up with.
    pub(super) fn push(&mut self, event: Arc<EventMessage>) {
        self.bytes += bytes(&event);
        self.events.push_back(event);
        while self.bytes > self.bytes_max
            && let Some(oldest) = self.events.pop_front()
        {
            self.bytes -= bytes(&oldest);
            self.lost += 1;
        }
    }

    /// Returns the oldest event, or first the number of events that were lost
    /// before it.
    pub(super) fn pop(&mut self) -> Option<Result<EventMessage, ClientError>> {
        if self.lost > 0 {
            let count = std::mem::take(&mut self.lost);
            return Some(Err(ClientError::EventsLost { count }));
        }
        let event = self.events.pop_front()?;
        self.bytes -= bytes(&event);
        Some(Ok(Arc::unwrap_or_clone(event)))
    }
}

/// Returns the memory that an event takes in a queue.
fn bytes(event: &EventMessage) -> usize {
    size_of::<(usize, usize, EventMessage)>() + size_of::<Arc<EventMessage>>() + event.held_bytes()
}
