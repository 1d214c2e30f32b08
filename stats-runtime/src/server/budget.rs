//! The memory that all clients together may make a server hold.
//!
//! In: how many bytes each client holds. Out: the clients to evict so that the
//! sum stays within the budget. It knows neither sockets nor sessions.
//!
//! One lock covers the sum and every account, so the sum is exact and the
//! choice of whom to evict is made from current figures. Counting each client
//! under a lock of its own would let two threads choose from figures that the
//! other has just changed, and evict clients that hold little.

use std::collections::BTreeMap;

use crate::lock::Lock;

/// The bytes that a client may hold at no cost. A client that never holds more
/// is never evicted to make room, whatever other clients do.
pub(super) const FREE_BYTES: usize = 16 << 10;

/// The accounts of a server's clients.
#[derive(Debug)]
pub(super) struct Budget {
    bytes_max: usize,
    accounts: Lock<Accounts>,
}

#[derive(Debug, Default)]
struct Accounts {
    /// The sum of all accounts.
    bytes: usize,
    by_client: BTreeMap<u64, Account>,
}

/// The bytes that a client makes the server hold between two steps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    /// The bytes of the session and the transport.
    pub(super) bytes: usize,
    /// The part of `bytes` that belongs to commands. A command that is being
    /// executed keeps this memory although its client leaves.
    pub(super) executing_bytes: usize,
}

/// One client's bytes.
#[derive(Debug, Default)]
struct Account {
    /// The bytes that the client holds beyond [`FREE_BYTES`].
    session_bytes: usize,
    /// See [`Held::executing_bytes`].
    executing_bytes: usize,
    /// The bytes of replies that commands are writing.
    reply_bytes: usize,
    /// The number of the client's commands that are being executed.
    commands: usize,
    is_closed: bool,
}

/// The answer to a charge.
#[derive(Debug)]
#[must_use = "clients to evict must be closed"]
pub(super) enum Charge {
    /// The client may hold the bytes once these other clients are evicted.
    Granted { evict: Vec<u64> },
    /// The client itself holds the most, and must go.
    Refused,
}

impl Budget {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            accounts: Lock::default(),
        }
    }

    /// Opens an account for a client that has connected.
    pub(super) fn open(&self, client: u64) {
        let mut accounts = self.accounts.lock();
        accounts.by_client.insert(client, Account::default());
    }

    /// Sets what a client holds, and counts a command if the client is about to
    /// have one executed. Closes the accounts of the clients to evict: the
    /// caller must close their connections.
    pub(super) fn charge(&self, client: u64, held: Held, begins_command: bool) -> Charge {
        let mut accounts = self.accounts.lock();
        if !accounts.is_open(client) {
            // Another thread has just evicted the client.
            return Charge::Refused;
        }
        accounts.update(client, |account| {
            account.session_bytes = held.bytes.saturating_sub(FREE_BYTES);
            account.executing_bytes = held.executing_bytes;
        });
        let Some(evict) = accounts.make_room(self.bytes_max, client) else {
            return Charge::Refused;
        };
        if begins_command {
            accounts.update(client, |account| account.commands += 1);
        }
        Charge::Granted { evict }
    }

    /// Sets how many bytes a command of the client may write of its reply. A
    /// refused command keeps what it was granted before. Refuses if the client
    /// has left, because nobody reads the reply.
    pub(super) fn charge_reply(&self, client: u64, reply_bytes: usize) -> Charge {
        let mut accounts = self.accounts.lock();
        if !accounts.is_open(client) {
            return Charge::Refused;
        }
        let set = |account: &mut Account, bytes| std::mem::replace(&mut account.reply_bytes, bytes);
        let before = accounts.update(client, |account| set(account, reply_bytes));
        match accounts.make_room(self.bytes_max, client) {
            Some(evict) => Charge::Granted { evict },
            None => {
                accounts.update(client, |account| set(account, before.unwrap_or(0)));
                Charge::Refused
            }
        }
    }

    /// Ends a command that [`charge`](Self::charge) has counted. Its reply is
    /// the session's from now on.
    pub(super) fn end_command(&self, client: u64) {
        let mut accounts = self.accounts.lock();
        let is_gone = accounts.update(client, |account| {
            account.reply_bytes = 0;
            account.commands = account.commands.saturating_sub(1);
            account.is_closed && account.commands == 0
        });
        if is_gone == Some(true) {
            accounts.remove(client);
        }
    }

    /// Closes the account of a client that has gone. As long as a command of
    /// the client is executed, the account stays with the command's memory.
    pub(super) fn close(&self, client: u64) {
        self.accounts.lock().close(client);
    }
}

