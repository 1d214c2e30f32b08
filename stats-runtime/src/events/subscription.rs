//! One client's subscription to a monitor's events.
//!
//! In: the hub and a session. Out: events in the session's output, each before
//! the reply of the command that emitted it. This file knows no socket.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use qapi_stats::wire::command::{Call, CommandSet};
use qapi_stats::wire::{Context, Error};

use super::hub::{Events, Queue};
use crate::qmp::{Command, Session, Ticket};

/// One client's subscription. Dropping it ends the subscription.
pub struct Subscription {
    hub: Arc<Events>,
    queue: Arc<Queue>,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").finish_non_exhaustive()
    }
}

impl Subscription {
    /// Subscribes to the events that `hub` takes from now on. `wake` is called
    /// when there is something to deliver.
    pub(crate) fn new(hub: Arc<Events>, wake: Box<dyn Fn() + Send + Sync>) -> Self {
        let queue = Arc::new(Queue::new(wake));
        hub.add(&queue);
        Self { hub, queue }
    }

    /// Moves the emitted events to the session. Call this function when the
    /// subscriber has been woken, when the deadline has passed, and when output
    /// has been sent.
    ///
    /// If the client does not read, its events wait in the subscription. The
    /// session ends if too many of them wait.
    pub fn deliver(&self, session: &mut Session) {
        self.hub.flush(Instant::now(), &self.queue);
        if session.has_room() {
            self.queue.drain(session);
        }
    }

    /// Returns the time at which to call [`deliver`](Self::deliver) although the
    /// subscriber is not woken: the end of the first limit that delays an event.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.hub.next_deadline()
    }

    /// Executes every command that the session can execute now, like
    /// [`Session::run`]. Events that a command's handler emits reach the client
    /// before the command's reply.
    ///
    /// Returns early if much output waits. Call the function again after the
    /// output has been [sent](Session::sent) and before waiting for input.
    pub fn run(&self, session: &mut Session, commands: &dyn CommandSet, context: &Context<'_>) {
        session.set_policy(context.policy());
        self.deliver(session);
        while let Some(command) = session.next(commands) {
            let Command {
                ticket,
                info,
                arguments,
                ..
            } = command;
            let call = Call {
                name: info.name,
                arguments: arguments.root(),
                context,
            };
            let mut reply = session.take_room();
            let outcome = session.begin_reply(&mut reply, |out| commands.execute(call, out));
            self.finish(session, ticket, outcome, &mut reply);
            session.give_room(reply);
        }
    }

    /// Completes a command's reply, after the events that the command's handler
    /// emitted.
    pub(crate) fn finish(
        &self,
        session: &mut Session,
        ticket: Ticket,
        outcome: Result<(), Error>,
        reply: &mut Vec<u8>,
    ) {
        self.queue.drain(session);
        session.finish_reply(ticket, outcome, reply);
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.remove(&self.queue);
    }
}
