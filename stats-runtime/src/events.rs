//! Events on their way to every client of a monitor.
//!
//! In: events that the VMM or a command emits, from any thread. Out: lines in
//! the sessions of those who subscribed, in the order of emission, as often as
//! QEMU lets them through. It knows no socket; who waits is woken.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use qapi::wire::command::{Call, CommandSet, Event};
use qapi::wire::compat::Policy;
use qapi::wire::message::write_event;
use qapi::wire::{Context, Special, Value, Writer, to_json};

use crate::commands::Monitor;
use crate::qmp::{Command, Session};

/// Bytes of events that a subscriber may leave waiting; the session of one that
/// has more ends. The lines are shared by all subscribers.
const QUEUE_BYTES_MAX: usize = 1 << 20;

/// Events that a subscriber may leave waiting.
const QUEUE_EVENTS_MAX: usize = 8 << 10;

/// QEMU's `monitor_qapi_event_conf` (`monitor/monitor.c`): events that come at
/// most once a second, some of them per value of a member.
const LIMITED: [(&str, Option<&str>); 8] = [
    ("BALLOON_CHANGE", None),
    ("HV_BALLOON_STATUS_REPORT", None),
    ("MEMORY_DEVICE_SIZE_CHANGE", Some("qom-path")),
    ("QUORUM_FAILURE", None),
    ("QUORUM_REPORT_BAD", Some("node-name")),
    ("RTC_CHANGE", None),
    ("VSERPORT_CHANGE", Some("id")),
    ("WATCHDOG", None),
];

/// How often QEMU lets those through.
const LIMITED_INTERVAL: Duration = Duration::from_secs(1);

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
        let policy = self.context().policy();
        if policy.hides(Special::among(E::FEATURES)) {
            return;
        }
        let mut line = Vec::new();
        write_event(&mut line, policy, event, SystemTime::now().into());
        let data = |member: &str| member_text(event, member);
        self.events()
            .emit(E::NAME, line.into(), &data, Instant::now());
    }

    /// Limits how often the event called `name` goes out to the clients of this
    /// monitor. An interval of zero lifts QEMU's limit.
    pub fn limit_event(&self, name: &'static str, limit: EventLimit) {
        self.events().state().limits.insert(name, limit);
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
        let queue = Arc::new(Queue {
            waiting: Mutex::default(),
            wake: Box::new(wake),
        });
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
    let data = qapi::wire::json::parse(&text).ok()?;
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

    /// Executes everything that the session can execute now, like
    /// [`Session::run`], with the events where they belong: those that a
    /// command's handler emits before the command's reply.
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
                arguments,
                context,
            };
            let execute = |reply: &mut Writer<'_>| commands.execute(call, reply);
            session.finish_behind(ticket, execute, |session| self.queue.drain(session));
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.hub.remove(&self.queue);
    }
}

/// A line that goes to every client.
type Line = Arc<[u8]>;

/// Where a monitor's events come in, and whom they go to.
#[derive(Debug)]
pub(crate) struct Events {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    subscribers: Subscribers,
    limits: BTreeMap<&'static str, EventLimit>,
    windows: BTreeMap<Limited, Window>,
}

/// Replaced as a whole, so that they can be woken with nothing locked.
type Subscribers = Arc<[Arc<Queue>]>;

