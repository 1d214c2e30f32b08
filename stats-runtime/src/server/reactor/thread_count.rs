//! The count of a reactor's threads.
//!
//! In: threads that start, execute commands, and end. Out: how many of each
//! there are, and the clients that wait for a free thread. It starts no thread.

use std::collections::BTreeSet;
use std::thread::JoinHandle;

use crate::lock::Lock;

/// The threads that stay when there is nothing to do.
pub(super) const IDLE_THREADS_MIN: usize = 2;

/// The threads of a reactor.
#[derive(Debug)]
pub(super) struct Threads {
    pub(super) threads_max: usize,
    pub(super) state: Lock<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) handles: Vec<JoinHandle<()>>,
    /// The threads that have not ended.
    pub(super) alive: usize,
    /// The threads that execute a command.
    pub(super) executing: usize,
    /// The clients that wait for a thread to execute their command.
    pub(super) parked: BTreeSet<u64>,
}

impl Threads {
    pub(super) fn new(threads_max: usize) -> Self {
        Self {
            threads_max,
            state: Lock::default(),
        }
    }

    /// Forgets a client that has gone. If no command ever returned, the clients
    /// that came and went would otherwise be remembered for ever.
    pub(super) fn forget(&self, client: u64) {
        self.state.lock().parked.remove(&client);
    }

    /// Returns whether more than [`IDLE_THREADS_MIN`] threads are alive.
    pub(super) fn are_many(&self) -> bool {
        self.state.lock().alive > IDLE_THREADS_MIN
    }

    /// Returns whether the calling thread, which had nothing to do, must end
    /// because enough others are free. Stops counting it then.
    pub(super) fn retire_one(&self) -> bool {
        let mut state = self.state.lock();
        let retires = state.alive - state.executing > IDLE_THREADS_MIN;
        if retires {
            state.alive -= 1;
        }
        retires
    }
}

/// Removes and joins the threads that have ended.
pub(super) fn join_finished(handles: &mut Vec<JoinHandle<()>>) {
    for handle in handles.extract_if(.., |handle| handle.is_finished()) {
        let _ = handle.join();
    }
}
