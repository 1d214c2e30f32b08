//! The hub of a monitor's events: who gets them, and how often.
//!
//! In: lines. Out: the same in every subscriber's queue, in one order, late if
//! their limit holds them back. It knows neither events nor sockets.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::limit::{EventLimit, QEMU_LIMITS};
use crate::lock::Lock;
use crate::qmp::Session;

/// Bytes of events that a subscriber may leave waiting; the session of one that
/// has more ends. The lines are shared by all subscribers.
const QUEUE_BYTES_MAX: usize = 1 << 20;

/// Events that a subscriber may leave waiting.
const QUEUE_EVENTS_MAX: usize = 8 << 10;

/// A line that goes to every client.
type Line = Arc<[u8]>;

/// Where a monitor's events come in, and whom they go to.
#[derive(Debug)]
pub(crate) struct Events {
    state: Lock<State>,
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

/// Subscribers that did not know yet that something waits for them.
#[derive(Debug, Default)]
#[must_use = "they wait until they are woken"]
pub(crate) struct PendingWakeups(Vec<Arc<Queue>>);

impl PendingWakeups {
    /// Wakes them.
    pub(crate) fn wake(self) {
        wake(&self.0);
    }
}

impl Default for Events {
    fn default() -> Self {
        Self {
            state: Lock::new(State {
                subscribers: Arc::new([]),
                limits: QEMU_LIMITS.into(),
                windows: BTreeMap::new(),
            }),
        }
    }
}

impl Events {
    /// Limits how often the event called `name` goes out.
    pub(crate) fn limit(&self, name: &'static str, limit: EventLimit) {
        self.state.lock().limits.insert(name, limit);
    }

    /// Emits a line: at once, or at the end of its window. `member` gives the
    /// value that a limit is counted for. Who is returned is to be woken, with
    /// nothing locked.
    pub(crate) fn emit(
        &self,
        name: &'static str,
        line: Line,
        member: &dyn Fn(&str) -> Option<String>,
        now: Instant,
    ) -> PendingWakeups {
        let limit = self.state.lock().limits.get(name).copied();
        let limit = limit.filter(|limit| !limit.interval.is_zero());
        let limited = limit.map(|limit| (limit, limit.member.and_then(member)));
        let mut state = self.state.lock();
        let mut woken = state.flush(now);
        match limited {
            None => woken.extend(state.push(&line)),
            Some((limit, value)) => woken.extend(state.hold((name, value), limit, line, now)),
        }
        PendingWakeups(woken)
    }

    /// Lets go what was held back long enough, and wakes all but `caller`.
    pub(super) fn flush(&self, now: Instant, caller: &Arc<Queue>) {
        let mut woken = self.state.lock().flush(now);
        woken.retain(|queue| !Arc::ptr_eq(queue, caller));
        wake(&woken);
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let state = self.state.lock();
        let held = state.windows.values().filter(|held| held.last.is_some());
        held.map(|held| held.end).min()
    }

    pub(super) fn add(&self, queue: &Arc<Queue>) {
        let woken = {
            let mut state = self.state.lock();
            // What is due by now happened before.
            let woken = state.flush(Instant::now());
            let subscribers = state.subscribers.iter().chain([queue]);
            state.subscribers = subscribers.cloned().collect();
            woken
        };
        wake(&woken);
    }

    pub(super) fn remove(&self, queue: &Arc<Queue>) {
        let mut state = self.state.lock();
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
pub(super) struct Queue {
    waiting: Lock<Waiting>,
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
    pub(super) fn new(wake: Box<dyn Fn() + Send + Sync>) -> Self {
        let waiting = Lock::default();
        Self { waiting, wake }
    }

    /// Queues a line; true if nothing was waiting before.
    fn push(&self, line: &Line) -> bool {
        let mut waiting = self.waiting.lock();
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
    pub(super) fn drain(&self, session: &mut Session) {
        let mut waiting = std::mem::take(&mut *self.waiting.lock());
        for line in waiting.lines.drain(..) {
            session.emit_line(&line);
        }
        if waiting.overflowed {
            session.close();
        }
    }
}
