//! The users whose VMMs hand over. Each has limits of its own, so that no user disturbs
//! another.
//!
//! In: user ids, by the kernel's word. Out: whether a user is served, how much its VMMs may
//! send, and the memory that its VMs share. This file knows no connection.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use stats_runtime::kvm::KvmProvider;

use super::allowance::Allowance;

/// The most packets that all VMMs of one user may send in a burst: those of thousands of VMs
/// that are handed over when the host has started.
const PACKETS_MAX: u32 = 16 << 10;

/// The time after which one more packet of a user is read. Handling a packet takes a
/// tenth of this interval.
const PACKET_INTERVAL: Duration = Duration::from_millis(1);

/// All users that have connected.
#[derive(Debug, Default)]
pub(super) struct Users(HashMap<u32, User>);

/// A user.
#[derive(Debug)]
pub(super) struct User {
    uid: u32,
    /// The packets that all VMMs of the user may send.
    pub(super) allowance: Allowance,
    /// The provider whose layouts the VMs of the user share. Other users have their own, so
    /// that one user cannot use up the memory for the layouts of others.
    pub(super) template: KvmProvider,
    is_refused: bool,
}

impl Users {
    /// Returns a user, who is new if nothing of the user has come before.
    pub(super) fn get(&mut self, uid: u32, now: Instant) -> &mut User {
        self.0.entry(uid).or_insert_with(|| User {
            uid,
            allowance: Allowance::new(PACKETS_MAX, PACKET_INTERVAL, now),
            template: KvmProvider::new(),
            is_refused: false,
        })
    }
}

impl User {
    /// Refuses the user from now on: the user has sent a file that cannot be closed. Returns
    /// the reason for the log.
    pub(super) fn refuse(&mut self) -> String {
        self.is_refused = true;
        self.reason()
    }

    /// Checks that the user is not refused.
    ///
    /// # Errors
    ///
    /// Returns the reason if the user is refused.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.is_refused {
            Err(self.reason())
        } else {
            Ok(())
        }
    }

    fn reason(&self) -> String {
        format!(
            "user {} sent a file that cannot be closed, and is refused until vmstats host restarts",
            self.uid
        )
    }
}
