//! Accepting clients.
//!
//! In: listeners in whose backlog clients wait. Out: connections in their
//! slots. The connection of a client that may not connect, or that exceeds the
//! maximum, is closed at once.

use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};

use super::super::clients::{PutBack, Slot};
use super::super::connection::{Connection, End, Interest};
use super::super::conversation::{Conversation, Protocol};
use super::super::listener::{Listener, Refusal};
use super::super::stream::Stream;
use super::{FIRST_LISTENER, Reactor};

/// The clients that are accepted at a time, so that others get their turn.
const ACCEPT_MAX: usize = 64;

/// The time for which a listener rests when no descriptor is left for a client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Reactor {
    pub(super) fn is_listener(&self, token: u64) -> bool {
        (FIRST_LISTENER..self.listeners_end).contains(&token)
    }

    fn listener(&self, token: u64) -> Option<Arc<Listener>> {
        let index = usize::try_from(token.checked_sub(FIRST_LISTENER)?).ok()?;
        self.listeners.lock().get(index).cloned()
    }

    /// Accepts the clients that wait.
    pub(super) fn accept(&self, token: u64) {
        let Some(listener) = self.listener(token) else {
            return;
        };
        for _ in 0..ACCEPT_MAX {
            match listener.accept() {
                Ok(None) => break,
                Ok(Some(client)) => self.admit(&listener, client),
                // No descriptor or memory is left. That may pass.
                Err(error) => {
                    self.report.cannot_accept(&error);
                    let mut clients = self.clients.lock();
                    let retry = Instant::now().checked_add(ACCEPT_PAUSE);
                    clients.move_deadline(token, None, retry);
                    return self.arm_timer(&mut clients);
                }
            }
        }
        self.listen(token);
    }

    /// Adds a client, or closes its socket if the client may not connect.
    fn admit(&self, listener: &Listener, client: OwnedFd) {
        if let Err(refusal) = listener.admit(&client) {
            return self.report.refused(&listener.peer(&client), &refusal);
        }
        match listener.stream(client) {
            // Ignore the refusal: it is in the log.
            Ok(stream) => drop(self.add_connected(stream, listener.protocol())),
            Err(error) => self.report.cannot_accept(&error),
        }
    }

    /// Adds a client that may connect, unless as many clients as possible are
    /// connected.
    pub(in crate::server) fn add_connected(
        &self,
        stream: Stream,
        protocol: Protocol,
    ) -> io::Result<()> {
        match self.add_slot() {
            Ok(slot) => {
                self.add_client(&slot, stream, protocol);
                Ok(())
            }
            Err(refusal) => {
                self.report.refused(&stream.peer(), &refusal);
                Err(refusal.into())
            }
        }
    }

    fn add_slot(&self) -> Result<Arc<Slot>, Refusal> {
        let connections_max = self.options.connections_max;
        // Count and add under one lock, because several threads may accept
        // clients of several listeners.
        let mut clients = self.clients.lock();
        if self.is_ending.load(Ordering::Acquire) {
            return Err(Refusal::Ending);
        }
        let slot = clients.add(connections_max);
        slot.ok_or(Refusal::TooMany { connections_max })
    }

    pub(super) fn listen(&self, token: u64) {
        if let Some(listener) = self.listener(token) {
            let flags = EventFlags::IN | EventFlags::ONESHOT;
            let _ = epoll::modify(&self.epoll, &listener, EventData::new_u64(token), flags);
        }
    }

    /// Puts a client into its slot, and arms its descriptor. The kernel reports
    /// it at once, because its socket takes output, and any thread greets it.
    fn add_client(&self, slot: &Slot, stream: Stream, protocol: Protocol) {
        let token = slot.token();
        self.budget.open(token);
        self.report.connected(token, &stream.peer());
        let waker = Arc::clone(&self.waker);
        // The greeting has the version that the VMM's `Host` returns. That is
        // the VMM's code, and may panic.
        let connection = catch_unwind(AssertUnwindSafe(|| {
            let wake = move || waker.wake(token);
            let conversation = Conversation::new(protocol, &self.monitor, &self.options, wake);
            Box::new(Connection::new(stream, conversation))
        }));
        let Ok(mut connection) = connection else {
            return self.close(slot, None, &End::Panicked);
        };
        let (data, flags) = (EventData::new_u64(token), EventFlags::ONESHOT);
        if let Err(error) = epoll::add(&self.epoll, &connection, data, flags) {
            let end = End::Broken(error.into());
            return self.close(slot, Some(connection), &end);
        }
        let arm = |connection: &Connection| {
            let (read, write) = (true, true);
            self.arm(token, connection, Interest { read, write });
        };
        loop {
            match slot.put_back(connection, arm) {
                PutBack::Waits => return,
                // An event was emitted meanwhile. The first step delivers it.
                PutBack::Again(taken, _) => connection = taken,
                PutBack::Closed(taken) => return self.close(slot, Some(taken), &End::Stopped),
            }
        }
    }
}
