//! Commands that the VMM executes itself.
//!
//! In: a command that a server without threads has handed over. Out: its
//! outcome, for the client that asked. Any thread may finish a command.

use std::fmt;
use std::sync::Weak;

use qapi_stats::wire::command::{Call, Empty};
use qapi_stats::wire::{Context, DecodeMembers, Encode, Error, Writer};

use super::conversation::TaskResult;
use super::reactor::{HandedOver, Reactor};
use crate::host::Change;

/// A command that the VMM executes instead of the server, because only one loop
/// of the VMM may change the machine. See
/// [`Polled::hand_over`](super::Polled::hand_over).
///
/// The client waits until the command is [finished](Self::finish); other clients
/// do not. Dropping the value answers the command with an error.
#[must_use = "dropping the command answers it with an error"]
pub struct Pending {
    reactor: Weak<Reactor>,
    handed: HandedOver,
    is_finished: bool,
}

impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}

impl Pending {
    pub(super) fn new(reactor: Weak<Reactor>, handed: HandedOver) -> Self {
        Self {
            reactor,
            handed,
            is_finished: false,
        }
    }

    /// Returns the command's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.handed.command.info.name
    }

    /// Decodes the arguments, for example into a struct of the generated module
    /// `commands`.
    ///
    /// # Errors
    ///
    /// Returns QEMU's error for the first argument that does not fit. Finish the
    /// command with it.
    pub fn arguments<T: DecodeMembers>(&self) -> Result<T, Error> {
        let decode = |context: &Context<'_>| {
            Call {
                name: self.name(),
                arguments: self.handed.command.arguments.root(),
                context,
            }
            .arguments()
        };
        match self.reactor.upgrade() {
            Some(reactor) => decode(&reactor.monitor().context()),
            None => decode(&Context::strict()),
        }
    }

    /// Finishes a command that returns nothing. For `stop`, `cont`,
    /// `system_powerdown` and `quit` with [`Change::Made`] the server emits the
    /// change's event, which every client gets before the reply; emit the events
    /// of other commands before this call.
    pub fn finish(self, outcome: Result<Change, Error>) {
        if let (Ok(change), Some(reactor)) = (&outcome, self.reactor.upgrade()) {
            reactor.monitor().emit_change(self.name(), *change);
        }
        self.finish_with(outcome.map(|_| Empty {}));
    }

    /// Finishes a command with the value that it returns.
    pub fn finish_with(mut self, outcome: Result<impl Encode, Error>) {
        self.answer(outcome.map(|value| {
            move |out: &mut Writer<'_>| {
                value.encode(out);
                Ok(())
            }
        }));
    }

    fn answer(
        &mut self,
        outcome: Result<impl FnOnce(&mut Writer<'_>) -> Result<(), Error>, Error>,
    ) {
        self.is_finished = true;
        let HandedOver {
            slot,
            command,
            reply_bytes_max,
        } = &self.handed;
        // A server that has ended has disconnected the client.
        let Some(reactor) = self.reactor.upgrade() else {
            return;
        };
        let (reply, outcome) = match outcome {
            Ok(write) => reactor.write_reply(slot, *reply_bytes_max, write),
            Err(error) => (Vec::new(), Err(error)),
        };
        let result = TaskResult::Command {
            ticket: command.ticket,
            outcome,
            reply,
        };
        reactor.finish(slot, result);
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.is_finished {
            let desc = format!("The command {} was not executed by the VMM", self.name());
            let outcome = Err::<fn(&mut Writer<'_>) -> _, _>(Error::generic(desc));
            self.answer(outcome);
        }
    }
}
