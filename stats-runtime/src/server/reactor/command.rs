//! The execution of commands.
//!
//! In: a command that a step returned. Out: its result, for the next step of
//! the connection. The connection waits in its slot meanwhile, so a command
//! that blocks keeps one thread, and neither the descriptor nor the place of a
//! client that has left.

use std::sync::Arc;

use qapi_stats::wire::Writer;
use qapi_stats::wire::command::{Call, CommandSet};

use super::super::clients::Slot;
use super::super::connection::{Buffers, CommandResult, Connection, End, Ready};
use super::super::log;
use super::Reactor;
use crate::qmp::{Command, begin_reply};

impl Reactor {
    /// Executes a command, or parks it in its connection if no thread is free.
    /// Returns the connection if the caller must step it again.
    pub(super) fn execute(
        self: &Arc<Self>,
        slot: &Slot,
        mut connection: Box<Connection>,
        command: Command,
        buffers: &mut Buffers,
    ) -> Option<(Box<Connection>, Ready)> {
        if !self.begin_command(slot.token()) {
            if connection.park(command, &self.options) {
                return Some((connection, Ready::default()));
            }
            return self.wait_in_slot(slot, connection);
        }
        connection.begin_command();
        let result = self.run_in_place_of(slot, connection, command, buffers);
        self.end_command();
        let connection = slot.finish_command(result?)?;
        Some((connection, Ready::default()))
    }

    /// Puts the connection into its slot and runs the command. Returns `None`
    /// if the client has to go instead.
    fn run_in_place_of(
        &self,
        slot: &Slot,
        connection: Box<Connection>,
        command: Command,
        buffers: &mut Buffers,
    ) -> Option<CommandResult> {
        if !self.charge(slot, &connection, true) {
            self.close(slot, Some(connection), &End::Evicted);
            return None;
        }
        // The client may have to read, or an event may be due, long before the
        // command returns.
        self.set_deadline(slot, connection.deadline(&self.options));
        let reply_bytes_max = connection.reply_bytes_max();
        let is_watched = connection.is_oob() || connection.interest().write;
        let arm = |connection: &Connection| self.arm_to_wake(slot.token(), connection);
        let result = match slot.put_back_for_command(connection, is_watched, arm) {
            Ok(()) => Some(self.run(slot, command, reply_bytes_max, buffers)),
            Err(connection) => {
                self.close(slot, Some(connection), &End::Stopped);
                None
            }
        };
        self.budget.end_command(slot.token());
        result
    }

    /// Runs a command, however long it takes.
    fn run(
        &self,
        slot: &Slot,
        command: Command,
        reply_bytes_max: usize,
        buffers: &mut Buffers,
    ) -> CommandResult {
        log::executing(slot.token(), command.info.name);
        let context = self.monitor.context();
        let call = Call {
            name: command.info.name,
            arguments: command.arguments.root(),
            context: &context,
        };
        let mut reply = std::mem::take(&mut buffers.reply);
        let write = |out: &mut Writer<'_>| self.monitor.execute(call, out);
        let grants = |bytes| self.evict_for(self.budget.charge_reply(slot.token(), bytes));
        let policy = context.policy();
        let outcome = begin_reply(&mut reply, reply_bytes_max, &grants, policy, write);
        CommandResult {
            ticket: command.ticket,
            outcome,
            reply,
        }
    }
}
