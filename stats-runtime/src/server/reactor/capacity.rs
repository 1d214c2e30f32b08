//! The count of commands that run at the same time.
//!
//! In: commands that begin and end. Out: whether another command may begin, and
//! the clients that wait for that. It knows no thread.

use std::collections::BTreeSet;

use crate::lock::Lock;

/// The number of commands that may run at the same time, and those that do.
#[derive(Debug)]
pub(super) struct Capacity {
    /// `None` if one thread serves all clients, one command after the other.
    commands_max: Option<usize>,
    state: Lock<State>,
}

#[derive(Debug, Default)]
struct State {
    executing: usize,
    /// The clients whose command waits.
    parked: BTreeSet<u64>,
}

impl Capacity {
    pub(super) fn new(commands_max: Option<usize>) -> Self {
        Self {
            commands_max,
            state: Lock::default(),
        }
    }

    /// Returns whether other threads serve clients while a command runs.
    pub(super) fn is_shared(&self) -> bool {
        self.commands_max.is_some()
    }

    /// Counts a command of a client that begins. If as many as possible run,
    /// returns `false` and remembers the client.
    ///
    /// The same lock covers the count and the list: a command that ends now would
    /// otherwise find the list empty, and nobody would wake the client.
    pub(super) fn begin(&self, client: u64) -> bool {
        let mut state = self.state.lock();
        if self.commands_max.is_some_and(|max| state.executing >= max) {
            state.parked.insert(client);
            return false;
        }
        state.executing += 1;
        true
    }

    /// Counts a command that has ended. Returns the clients to wake.
    pub(super) fn end(&self) -> BTreeSet<u64> {
        let mut state = self.state.lock();
        state.executing -= 1;
        std::mem::take(&mut state.parked)
    }

    /// Returns how many commands run.
    pub(super) fn executing(&self) -> usize {
        self.state.lock().executing
    }

    /// Removes a disconnected client from the waiting list. `end` also empties the
    /// list, but never runs while every command hangs, so that the list would grow
    /// without bound.
    pub(super) fn forget(&self, client: u64) {
        self.state.lock().parked.remove(&client);
    }

    /// Returns how many clients wait.
    #[cfg(test)]
    pub(super) fn parked(&self) -> usize {
        self.state.lock().parked.len()
    }
}
