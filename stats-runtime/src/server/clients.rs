//! The clients of a server between two steps, and their deadlines.
//!
//! In: connections that wait. Out: the same connections, each to one thread at
//! a time, by token or when a deadline passes. No lock is held longer than it
//! takes to move a connection or to arm its descriptor.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::{Connection, Ready};
use super::conversation::TaskResult;
use crate::lock::Lock;

/// All clients of a server.
#[derive(Debug)]
pub(super) struct ClientTable {
    slots: BTreeMap<u64, Arc<Slot>>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// The time that the timerfd is armed for.
    alarm: Option<Instant>,
    /// A token is never used twice, unlike the number of a descriptor.
    next_token: u64,
}

impl ClientTable {
    pub(super) fn new(first_token: u64) -> Self {
        Self {
            slots: BTreeMap::new(),
            deadlines: BTreeSet::new(),
            alarm: None,
            next_token: first_token,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Adds an empty slot, unless there are `clients_max`.
    pub(super) fn add(&mut self, clients_max: usize) -> Option<Arc<Slot>> {
        if self.slots.len() >= clients_max {
            return None;
        }
        let token = self.next_token;
        self.next_token += 1;
        let slot = Arc::new(Slot {
            token,
            state: Lock::default(),
        });
        self.slots.insert(token, Arc::clone(&slot));
        Some(slot)
    }

    pub(super) fn get(&self, token: u64) -> Option<Arc<Slot>> {
        self.slots.get(&token).cloned()
    }

    pub(super) fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.values().cloned().collect()
    }

    pub(super) fn remove(&mut self, token: u64, deadline: Option<Instant>) {
        self.slots.remove(&token);
        self.move_deadline(token, deadline, None);
    }

    /// Replaces the deadline `before` of a token by `after`.
    pub(super) fn move_deadline(
        &mut self,
        token: u64,
        before: Option<Instant>,
        after: Option<Instant>,
    ) {
        if let Some(before) = before {
            self.deadlines.remove(&(before, token));
        }
        if let Some(after) = after {
            self.deadlines.insert((after, token));
        }
    }

    /// Removes and returns the tokens whose deadline has passed. Call after the
    /// timerfd fired; marks the timer as disarmed.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<u64> {
        self.alarm = None;
        let later = self.deadlines.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut self.deadlines, later);
        due.into_iter().map(|(_, token)| token).collect()
    }

    /// Returns the time until the first deadline if the timer must be armed for
    /// it, and records that the caller arms the timer.
    pub(super) fn next_alarm(&mut self, now: Instant) -> Option<Duration> {
        let (first, _) = *self.deadlines.first()?;
        if self.alarm.is_some_and(|alarm| alarm <= first) {
            return None;
        }
        self.alarm = Some(first);
        // A value of zero would disarm the timer.
        let after = first.saturating_duration_since(now);
        Some(after.max(Duration::from_nanos(1)))
    }
}

/// The place of one client. Its connection is here, unless a thread steps it.
#[derive(Debug)]
pub(super) struct Slot {
    token: u64,
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<Box<Connection>>,
    /// Set while a thread has the connection and another event arrived: that
    /// thread must step the connection again.
    again: Option<Ready>,
    /// The results of commands, for the next step.
    results: Vec<TaskResult>,
    deadline: Option<Instant>,
    /// The time since which the connection waits here for a command, with its
    /// descriptor disarmed.
    unwatched_since: Option<Instant>,
    is_closed: bool,
}

/// The contents of a slot that was closed.
#[derive(Debug)]
pub(super) struct Closed {
    /// `false` if the slot was closed before.
    pub(super) is_first: bool,
    pub(super) connection: Option<Box<Connection>>,
    pub(super) deadline: Option<Instant>,
}

impl Slot {
    pub(super) fn token(&self) -> u64 {
        self.token
    }

    /// Takes the connection in order to step it. Returns `None` if another
    /// thread has it, and then makes that thread step it again.
    pub(super) fn take(&self, ready: Ready) -> Option<Box<Connection>> {
        let mut state = self.state.lock();
        let connection = state.connection.take();
        if connection.is_none() {
            state.again = Some(state.again.unwrap_or_default().or(ready));
        }
        state.unwatched_since = None;
        connection
    }

