//! The reports of a server: its clients, their commands and their ends.
//!
//! In: clients that come, ask, go or are refused. Out: the log, the server's own
//! statistics, and calls of the VMM's function. It decides nothing.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::connection::{End, Traffic};
use super::listener::Refusal;
use super::log;
use super::lost_client::{LossHook, LostClient};
use super::peer::Peer;

/// The numbers that a server counts, from its start on.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) clients: AtomicU64,
    pub(super) accepted: AtomicU64,
    pub(super) refused_too_many: AtomicU64,
    pub(super) refused_not_listed: AtomicU64,
    pub(super) accept_errors: AtomicU64,
    pub(super) evicted: AtomicU64,
    pub(super) late: AtomicU64,
    pub(super) commands: AtomicU64,
    pub(super) received_bytes: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
}

/// The receivers of a server's reports.
pub(super) struct Report {
    counters: Arc<Counters>,
    on_client_lost: Option<LossHook>,
}

impl Report {
    pub(super) fn new(on_client_lost: Option<LossHook>) -> Self {
        Self {
            counters: Arc::default(),
            on_client_lost,
        }
    }

    pub(super) fn counters(&self) -> &Arc<Counters> {
        &self.counters
    }

    pub(super) fn connected(&self, client: u64, peer: &Peer<'_>) {
        count(&self.counters.accepted);
        count(&self.counters.clients);
        log::connected(client, peer);
    }

    pub(super) fn refused(&self, peer: &Peer<'_>, refusal: &Refusal) {
        match refusal {
            Refusal::TooMany { .. } => count(&self.counters.refused_too_many),
            Refusal::NotListed => count(&self.counters.refused_not_listed),
            Refusal::Ending => return,
        }
        log::refused(peer, refusal);
        self.lost(true, &format_args!("{peer} was refused: {refusal}"));
    }

    pub(super) fn cannot_accept(&self, error: &io::Error) {
        count(&self.counters.accept_errors);
        log::cannot_accept(error);
    }

    pub(super) fn executing(&self, client: u64, command: &str) {
        count(&self.counters.commands);
        log::executing(client, command);
    }

    pub(super) fn moved(&self, traffic: Traffic) {
        let Traffic { received, sent } = traffic;
        self.counters
            .received_bytes
            .fetch_add(received, Ordering::Relaxed);
        self.counters.sent_bytes.fetch_add(sent, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, client: u64, end: &End) {
        self.counters.clients.fetch_sub(1, Ordering::Relaxed);
        match end {
            End::Evicted => count(&self.counters.evicted),
            End::Late(_) => count(&self.counters.late),
            _ => {}
        }
        log::ended(client, end);
        if end.is_loss() {
            self.lost(
                false,
                &format_args!("client {client} was disconnected: {end}"),
            );
        }
    }

    fn lost(&self, is_refused: bool, text: &dyn fmt::Display) {
        if let Some(hook) = &self.on_client_lost {
            let client = LostClient::new(is_refused, text);
            // Ignore a panic of the VMM's code, which would end the thread that
            // serves all clients.
            let _ = catch_unwind(AssertUnwindSafe(|| hook(&client)));
        }
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
