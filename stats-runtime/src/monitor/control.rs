//! The commands of `control.json`: the monitor itself, and the end of the
//! program.
//!
//! In: decoded arguments. Out: replies, and the event SHUTDOWN. This file knows
//! no session: the session negotiates capabilities itself.

use qapi_stats::control::commands::QmpCapabilities;
use qapi_stats::control::{CommandInfo, VersionInfo};
use qapi_stats::run_state::ShutdownCause;
use qapi_stats::run_state::events::Shutdown;
#[cfg(feature = "server")]
use qapi_stats::run_state::events::{Powerdown, Resume, Stop};
use qapi_stats::wire::Error;
use qapi_stats::wire::command::{CommandInfo as Info, CommandSet as _};

use super::Monitor;
#[cfg(feature = "server")]
use crate::host::Change;

/// The event of the end of the program that a client has asked for.
const SHUTDOWN_BY_CLIENT: Shutdown = Shutdown {
    guest: false,
    reason: ShutdownCause::HostQmpQuit,
};

impl qapi_stats::control::Commands for Monitor {
    /// Always fails: the session executes this command itself until the client
    /// has negotiated.
    fn qmp_capabilities(&self, _: QmpCapabilities) -> Result<(), Error> {
        Err(Error::command_not_found(
            "Capabilities negotiation is already complete, command ignored",
        ))
    }

    fn query_version(&self) -> Result<VersionInfo, Error> {
        Ok(self.host().version())
    }

    fn query_commands(&self) -> Result<Vec<CommandInfo>, Error> {
        let info = |info: &Info| CommandInfo {
            name: info.name.to_owned(),
        };
        Ok(self.commands().into_iter().map(info).collect())
    }

    fn quit(&self) -> Result<(), Error> {
        let change = self.host().quit()?;
        self.queue_for(change, &SHUTDOWN_BY_CLIENT).wake();
        self.host().end();
        Ok(())
    }
}

#[cfg(feature = "server")]
impl Monitor {
    /// Emits the event of a change that a command has made outside of the monitor,
    /// if the change has one and the monitor is the one to emit it.
    pub(crate) fn emit_change(&self, command: &str, change: Change) {
        let wakeups = match command {
            "stop" => self.queue_for(change, &Stop {}),
            "cont" => self.queue_for(change, &Resume {}),
            "system_powerdown" => self.queue_for(change, &Powerdown {}),
            "quit" => self.queue_for(change, &SHUTDOWN_BY_CLIENT),
            _ => return,
        };
        wakeups.wake();
    }
}
