//! Events on their way to every client of a monitor.
//!
//! In: events that the VMM or a command emits, from any thread. Out: lines in
//! the sessions of those who subscribed, in the order of emission, as often as
//! QEMU lets them through. It knows no socket; who waits is woken.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use qapi_stats::wire::command::{Call, CommandSet, Event};
use qapi_stats::wire::compat::Policy;
use qapi_stats::wire::message::write_event;
use qapi_stats::wire::{Context, Error, SpecialFeatures, Value, Writer, to_json};

use crate::commands::Monitor;
use crate::qmp::{Command, Session, Ticket};

mod hub;

use hub::Queue;
pub(crate) use hub::{Events, Woken};

/// How often an event goes out at most. The first goes at once; of those that
/// follow within the interval the last one goes at its end, with the timestamp
/// of when it was emitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventLimit {
    interval: Duration,
    member: Option<&'static str>,
}

impl EventLimit {
    /// One event in every `interval`.
    #[must_use]
    pub const fn new(interval: Duration) -> Self {
        let member = None;
        Self { interval, member }
    }

    /// The same, counted for each value of a member of the event's data.
    #[must_use]
    pub const fn per(self, member: &'static str) -> Self {
        let member = Some(member);
        Self { member, ..self }
    }
}

impl Monitor {
    /// Tells every client of an event, now. May be called from any thread and
    /// from a command's handler: its client then sees the event before the
    /// reply. A client that has not negotiated yet never sees it.
    ///
    /// It does not wait for clients, and what wakes them is called before it
    /// returns. The events that QEMU limits are limited as there, to one a
    /// second; see [`limit_event`](Self::limit_event).
    pub fn emit<E: Event>(&self, event: &E) {
        self.queue(event).wake();
    }

    /// Emits an event, and leaves it to the caller to wake those who wait.
    pub(crate) fn queue<E: Event>(&self, event: &E) -> Woken {
        let policy = self.context().policy();
        if policy.hides(SpecialFeatures::among(E::FEATURES)) {
            return Woken::default();
        }
        let mut line = Vec::new();
        write_event(&mut line, policy, event, SystemTime::now().into());
        let data = |member: &str| member_text(event, member);
        self.events()
            .emit(E::NAME, line.into(), &data, Instant::now())
    }

    /// Limits how often the event called `name` goes out to the clients of this
    /// monitor. An interval of zero lifts QEMU's limit.
    pub fn limit_event(&self, name: &'static str, limit: EventLimit) {
        self.events().limit(name, limit);
    }

    /// Subscribes to everything that is emitted from now on: for servers and
    /// event loops, once for each session.
    ///
    /// `wake` is called, from any thread and with nothing locked, when there is
    /// something to [deliver](Subscription::deliver) or the
    /// [deadline](Subscription::next_deadline) has changed. It should return
    /// soon, and may still be called once when the subscription has just been
    /// dropped.
    pub fn subscribe(&self, wake: impl Fn() + Send + Sync + 'static) -> Subscription {
        let queue = Arc::new(Queue::new(Box::new(wake)));
        let hub = Arc::clone(self.events());
        hub.add(&queue);
        Subscription { hub, queue }
    }
}

/// A member of an event's data, as JSON.
fn member_text<E: Event>(event: &E, member: &str) -> Option<String> {
    let mut text = Vec::new();
    Writer::new(&mut text)
        .with_policy(Policy::ACCEPT)
        .members(event);
    let data = qapi_stats::wire::json::parse(&text).ok()?;
    let Value::Object(mut members) = data else {
        return None;
    };
    let value = members.take(member)?;
    Some(to_json(&value))
}

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