    /// Returns the connection to the slot after `arm` has armed its descriptor,
    /// or back to the caller if an event arrived meanwhile.
    ///
    /// `arm` runs under the slot's lock: an event that it lets through finds
    /// the connection in its place.
    pub(super) fn put_back(
        &self,
        connection: Box<Connection>,
        arm: impl FnOnce(&Connection),
    ) -> PutBack {
        let mut state = self.state.lock();
        if state.is_closed {
            return PutBack::Closed(connection);
        }
        if let Some(ready) = state.again.take() {
            return PutBack::Again(connection, ready);
        }
        arm(&connection);
        state.connection = Some(connection);
        PutBack::Waits
    }

    /// Returns the connection to the slot while a command of its client is
    /// executed. Calls `arm` if `is_watched`, or if an event arrived meanwhile.
    ///
    /// Otherwise the descriptor stays disarmed, because most commands last
    /// microseconds and arming is a system call. [`watch`](Self::watch) arms the
    /// descriptor if the command takes long.
    ///
    /// Returns the connection to the caller if the slot is closed.
    pub(super) fn put_back_for_command(
        &self,
        connection: Box<Connection>,
        is_watched: bool,
        arm: impl FnOnce(&Connection),
    ) -> Result<(), Box<Connection>> {
        let mut state = self.state.lock();
        if state.is_closed {
            return Err(connection);
        }
        // Leave `again` for the next `put_back`, which steps the connection for it: it
        // may have the order to end.
        if state.again.is_some() || is_watched {
            arm(&connection);
        } else {
            state.unwatched_since = Some(Instant::now());
        }
        state.connection = Some(connection);
        Ok(())
    }

    /// Leaves the result of a command for the next step, and takes the
    /// connection for that step. Returns `None` if another thread has the
    /// connection and will take the result, or if the slot is closed.
    pub(super) fn finish_task(&self, result: TaskResult) -> Option<Box<Connection>> {
        let mut state = self.state.lock();
        if state.is_closed {
            return None;
        }
        state.results.push(result);
        state.unwatched_since = None;
        let connection = state.connection.take();
        if connection.is_none() {
            state.again = Some(state.again.unwrap_or_default());
        }
        connection
    }

    /// Leaves the result of a command for the next step, and has the connection
    /// stepped soon, like [`wake`](Self::wake). Discards the result if the slot is
    /// closed.
    pub(super) fn leave_result(&self, result: TaskResult, arm: impl FnOnce(&Connection)) {
        let mut state = self.state.lock();
        if state.is_closed {
            return;
        }
        state.results.push(result);
        match &state.connection {
            Some(connection) => arm(connection),
            None => state.again = Some(state.again.unwrap_or_default()),
        }
    }

    pub(super) fn take_results(&self) -> Vec<TaskResult> {
        std::mem::take(&mut self.state.lock().results)
    }

    /// Calls `look` with the connection, unless a thread has it.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Connection) -> T) -> Option<T> {
        self.state.lock().connection.as_deref().map(look)
    }

    /// Calls `arm` with a connection that has been disarmed since before
    /// `before`, so that its client's hang-up is noticed.
    pub(super) fn watch(&self, before: Instant, arm: impl FnOnce(&Connection)) {
        let mut state = self.state.lock();
        if state.unwatched_since.is_some_and(|since| since < before) {
            state.unwatched_since = None;
            if let Some(connection) = &state.connection {
                arm(connection);
            }
        }
    }

    /// Has the connection stepped soon: by the thread that has it, or else by
    /// the thread that the kernel wakes because `arm` has armed the descriptor.
    pub(super) fn wake(&self, arm: impl FnOnce(&Connection)) {
        let mut state = self.state.lock();
        match &state.connection {
            Some(connection) => arm(connection),
            None => state.again = Some(state.again.unwrap_or_default()),
        }
    }

    /// Sets the deadline and returns the one before.
    pub(super) fn set_deadline(&self, deadline: Option<Instant>) -> Option<Instant> {
        std::mem::replace(&mut self.state.lock().deadline, deadline)
    }

    /// Closes the slot for good. If a thread has the connection, that thread
    /// drops it at the end of its step.
    pub(super) fn close(&self) -> Closed {
        let mut state = self.state.lock();
        state.results.clear();
        Closed {
            is_first: !std::mem::replace(&mut state.is_closed, true),
            connection: state.connection.take(),
            deadline: state.deadline.take(),
        }
    }
}

/// The outcome of [`Slot::put_back`].
#[derive(Debug)]
pub(super) enum PutBack {
    /// The connection waits in its slot.
    Waits,
    /// An event arrived: the caller must step the connection again.
    Again(Box<Connection>, Ready),
    /// The client was evicted, or the server ends: the caller must drop the
    /// connection.
    Closed(Box<Connection>),
}
