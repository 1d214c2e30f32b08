//! News of running virtual machines.
//!
//! In: places. Out: what is new, as it comes. This file computes nothing.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use super::observed::News;
use super::vm_id::VmId;
use crate::failure::Failure;
use crate::sample::{Clock, Timestamp};
use crate::source::{Fleet, FleetOptions, Place, Update};

/// A fleet of virtual machines.
#[derive(Debug)]
pub(super) struct Live {
    fleet: Fleet,
    updates: Receiver<Update>,
    clock: Clock,
    /// The virtual machines by their addresses. A fleet gives a number to each socket, but
    /// a virtual machine that is started again is the same one on the screen.
    ids: HashMap<String, VmId>,
    next: usize,
}

impl Live {
    /// Starts to take samples.
    pub(super) fn start(places: Vec<Place>, options: FleetOptions) -> Result<Self, Failure> {
        let clock = Clock::start();
        let (fleet, updates) = Fleet::start(places, options, clock)?;
        Ok(Self {
            fleet,
            updates,
            clock,
            ids: HashMap::new(),
            next: 0,
        })
    }

    /// Returns the current moment.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the news that have come, without waiting.
    pub(super) fn news(&mut self) -> Vec<News> {
        let updates: Vec<Update> = self.updates.try_iter().collect();
        updates.into_iter().map(|one| self.of(one)).collect()
    }

    /// Waits for news.
    pub(super) fn wait(&mut self, timeout: Duration) -> Option<News> {
        match self.updates.recv_timeout(timeout) {
            Ok(update) => Some(self.of(update)),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => {
                // All threads have ended, because no place can have a virtual machine
                // again. Wait nevertheless, so that a caller's loop does not spin.
                std::thread::sleep(timeout);
                None
            }
        }
    }

    /// Changes the time from one sample to the next.
    pub(super) fn set_interval(&mut self, interval: Duration) {
        self.fleet.set_interval(interval);
    }

    /// Frees the addresses of virtual machines that were dropped.
    pub(super) fn forget(&mut self, gone: &[VmId]) {
        if !gone.is_empty() {
            self.ids.retain(|_, id| !gone.contains(id));
        }
    }

    fn of(&mut self, update: Update) -> News {
        match update {
            Update::Place(place, problem) => News::Place(place, problem),
            Update::Vm(vm, event) => {
                let endpoint = vm.endpoint.to_string();
                let next = &mut self.next;
                let id = *self.ids.entry(endpoint.clone()).or_insert_with(|| {
                    *next += 1;
                    VmId(*next)
                });
                News::Vm(id, endpoint, event)
            }
        }
    }
}
