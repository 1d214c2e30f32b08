//! The connections of a server that nobody is stepping, and their deadlines.
//!
//! In: connections between two steps. Out: the same, to one thread at a time,
//! by token or when their time has come. No lock is held longer than it takes
//! to move one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::connection::{Connection, Ready};
use super::errand::Outcome;

/// All connections of a server.
#[derive(Debug)]
pub(super) struct Table {
    slots: BTreeMap<u64, Arc<Slot>>,
    deadlines: BTreeSet<(Instant, u64)>,
    /// What the timer is set to.
    alarm: Option<Instant>,
    /// Never used twice, unlike a descriptor's number.
    next_token: u64,
}

impl Table {
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

    pub(super) fn add(&mut self) -> Arc<Slot> {
        let token = self.next_token;
        self.next_token += 1;
        let slot = Arc::new(Slot {
            token,
            state: Mutex::default(),
        });
        self.slots.insert(token, Arc::clone(&slot));
        slot
    }

    pub(super) fn get(&self, token: u64) -> Option<Arc<Slot>> {
        self.slots.get(&token).cloned()
    }

    pub(super) fn slots(&self) -> Vec<Arc<Slot>> {
        self.slots.values().cloned().collect()
    }

    pub(super) fn remove(&mut self, token: u64, deadline: Option<Instant>) {
        self.slots.remove(&token);
        self.set_deadline(token, deadline, None);
    }

    pub(super) fn set_deadline(
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

    /// Those whose time has come. The timer has rung, and is not set any more.
    pub(super) fn due(&mut self, now: Instant) -> Vec<u64> {
        self.alarm = None;
        let later = self.deadlines.split_off(&(now, u64::MAX));
        let due = std::mem::replace(&mut self.deadlines, later);
        due.into_iter().map(|(_, token)| token).collect()
    }

    /// In what time the timer is to ring, if it has to be set anew.
    pub(super) fn next_alarm(&mut self, now: Instant) -> Option<Duration> {
        let (first, _) = *self.deadlines.first()?;
        if self.alarm.is_some_and(|alarm| alarm <= first) {
            return None;
        }
        self.alarm = Some(first);
        // Zero would switch it off.
        Some(
            first
                .saturating_duration_since(now)
                .max(Duration::from_nanos(1)),
        )
    }
}

/// Where a connection stays while nobody steps it.
#[derive(Debug)]
pub(super) struct Slot {
    token: u64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    connection: Option<Box<Connection>>,
    /// Why another step is to be taken, if that became known during one.
    again: Option<Ready>,
    /// What came of commands that ran meanwhile.
    outcomes: Vec<Outcome>,
    deadline: Option<Instant>,
    held_bytes: usize,
    is_given_up: bool,
}

impl Slot {
    pub(super) fn token(&self) -> u64 {
        self.token
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the connection to step it; if somebody else has it, they learn
    /// why it is to be stepped again.
    pub(super) fn take(&self, why: Ready) -> Option<Box<Connection>> {
        let mut state = self.state();
        let connection = state.connection.take();
        if connection.is_none() {
            let again = state.again.unwrap_or_default();
            state.again = Some(again.and(why));
        }
        connection
    }

    /// Puts the connection back, or hands it out again with the reason to step
    /// it once more: for the last time, if it has been given up.
    pub(super) fn put_back(&self, connection: Box<Connection>) -> Option<(Box<Connection>, Ready)> {
        let mut state = self.state();
        let last = state.is_given_up.then(Ready::default);
        match state.again.take().or(last) {
            Some(again) => Some((connection, again)),
            None => {
                state.connection = Some(connection);
                None
            }
        }
    }

    /// Leaves what came of a command for the next step.
    pub(super) fn leave(&self, outcome: Outcome) {
        self.state().outcomes.push(outcome);
    }

    pub(super) fn outcomes(&self) -> Vec<Outcome> {
        std::mem::take(&mut self.state().outcomes)
    }

    /// Looks at the connection, if nobody steps it.
    pub(super) fn with<T>(&self, look: impl FnOnce(&Connection) -> T) -> Option<T> {
        self.state().connection.as_deref().map(look)
    }

    pub(super) fn empty(&self) -> Option<Box<Connection>> {
        self.state().connection.take()
    }

    /// Returns the deadline before.
    pub(super) fn set_deadline(&self, deadline: Option<Instant>) -> Option<Instant> {
        std::mem::replace(&mut self.state().deadline, deadline)
    }

    pub(super) fn held_bytes(&self) -> usize {
        self.state().held_bytes
    }

    /// Says how much it holds, and returns what that was before; `None` if it
    /// has been [given up](Self::give_up).
    pub(super) fn hold(&self, held_bytes: usize) -> Option<usize> {
        let mut state = self.state();
        let before = std::mem::replace(&mut state.held_bytes, held_bytes);
        if state.is_given_up {
            state.held_bytes = 0;
            return None;
        }
        Some(before)
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.state().is_given_up
    }

    /// Gives it up: it is to be closed, and what it holds counts no more.
    /// Returns how much that was.
    pub(super) fn give_up(&self) -> usize {
        let mut state = self.state();
        state.is_given_up = true;
        std::mem::take(&mut state.held_bytes)
    }
}
