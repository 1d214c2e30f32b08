//! Commands that others may overtake.
//!
//! In: a command of a connection that has negotiated out-of-band execution.
//! Out: what came of it, for the connection's next step.

use qapi_stats::wire::command::{Call, CommandSet};
use qapi_stats::wire::{Error, Writer};

use crate::commands::Monitor;
use crate::qmp::{Command, Ticket};

/// A command that is executed while the connection goes on, because its client
/// may send others that overtake it.
#[derive(Debug)]
pub(super) struct Errand {
    command: Command,
    reply_bytes_max: usize,
}

/// What came of it.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) ticket: Ticket,
    pub(super) reply: Result<Vec<u8>, Error>,
}

impl Errand {
    pub(super) fn new(command: Command, reply_bytes_max: usize) -> Self {
        Self {
            command,
            reply_bytes_max,
        }
    }

    /// Executes the command, however long it takes.
    pub(super) fn run(self, monitor: &Monitor) -> Outcome {
        let Command {
            ticket,
            info,
            arguments,
            ..
        } = self.command;
        let context = monitor.context();
        let call = Call {
            name: info.name,
            arguments: arguments.root(),
            context: &context,
        };
        let mut bytes = Vec::new();
        // One byte more, so that the session sees that it is too long.
        let bytes_max = self.reply_bytes_max.saturating_add(1);
        let mut writer = Writer::limited(&mut bytes, bytes_max).with_policy(context.policy());
        let outcome = monitor.execute(call, &mut writer);
        let reply = outcome.map(|()| bytes);
        Outcome { ticket, reply }
    }
}
