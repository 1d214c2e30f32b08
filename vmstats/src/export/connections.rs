//! The connections of scrapers, and which of them ends when there are too many.
//!
//! In: tasks that serve connections, and what each of them does. Out: the end of the tasks
//! that take room from others. This file knows neither HTTP nor sockets.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use tokio::task::AbortHandle;

use crate::lock::Lock;

/// The maximum number of connections.
const CONNECTIONS_MAX: usize = 128;

/// The maximum number of connections that wait for a collection. Smaller than
/// [`CONNECTIONS_MAX`], so that one of the others can always end.
const COLLECTING_MAX: usize = 64;

/// The maximum size of all texts that clients are taking.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// The open connections.
#[derive(Debug, Default)]
pub(super) struct Connections(Lock<Table>);

#[derive(Debug, Default)]
struct Table {
    entries: BTreeMap<u64, Entry>,
    next: u64,
}

#[derive(Debug)]
struct Entry {
    task: AbortHandle,
    state: State,
    since: Instant,
}

/// The activity of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The client has not sent a request yet.
    New,
    /// The client has its responses.
    Idle,
    /// A collection is being made for the client.
    Collecting,
    /// The client takes a text, which other connections may share.
    Sending { text: usize, bytes: usize },
}

/// A connection's place among the others, which is free again when the seat is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    id: u64,
    connections: Arc<Connections>,
}

impl Connections {
    /// Adds a connection, which `spawn` starts to serve. If there are too many, another one
    /// ends: the one that has been idle for longest, or else the one whose client has been
    /// taking a text for longest.
    pub(super) fn open(self: &Arc<Self>, spawn: impl FnOnce(Seat) -> AbortHandle) {
        let mut table = self.0.lock();
        let id = table.next;
        table.next += 1;
        if table.entries.len() >= CONNECTIONS_MAX && !table.end_idle() {
            table.end_sending(None);
        }
        drop(table);
        let connections = Arc::clone(self);
        let task = spawn(Seat { id, connections });
        let entry = Entry {
            task,
            state: State::New,
            since: Instant::now(),
        };
        self.0.lock().entries.insert(id, entry);
    }
}

impl Table {
    /// Ends the connection that has been idle for longest. Returns false if all of
    /// them are busy.
    fn end_idle(&mut self) -> bool {
        self.end_longest(|state| matches!(state, State::New | State::Idle))
    }

    /// Ends the connection whose client has been taking a text for longest, but not one
    /// that takes `spared`. Returns false if no other client takes a text.
    fn end_sending(&mut self, spared: Option<usize>) -> bool {
        self.end_longest(|state| match state {
            State::Sending { text, .. } => Some(text) != spared,
            _ => false,
        })
    }

    fn end_longest(&mut self, may_end: impl Fn(State) -> bool) -> bool {
        let entries = self.entries.iter();
        let candidates = entries.filter(|(_, entry)| may_end(entry.state));
        let longest = candidates.min_by_key(|(_, entry)| entry.since);
        let Some(id) = longest.map(|(id, _)| *id) else {
            return false;
        };
        if let Some(entry) = self.entries.remove(&id) {
            entry.task.abort();
        }
        true
    }

    fn set(&mut self, id: u64, state: State) {
        // The connection may have been ended a moment ago.
        if let Some(entry) = self.entries.get_mut(&id) {
            (entry.state, entry.since) = (state, Instant::now());
        }
    }

    /// Returns the size of all texts that clients are taking.
    fn text_bytes(&self) -> usize {
        let states = self.entries.values().map(|entry| entry.state);
        let texts = states.filter_map(|state| match state {
            State::Sending { text, bytes } => Some((text, bytes)),
            _ => None,
        });
        texts.collect::<HashMap<_, _>>().values().sum()
    }

    fn collecting(&self) -> usize {
        let states = self.entries.values().map(|entry| entry.state);
        states.filter(|state| *state == State::Collecting).count()
    }
}

impl Seat {
    /// Returns whether the client has sent no request yet.
    pub(super) fn is_new(&self) -> bool {
        let table = self.connections.0.lock();
        let entry = table.entries.get(&self.id);
        entry.is_some_and(|entry| entry.state == State::New)
    }

    /// Notes that a collection is made for the client. Returns false if too many clients
    /// wait for one.
    #[must_use]
    pub(super) fn collect(&self) -> bool {
        let mut table = self.connections.0.lock();
        if table.collecting() >= COLLECTING_MAX {
            return false;
        }
        table.set(self.id, State::Collecting);
        true
    }

    /// Notes that the client takes a text, which is known by a number. Connections that
    /// have been taking other texts for longest end if all texts together are too large.
    pub(super) fn send(&self, text: usize, bytes: usize) {
        let mut table = self.connections.0.lock();
        table.set(self.id, State::Sending { text, bytes });
        while table.text_bytes() > TEXT_BYTES_MAX && table.end_sending(Some(text)) {}
    }

    /// Notes that the client has its response.
    pub(super) fn rest(&self) {
        self.connections.0.lock().set(self.id, State::Idle);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.connections.0.lock().entries.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use super::*;

    /// Opens connections that wait for ever.
    fn open(connections: &Arc<Connections>, count: usize) -> Vec<Arc<Seat>> {
        let mut seats = Vec::new();
        for _ in 0..count {
            connections.open(|seat| {
                seats.push(Arc::new(seat));
                tokio::spawn(pending::<()>()).abort_handle()
            });
        }
        seats
    }

    fn ids(connections: &Connections) -> Vec<u64> {
        connections.0.lock().entries.keys().copied().collect()
    }

    #[test]
    fn longest_idle_connection_ends_when_there_are_too_many() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        let connections = Arc::new(Connections::default());
        let seats = open(&connections, CONNECTIONS_MAX);
        assert!(seats[0].is_new() && seats[0].collect() && !seats[0].is_new());
        seats[1].send(1, 10);
        seats[2].rest();
        let more = open(&connections, 1);
        assert_eq!(ids(&connections)[..4], [0, 1, 2, 4]);
        // Without idle ones, the slowest reader ends, and never one that waits for us.
        let last = COLLECTING_MAX + 2;
        for seat in &seats[4..=last] {
            assert!(seat.collect());
        }
        assert!(!seats[1].collect());
        for seat in seats[last + 1..].iter().chain(&more).chain([&seats[2]]) {
            seat.send(2, 10);
        }
        let _more = open(&connections, 1);
        assert_eq!(ids(&connections)[..2], [0, 2]);
        drop(seats);
        assert_eq!(ids(&connections).len(), 2);
    }

    #[test]
    fn slowest_readers_end_when_their_texts_are_too_large() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let _entered = runtime.enter();
        let connections = Arc::new(Connections::default());
        let seats = open(&connections, 5);
        let half = TEXT_BYTES_MAX / 2;
        // The first two share a text.
        for (seat, text) in [(0, 1), (1, 1), (2, 2)] {
            seats[seat].send(text, half);
        }
        assert_eq!(ids(&connections), [0, 1, 2, 3, 4]);
        seats[3].send(3, half);
        assert_eq!(ids(&connections), [2, 3, 4]);
        // A text that is too large alone is sent all the same.
        seats[4].send(4, 2 * TEXT_BYTES_MAX);
        assert_eq!(ids(&connections), [4]);
    }
}
