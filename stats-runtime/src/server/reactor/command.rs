//! The execution of commands.
//!
//! In: a command that a step returned. Out: its result, for the next step of
//! the connection. The connection waits in its slot meanwhile, so a command
//! that blocks keeps one thread, and neither the descriptor nor the place of a
//! client that has left.

use std::sync::Arc;

use qapi_stats::wire::command::{Call, CommandSet};
use qapi_stats::wire::{Error, Writer};

use super::super::clients::Slot;
use super::super::connection::{Buffers, Connection, End, Ready};
use super::super::conversation::{Task, TaskResult};
use super::{Driver, HandedOver, Reactor};
use crate::monitor::Monitor;
use crate::qmp::{Command, begin_reply};

impl Reactor {
    /// Executes a command, hands it over, or parks it in its connection if as many
    /// commands as possible run. Returns the connection if the caller must step it
    /// again.
    pub(super) fn execute(
        self: &Arc<Self>,
        slot: &Arc<Slot>,
        mut connection: Box<Connection>,
        task: Task,
        driver: &mut Driver,
    ) -> Option<(Box<Connection>, Ready)> {
        let task = match task {
            Task::Command(command)
                if driver.hands_over(command.info.name)
                    && self.monitor.allows(command.info.name) =>
            {
                self.hand_over(slot, connection, command, driver);
                return None;
            }
            task => task,
        };
        if !self.capacity.begin(slot.token()) {
            if connection.park(task, &self.options) {
                return Some((connection, Ready::default()));
            }
            return self.wait_in_slot(slot, connection);
        }
        connection.begin_task();
        let buffers = &mut driver.buffers;
        let result = self.run_in_place_of(slot, connection, task, buffers);
        for client in self.capacity.end() {
            self.wake(client);
        }
        let connection = slot.finish_task(result?)?;
        Some((connection, Ready::default()))
    }

    /// Leaves a command to the VMM, which finishes it later.
    fn hand_over(
        &self,
        slot: &Arc<Slot>,
        mut connection: Box<Connection>,
        command: Command,
        driver: &mut Driver,
    ) {
        connection.begin_task();
        if !self.charge(slot, &connection, true) {
            return self.close(slot, Some(connection), &End::Evicted);
        }
        self.set_deadline(slot, connection.deadline(&self.options));
        self.report.executing(slot.token(), command.info.name);
        let reply_bytes_max = connection.reply_bytes_max();
        let arm = |connection: &Connection| {
            self.arm(slot.token(), connection, connection.interest());
        };
        match slot.put_back_for_command(connection, true, arm) {
            Ok(()) => {
                driver.handed.push(HandedOver {
                    slot: Arc::clone(slot),
                    command,
                    reply_bytes_max,
                });
            }
            Err(connection) => {
                self.budget.end_command(slot.token());
                self.close(slot, Some(connection), &End::Stopped);
            }
        }
    }

    /// Takes the result of a command that was handed over. Any thread may call
    /// this.
    pub(in crate::server) fn finish(&self, slot: &Slot, result: TaskResult) {
        self.budget.end_command(slot.token());
        slot.leave_result(result, |connection| {
            self.arm_to_wake(slot.token(), connection);
        });
    }

    /// Writes the reply of a command that was handed over.
    pub(in crate::server) fn write_reply(
        &self,
        slot: &Slot,
        reply_bytes_max: usize,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    ) -> (Vec<u8>, Result<(), Error>) {
        let mut reply = Vec::new();
        let outcome = self.begin_reply(slot, &mut reply, reply_bytes_max, write);
        (reply, outcome)
    }

    /// Begins a reply with what a function writes, whose memory the client's account
    /// is charged with.
    fn begin_reply(
        &self,
        slot: &Slot,
        reply: &mut Vec<u8>,
        reply_bytes_max: usize,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let grants = |bytes| self.evict_for(self.budget.charge_reply(slot.token(), bytes));
        let policy = self.monitor.context().policy();
        begin_reply(reply, reply_bytes_max, &grants, policy, write)
    }

    pub(in crate::server) fn monitor(&self) -> &Monitor {
        &self.monitor
    }

    /// Puts the connection into its slot and runs the command. Returns `None`
    /// if the client has to go instead.
    fn run_in_place_of(
        &self,
        slot: &Slot,
        connection: Box<Connection>,
        task: Task,
        buffers: &mut Buffers,
    ) -> Option<TaskResult> {
        if !self.charge(slot, &connection, true) {
            self.close(slot, Some(connection), &End::Evicted);
            return None;
        }
        // The client may have to read, or an event may be due, long before the
        // command returns.
        self.set_deadline(slot, connection.deadline(&self.options));
        let reply_bytes_max = connection.reply_bytes_max();
        let is_watched = connection.is_oob() || connection.interest().write;
        if !is_watched && self.capacity.is_shared() {
            self.watch_later();
        }
        let arm = |connection: &Connection| self.arm_to_wake(slot.token(), connection);
        let result = match slot.put_back_for_command(connection, is_watched, arm) {
            Ok(()) => Some(self.run(slot, task, reply_bytes_max, buffers)),
            Err(connection) => {
                self.close(slot, Some(connection), &End::Stopped);
                None
            }
        };
        self.budget.end_command(slot.token());
        result
    }

    /// Runs a task, however long it takes.
    fn run(
        &self,
        slot: &Slot,
        task: Task,
        reply_bytes_max: usize,
        buffers: &mut Buffers,
    ) -> TaskResult {
        self.report.executing(slot.token(), task.name());
        #[allow(
            clippy::infallible_destructuring_match,
            reason = "there is a second variant with feature `hmp`"
        )]
        let command = match task {
            Task::Command(command) => command,
            #[cfg(feature = "hmp")]
            Task::Line(mut lines) => {
                lines.run(&self.monitor);
                return TaskResult::Line(lines);
            }
        };
        let context = self.monitor.context();
        let call = Call {
            name: command.info.name,
            arguments: command.arguments.root(),
            context: &context,
        };
        let mut reply = std::mem::take(&mut buffers.reply);
        let write = |out: &mut Writer<'_>| self.monitor.execute(call, out);
        let outcome = self.begin_reply(slot, &mut reply, reply_bytes_max, write);
        TaskResult::Command {
            ticket: command.ticket,
            outcome,
            reply,
        }
    }
}
