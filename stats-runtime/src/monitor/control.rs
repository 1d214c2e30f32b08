//! The commands of `control.json`: the monitor itself, and the end of the
//! program.
//!
//! In: decoded arguments. Out: replies, and the event SHUTDOWN. This file knows
//! no session: the session negotiates capabilities itself.

use qapi_stats::control::commands::QmpCapabilities;
use qapi_stats::control::{CommandInfo, VersionInfo};
use qapi_stats::run_state::ShutdownCause;
use qapi_stats::run_state::events::Shutdown;
use qapi_stats::wire::Error;
use qapi_stats::wire::command::{CommandInfo as Info, CommandSet as _};

use super::Monitor;

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
        let shutdown = Shutdown {
            guest: false,
            reason: ShutdownCause::HostQmpQuit,
        };
        self.queue_for(change, &shutdown).wake();
        self.host().end();
        Ok(())
    }
}