/// What a limit is counted for: an event, and the member's value if its limit
/// has one.
type Limited = (&'static str, Option<String>);

/// The time after an event in which the next one waits.
#[derive(Debug)]
struct Window {
    end: Instant,
    last: Option<Line>,
}

impl Default for Events {
    fn default() -> Self {
        let limits = LIMITED.map(|(name, member)| {
            let interval = LIMITED_INTERVAL;
            (name, EventLimit { interval, member })
        });
        Self {
            state: Mutex::new(State {
                subscribers: Arc::new([]),
                limits: limits.into(),
                windows: BTreeMap::new(),
            }),
        }
    }
}

impl Events {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Emits a line: at once, or at the end of its window. `member` gives the
    /// value that a limit is counted for.
    fn emit(
        &self,
        name: &'static str,
        line: Line,
        member: &dyn Fn(&str) -> Option<String>,
        now: Instant,
    ) {
        let limit = self.state().limits.get(name).copied();
        let limit = limit.filter(|limit| !limit.interval.is_zero());
        let limited = limit.map(|limit| (limit, limit.member.and_then(member)));
        let woken = {
            let mut state = self.state();
            let mut woken = state.flush(now);
            match limited {
                None => woken.extend(state.push(&line)),
                Some((limit, value)) => woken.extend(state.hold((name, value), limit, line, now)),
            }
            woken
        };
        wake(&woken);
    }

    /// Lets go what was held back long enough, and wakes all but `caller`.
    fn flush(&self, now: Instant, caller: &Arc<Queue>) {
        let mut woken = self.state().flush(now);
        woken.retain(|queue| !Arc::ptr_eq(queue, caller));
        wake(&woken);
    }

    fn next_deadline(&self) -> Option<Instant> {
        let state = self.state();
        let held = state.windows.values().filter(|held| held.last.is_some());
        held.map(|held| held.end).min()
    }

    fn add(&self, queue: &Arc<Queue>) {
        let woken = {
            let mut state = self.state();
            // What is due by now happened before.
            let woken = state.flush(Instant::now());
            let subscribers = state.subscribers.iter().chain([queue]);
            state.subscribers = subscribers.cloned().collect();
            woken
        };
        wake(&woken);
    }

    fn remove(&self, queue: &Arc<Queue>) {
        let mut state = self.state();
        let others = state.subscribers.iter();
        let others = others.filter(|other| !Arc::ptr_eq(other, queue));
        let others: Subscribers = others.cloned().collect();
        let before = std::mem::replace(&mut state.subscribers, others);
        drop(state);
        // What wakes a subscriber may hold anything: not under the lock.
        drop(before);
    }
}

fn wake(queues: &[Arc<Queue>]) {
    for queue in queues {
        (queue.wake)();
    }
}

impl State {
    /// Queues a line for everybody; returns who is to be woken.
    fn push(&self, line: &Line) -> Vec<Arc<Queue>> {
        let idle = self.subscribers.iter().filter(|queue| queue.push(line));
        idle.cloned().collect()
    }

    /// Queues a line, or holds it back in its window in the place of the one
    /// before.
    fn hold(
        &mut self,
        limited: Limited,
        limit: EventLimit,
        line: Line,
        now: Instant,
    ) -> Vec<Arc<Queue>> {
        if let Some(window) = self.windows.get_mut(&limited) {
            let is_first = window.last.replace(line).is_none();
            // They have a deadline now.
            return if is_first {
                self.subscribers.to_vec()
            } else {
                Vec::new()
            };
        }
        if let Some(end) = now.checked_add(limit.interval) {
            self.windows.insert(limited, Window { end, last: None });
        }
        self.push(&line)
    }

    /// Ends the windows whose time has come: one that held a line back begins
    /// again behind it.
    fn flush(&mut self, now: Instant) -> Vec<Arc<Queue>> {
        let mut due = Vec::new();
        let limits = &self.limits;
        self.windows.retain(|limited, window| {
            if window.end > now {
                return true;
            }
            let Some(line) = window.last.take() else {
                return false;
            };
            due.push((window.end, line));
            let limit = limits.get(limited.0);
            match limit.and_then(|limit| now.checked_add(limit.interval)) {
                Some(end) => window.end = end,
                None => return false,
            }
            true
        });
        due.sort_by_key(|(end, _)| *end);
        due.iter().flat_map(|(_, line)| self.push(line)).collect()
    }
}

/// What waits for one subscriber.
struct Queue {
    waiting: Mutex<Waiting>,
    wake: Box<dyn Fn() + Send + Sync>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("waiting", &self.waiting)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Line>,
    bytes: usize,
    overflowed: bool,
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues a line; true if nothing was waiting before.
    fn push(&self, line: &Line) -> bool {
        let mut waiting = self.waiting();
        let was_idle = waiting.lines.is_empty() && !waiting.overflowed;
        let bytes = waiting.bytes.saturating_add(line.len());
        if bytes > QUEUE_BYTES_MAX || waiting.lines.len() >= QUEUE_EVENTS_MAX {
            waiting.overflowed = true;
        }
        if waiting.overflowed {
            waiting.lines.clear();
            waiting.bytes = 0;
        } else {
            waiting.lines.push_back(Arc::clone(line));
            waiting.bytes = bytes;
        }
        was_idle
    }

    /// Hands all to the session. One that has missed some ends: a client that
    /// connects anew asks for what it needs to know.
    fn drain(&self, session: &mut Session) {
        let mut waiting = std::mem::take(&mut *self.waiting());
        for line in waiting.lines.drain(..) {
            session.emit_line(&line);
        }
        if waiting.overflowed {
            session.close();
        }
    }
}
