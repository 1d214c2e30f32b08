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

/// One client's share of the events. Dropping it ends it.
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

    /// Hands what has been emitted to the session: when woken, when the
    /// deadline has come, and when output has been sent. A session whose client
    /// does not read gets nothing more until it does, and ends if too much
    /// waits.
    pub fn deliver(&self, session: &mut Session) {
        self.hub.flush(Instant::now(), &self.queue);
        if session.has_room() {
            self.queue.drain(session);
        }
    }

    /// When to [deliver](Self::deliver) although nobody wakes: when the limit
    /// of an event that is being held back ends.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.hub.next_deadline()
    }

    /// Executes every command that the session can execute now, like
    /// [`Session::run`]. Events that a command's handler emits reach the client
    /// before the command's reply.
    ///
    /// Returns early when much output waits: call it again when the output has
    /// been [sent](Session::sent), before waiting for input.
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

    /// Completes a command's reply, after the events that were emitted
    /// meanwhile.
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
