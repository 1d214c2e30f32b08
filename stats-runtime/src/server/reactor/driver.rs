//! The part of a server that belongs to the caller of its reactor.
//!
//! In: choices of the caller. Out: buffers for a step, and the commands that the
//! caller executes itself. It knows no reactor.

use std::sync::Arc;

use super::super::clients::Slot;
use super::super::connection::Buffers;
use crate::qmp::Command;

/// The buffers and choices that the caller of a reactor lends to it.
#[derive(Debug)]
pub(in crate::server) struct Driver {
    pub(in crate::server) buffers: Buffers,
    /// The commands of a client that are executed before the client waits for
    /// its next turn.
    pub(in crate::server) commands_max: usize,
    /// The names of the commands that are not executed here.
    pub(in crate::server) handed_over: Vec<String>,
    /// The commands to hand over.
    pub(in crate::server) handed: Vec<HandedOver>,
}

impl Driver {
    /// Makes a driver that executes every command at once.
    pub(in crate::server) fn new() -> Self {
        Self {
            buffers: Buffers::new(),
            commands_max: usize::MAX,
            handed_over: Vec::new(),
            handed: Vec::new(),
        }
    }

    /// Returns whether the driver executes a command itself.
    pub(super) fn hands_over(&self, command: &str) -> bool {
        self.handed_over.iter().any(|name| name == command)
    }
}

/// A command that the driver executes itself. The driver must
/// [finish](super::Reactor::finish) it.
#[derive(Debug)]
pub(in crate::server) struct HandedOver {
    pub(in crate::server) slot: Arc<Slot>,
    pub(in crate::server) command: Command,
    pub(in crate::server) reply_bytes_max: usize,
}
