//! The end of a server.
//!
//! In: the order to end. Out: connections that end once everything that their
//! clients have sent is answered, or at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rustix::event::epoll;

use super::super::clients::{ClientTable, Slot};
use super::super::connection::{End, Ready};
use super::Reactor;

/// The clients of a listener's backlog that are turned away at the end, one by
/// one. The kernel resets the connections of further ones.
const BACKLOG_MAX: usize = 256;

impl Reactor {
    /// Accepts no further client, and has each connection end once everything
    /// that its client has sent is answered.
    pub(in crate::server) fn begin_end(&self) {
        let listeners = std::mem::take(&mut *self.listeners.lock());
        for listener in listeners {
            let _ = epoll::delete(&self.epoll, &listener);
            // Clients in the backlog see the end of their connection.
            for _ in 0..BACKLOG_MAX {
                if !listener.accept().is_ok_and(|client| client.is_some()) {
                    break;
                }
            }
        }
        let slots = {
            // Set the flag with the clients locked: a client that is added at the
            // same time is either in the list or refused.
            let clients = self.clients.lock();
            if self.is_ending.swap(true, Ordering::AcqRel) {
                return;
            }
            clients.slots()
        };
        let ready = Ready {
            to_read: true,
            hung_up: false,
            must_end: true,
        };
        self.queue_turns(slots.iter().map(|slot| (slot.token(), ready)));
    }

    /// Waits until no client is left, at most for `time_max`.
    pub(in crate::server) fn wait_until_empty(&self, time_max: Duration) {
        let is_inhabited = |clients: &mut ClientTable| clients.len() > 0;
        let clients = self.clients.lock();
        drop(self.emptied.wait_while_for(clients, time_max, is_inhabited));
    }

    /// Ends all connections, and makes [`has_ended`](Self::has_ended) true.
    pub(in crate::server) fn end(&self) {
        self.has_ended.store(true, Ordering::Release);
        let slots: Vec<Arc<Slot>> = self.clients.lock().slots();
        for slot in slots {
            self.close(&slot, None, &End::Stopped);
        }
        self.waker.signal();
    }

    pub(in crate::server) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Wakes a thread that waits for readiness events.
    pub(in crate::server) fn signal(&self) {
        self.waker.signal();
    }

    pub(in crate::server) fn executing(&self) -> usize {
        self.capacity.executing()
    }
}
