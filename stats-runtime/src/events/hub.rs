//! The hub of a monitor's events: the subscribers, and the limits on how often an
//! event goes out.
//!
//! In: the lines of events. Out: the same lines in every subscriber's queue, all
//! in one order; a limit delays a line. This file knows no event and no socket.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use super::limit::{EventLimit, QEMU_LIMITS};
use crate::lock::Lock;
use crate::qmp::Session;

/// The number of bytes that a subscriber's queue may have. If a client reads too
/// slowly and its queue gets longer, its session ends. All queues share the
/// lines.
const QUEUE_BYTES_MAX: usize = 1 << 20;

/// The number of events that a subscriber's queue may have.
const QUEUE_EVENTS_MAX: usize = 8 << 10;

/// The line of an event, which all queues share.
type Line = Arc<[u8]>;

/// The hub: takes every event of a monitor and passes it on to every subscriber.
#[derive(Debug)]
pub(crate) struct Events {
    state: Lock<State>,
}

#[derive(Debug)]
struct State {
    subscribers: Subscribers,
    limits: BTreeMap<&'static str, EventLimit>,
    /// The windows that have not ended.
    windows: BTreeMap<WindowKey, Window>,
}

/// The list of subscribers. It is never edited in place, because a copy of the
/// `Arc` must stay valid after the lock is released.
type Subscribers = Arc<[Arc<Queue>]>;

/// The key of a window: the name of an event, and the value of the member that
/// the event's limit names.
type WindowKey = (&'static str, Option<String>);

/// The interval after an event in which the next event of the same key waits.
#[derive(Debug)]
struct Window {
    end: Instant,
    /// The line that goes out at the end; a later event replaces it.
    last: Option<Line>,
}

/// The subscribers that must be woken, because something has been queued for
/// them or their deadline has changed.
#[derive(Debug, Default)]
#[must_use = "the subscribers wait until `wake` is called"]
pub(crate) struct PendingWakeups(Vec<Arc<Queue>>);

impl PendingWakeups {
    /// Calls the subscribers' functions. The caller must hold no lock, because
    /// those functions may call the hub.
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

    /// Queues a line at once, or at the end of its window. `member` returns the
    /// value of a member of the event's data, for limits that name a member.
    ///
    /// Returns the subscribers that the caller must wake, with no lock held.
    pub(crate) fn emit(
        &self,
        name: &'static str,
        line: Line,
        member: &dyn Fn(&str) -> Option<String>,
        now: Instant,
    ) -> PendingWakeups {
        // Release the lock for `member`, which is the caller's code.
        let limit = self.state.lock().limits.get(name).copied();
        let limit = limit.filter(|limit| !limit.interval.is_zero());
        let limited = limit.map(|limit| (limit, limit.member.and_then(member)));
        let mut state = self.state.lock();
        let mut woken = state.flush(now);
        woken.extend(match limited {
            None => state.push(&line),
            Some((limit, value)) => state.push_limited((name, value), limit, line, now),
        });
        PendingWakeups(woken)
    }

    /// Queues the lines whose windows have ended, and wakes every subscriber
    /// except `caller`.
    pub(super) fn flush(&self, now: Instant, caller: &Arc<Queue>) {
        let mut woken = self.state.lock().flush(now);
        woken.retain(|queue| !Arc::ptr_eq(queue, caller));
        wake(&woken);
    }

    /// Returns the earliest end of a window that has a line, or `None` if no line
    /// waits.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let state = self.state.lock();
        let waiting = state.windows.values();
        let waiting = waiting.filter(|window| window.last.is_some());
        waiting.map(|window| window.end).min()
    }

    /// Adds a subscriber.
    pub(super) fn add(&self, queue: &Arc<Queue>) {
        let woken = {
            let mut state = self.state.lock();
            // Queue the lines that are due before the subscriber is added,
            // because their events happened before the subscription.
            let woken = state.flush(Instant::now());
            let subscribers = state.subscribers.iter().chain([queue]);
            state.subscribers = subscribers.cloned().collect();
            woken
        };
        wake(&woken);
    }

    /// Removes a subscriber.
    pub(super) fn remove(&self, queue: &Arc<Queue>) {
        let mut state = self.state.lock();
        let others = state.subscribers.iter();
        let others = others.filter(|other| !Arc::ptr_eq(other, queue));
        let others: Subscribers = others.cloned().collect();
        let before = std::mem::replace(&mut state.subscribers, others);
        // Drop the old list after the lock is released: dropping a subscriber's
        // function may run any destructor, and one that calls the hub would
        // deadlock.
        drop(state);
        drop(before);
    }
}

fn wake(queues: &[Arc<Queue>]) {
    for queue in queues {
        (queue.wake)();
    }
}

impl State {
    /// Queues a line for every subscriber and returns the subscribers to wake.
    fn push(&self, line: &Line) -> Vec<Arc<Queue>> {
        let idle = self.subscribers.iter().filter(|queue| queue.push(line));
        idle.cloned().collect()
    }

    /// Queues a line that has a limit: at once if its key has no window, and
    /// otherwise at the window's end, in place of the line that waits there.
    /// Returns the subscribers to wake.
    fn push_limited(
        &mut self,
        key: WindowKey,
        limit: EventLimit,
        line: Line,
        now: Instant,
    ) -> Vec<Arc<Queue>> {
        if let Some(window) = self.windows.get_mut(&key) {
            let is_first = window.last.replace(line).is_none();
            // Wake the subscribers for the first line only, because only that
            // line changes their deadline.
            return if is_first {
                self.subscribers.to_vec()
            } else {
                Vec::new()
            };
        }
        if let Some(end) = now.checked_add(limit.interval) {
            self.windows.insert(key, Window { end, last: None });
        }
        self.push(&line)
    }

    /// Ends the windows whose time has passed, and queues their lines. A window
    /// with a line begins again, because the line has gone out now. Returns the
    /// subscribers to wake.
    fn flush(&mut self, now: Instant) -> Vec<Arc<Queue>> {
        let mut due = Vec::new();
        let limits = &self.limits;
        self.windows.retain(|key, window| {
            if window.end > now {
                return true;
            }
            let Some(line) = window.last.take() else {
                return false;
            };
            due.push((window.end, line));
            let limit = limits.get(key.0);
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

/// The lines that one subscriber has not delivered yet.
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

    /// Queues a line. Returns whether the queue was empty before, so that the
    /// subscriber must be woken.
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

    /// Moves all lines to the session. If lines have been lost, closes the session,
    /// because a client that reconnects queries the state again and a client that
    /// has missed events would not.
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