impl Accounts {
    fn is_open(&self, client: u64) -> bool {
        let account = self.by_client.get(&client);
        account.is_some_and(|account| !account.is_closed)
    }

    fn close(&mut self, client: u64) {
        let is_gone = self.update(client, |account| {
            account.is_closed = true;
            account.session_bytes -= account.freed_session_bytes();
            account.commands == 0
        });
        if is_gone == Some(true) {
            self.remove(client);
        }
    }

    /// Changes an account, and the sum with it. Returns `None` if the client
    /// has no account.
    fn update<T>(&mut self, client: u64, change: impl FnOnce(&mut Account) -> T) -> Option<T> {
        let account = self.by_client.get_mut(&client)?;
        let before = account.bytes();
        let outcome = change(account);
        self.bytes = self.bytes - before + account.bytes();
        Some(outcome)
    }

    fn remove(&mut self, client: u64) {
        if let Some(account) = self.by_client.remove(&client) {
            self.bytes -= account.bytes();
        }
    }

    /// Closes the accounts whose end frees the most until the sum is at most
    /// `bytes_max`. Returns the clients to evict, or `None` if `client`
    /// itself is among them or if evicting all would not suffice.
    ///
    /// In the latter cases no other client is evicted in vain: the accounts stay
    /// as they are.
    fn make_room(&mut self, bytes_max: usize, client: u64) -> Option<Vec<u64>> {
        let mut evict = Vec::new();
        let mut bytes = self.bytes;
        if bytes > bytes_max {
            for (bytes_freed, other) in self.evictable() {
                if other == client {
                    return None;
                }
                evict.push(other);
                bytes -= bytes_freed;
                if bytes <= bytes_max {
                    break;
                }
            }
        }
        if bytes > bytes_max {
            return None;
        }
        for other in &evict {
            self.close(*other);
        }
        Some(evict)
    }

    /// Returns the clients whose eviction frees memory, and how much, beginning
    /// with the client that frees the most.
    fn evictable(&self) -> Vec<(usize, u64)> {
        let mut evictable: Vec<_> = self
            .by_client
            .iter()
            .map(|(client, account)| (account.freed_session_bytes(), *client))
            .filter(|(bytes_freed, _)| *bytes_freed > 0)
            .collect();
        evictable.sort_unstable_by(|one, other| other.cmp(one));
        evictable
    }
}

impl Account {
    fn bytes(&self) -> usize {
        self.session_bytes + self.reply_bytes
    }

