//! How clients come to a reactor.
//!
//! In: listeners on which some wait. Out: connections that have greeted; who is
//! not to be let in is turned away.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};

use super::super::connection::{Buffers, Connection, Ready};
use super::super::listener::Listener;
use super::super::stream::Stream;
use super::{FIRST_LISTENER, Reactor, Turn};

/// Clients taken at a time, so that others get their turn.
const ACCEPT_MAX: usize = 64;

/// How long a listener rests if there is no descriptor for a client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Reactor {
    pub(super) fn is_listener(&self, token: u64) -> bool {
        (FIRST_LISTENER..self.listeners_end).contains(&token)
    }

    fn listener(&self, token: u64) -> Option<Arc<Listener>> {
        let index = usize::try_from(token.checked_sub(FIRST_LISTENER)?).ok()?;
        self.listeners().get(index).cloned()
    }

    /// Takes the clients that wait.
    pub(super) fn accept(&self, token: u64, buffers: &mut Buffers) {
        let Some(listener) = self.listener(token) else {
            return;
        };
        for _ in 0..ACCEPT_MAX {
            match listener.accept() {
                Ok(None) => break,
                Ok(Some(client)) => {
                    // One for whom there is no room is turned away.
                    if let Some(stream) = listener.admit(client)
                        && self.connections() < self.options.connections_max
                    {
                        self.take(stream, buffers);
                    }
                }
                // Out of descriptors: that passes.
                Err(_) => {
                    let mut table = self.table();
                    table.set_deadline(token, None, Instant::now().checked_add(ACCEPT_PAUSE));
                    return self.set_timer(&mut table);
                }
            }
        }
        self.listen(token);
    }

    pub(super) fn listen(&self, token: u64) {
        if let Some(listener) = self.listener(token) {
            let flags = EventFlags::IN | EventFlags::ONESHOT;
            let _ = epoll::modify(&self.epoll, &listener, EventData::new_u64(token), flags);
        }
    }

    /// Begins to serve a client.
    fn take(&self, stream: Stream, buffers: &mut Buffers) {
        let slot = self.table().add();
        let token = slot.token();
        let waker = Arc::clone(&self.waker);
        let events = self.monitor.subscribe(move || waker.wake(token));
        // A host's version may come from a VMM's code, which may panic.
        let connection = catch_unwind(AssertUnwindSafe(|| {
            Box::new(Connection::new(
                stream,
                &self.monitor,
                events,
                &self.options,
            ))
        }));
        let Ok(connection) = connection else {
            return self.close(&slot, None);
        };
        let (data, flags) = (EventData::new_u64(token), EventFlags::ONESHOT);
        if epoll::add(&self.epoll, &connection, data, flags).is_err() {
            return self.close(&slot, Some(connection));
        }
        // It greets, and reads nothing yet: other clients wait to be taken.
        self.step_on(&slot, connection, Ready::default(), Turn::Passing, buffers);
    }
}
