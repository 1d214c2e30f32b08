//! The server's log: who connected, who was refused, who left and why.
//!
//! In: what happened. Out: events of `tracing` with target `stats_runtime::server`,
//! or nothing without feature `tracing`. This file decides every level and text.
#![cfg_attr(
    not(feature = "tracing"),
    expect(unused_variables, reason = "without `tracing` nothing is logged")
)]

use std::io;

use super::connection::End;
use super::listener::Refusal;
use super::peer::Peer;

/// Logs with the target of this crate's server.
#[cfg(feature = "tracing")]
macro_rules! log {
    ($level:ident, $($event:tt)+) => {
        tracing::$level!(target: "stats_runtime::server", $($event)+)
    };
}

#[cfg(not(feature = "tracing"))]
macro_rules! log {
    ($level:ident, $($event:tt)+) => {
        ()
    };
}

pub(super) fn connected(client: u64, peer: &Peer<'_>) {
    log!(info, client, %peer, "connected");
}

pub(super) fn refused(peer: &Peer<'_>, refusal: &Refusal) {
    log!(warn, %peer, "refused: {refusal}");
}

pub(super) fn cannot_accept(error: &io::Error) {
    log!(warn, "cannot accept a client, retrying soon: {error}");
}

pub(super) fn executing(client: u64, command: &str) {
    log!(debug, client, command, "executing");
}

/// Logs the end of a connection. An end that neither the client nor the VMM
/// wanted is a warning.
pub(super) fn ended(client: u64, end: &End) {
    if end.is_loss() {
        log!(warn, client, "disconnected: {end}");
        return;
    }
    log!(info, client, "disconnected: {end}");
}