    /// Returns how many bytes the end of the session frees.
    fn freed_session_bytes(&self) -> usize {
        if self.commands == 0 {
            self.session_bytes
        } else {
            self.session_bytes.saturating_sub(self.executing_bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn budget(bytes_max: usize, clients: u64) -> Budget {
        let budget = Budget::new(bytes_max);
        (0..clients).for_each(|client| budget.open(client));
        budget
    }

    /// What a client without commands holds.
    fn idle(bytes: usize) -> Held {
        let executing_bytes = 0;
        Held {
            bytes,
            executing_bytes,
        }
    }

    /// Charges a client and returns the clients to evict.
    fn evicted_by(budget: &Budget, client: u64, held_bytes: usize) -> Option<Vec<u64>> {
        match budget.charge(client, idle(held_bytes), false) {
            Charge::Granted { evict } => Some(evict),
            Charge::Refused => None,
        }
    }

    #[test]
    fn budget_evicts_the_client_that_holds_the_most() {
        let budget = budget(4 * MIB, 4);
        assert_eq!(evicted_by(&budget, 1, MIB), Some(vec![]));
        assert_eq!(evicted_by(&budget, 2, 2 * MIB), Some(vec![]));
        assert_eq!(evicted_by(&budget, 3, 3 * MIB / 2), Some(vec![2]));
        assert_eq!(evicted_by(&budget, 3, 5 * MIB), None);
        assert_eq!(evicted_by(&budget, 2, 0), None, "it was evicted before");
    }

    #[test]
    fn budget_spares_clients_that_hold_little() {
        let budget = budget(MIB, 1002);
        for client in 0..1000 {
            assert_eq!(evicted_by(&budget, client, FREE_BYTES), Some(vec![]));
        }
        assert_eq!(evicted_by(&budget, 1000, MIB), Some(vec![]));
        assert_eq!(evicted_by(&budget, 1001, MIB / 2), Some(vec![1000]));
    }

    #[test]
    fn budget_counts_commands_of_clients_that_have_left() {
        let budget = budget(2 * MIB, 2);
        let held = Held {
            bytes: 2 * MIB,
            executing_bytes: 2 * MIB,
        };
        let charge = budget.charge(0, held, true);
        assert!(matches!(charge, Charge::Granted { evict } if evict.is_empty()));
        budget.close(0);
        assert_eq!(evicted_by(&budget, 1, MIB), None);
        budget.end_command(0);
        budget.open(1);
        assert_eq!(evicted_by(&budget, 1, MIB), Some(vec![]));
    }

    #[test]
    fn budget_frees_what_no_command_of_a_client_that_has_left_uses() {
        let budget = budget(4 * MIB, 2);
        let held = Held {
            bytes: 3 * MIB,
            executing_bytes: MIB,
        };
        assert!(matches!(
            budget.charge(0, held, true),
            Charge::Granted { .. }
        ));
        budget.close(0);
        assert_eq!(evicted_by(&budget, 1, 3 * MIB), Some(vec![]));
        assert_eq!(evicted_by(&budget, 1, 4 * MIB), None);
    }

    #[test]
    fn budget_evicts_a_client_that_holds_much_beside_its_command() {
        let budget = budget(4 * MIB, 2);
        assert_eq!(evicted_by(&budget, 1, MIB), Some(vec![]));
        let held = |bytes| Held {
            bytes,
            executing_bytes: MIB / 2,
        };
        assert!(matches!(
            budget.charge(0, held(MIB), true),
            Charge::Granted { .. }
        ));
        assert!(matches!(
            budget.charge(0, held(4 * MIB), false),
            Charge::Refused
        ));
        budget.close(0);
        assert_eq!(evicted_by(&budget, 1, 3 * MIB), Some(vec![]));
    }

    #[test]
    fn budget_stops_a_reply_that_does_not_fit() {
        let budget = budget(2 * MIB, 2);
        let charge = budget.charge(0, Held::default(), true);
        assert!(matches!(charge, Charge::Granted { .. }));
        let is_granted =
            |client, bytes| matches!(budget.charge_reply(client, bytes), Charge::Granted { .. });
        assert!(is_granted(0, 2 * MIB));
        assert!(!is_granted(0, 3 * MIB));
        assert!(!is_granted(1, 1));
        budget.end_command(0);
        assert!(is_granted(1, 2 * MIB));
    }

    #[test]
    fn budget_evicts_an_idle_client_for_a_reply() {
        let budget = budget(2 * MIB, 2);
        assert_eq!(evicted_by(&budget, 0, MIB), Some(vec![]));
        let charge = budget.charge(1, Held::default(), true);
        assert!(matches!(charge, Charge::Granted { .. }));
        let charge = budget.charge_reply(1, 2 * MIB);
        assert!(matches!(charge, Charge::Granted { evict } if evict == [0]));
    }
}
