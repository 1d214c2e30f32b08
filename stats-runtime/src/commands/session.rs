//! What a client asks about the monitor itself, and how it ends the program.
//!
//! In: decoded arguments. Out: replies. It knows no session: negotiation is
//! the session's own.

use qapi_stats::control::commands::QmpCapabilities;
use qapi_stats::control::{CommandInfo, VersionInfo};
use qapi_stats::run_state::ShutdownCause;
use qapi_stats::run_state::events::Shutdown;
use qapi_stats::wire::command::{Call, CommandInfo as Info, CommandSet};
use qapi_stats::wire::introspect::Introspection;
use qapi_stats::wire::{Encode as _, Error, Writer};

use super::Monitor;

impl qapi_stats::control::Commands for Monitor {
    /// The session negotiates; whoever comes here has done so before.
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
        let end = self.host().quit()?;
        self.emit(&Shutdown {
            guest: false,
            reason: ShutdownCause::HostQmpQuit,
        });
        end();
        Ok(())
    }
}

impl qapi_stats::introspect::Commands for Monitor {
    fn query_qmp_schema(&self, reply: &mut Writer<'_>) -> Result<(), Error> {
        Introspection::new(self.schema())
            .with_open_values(self.registry().as_ref())
            .restricted_to(&Allowed(self))
            .encode(reply);
        Ok(())
    }
}

/// What a monitor executes: it finds more, to tell why not.
struct Allowed<'a>(&'a Monitor);

impl CommandSet for Allowed<'_> {
    fn commands(&self) -> Vec<&'static Info> {
        self.0.commands()
    }

    fn command(&self, name: &str) -> Option<&'static Info> {
        let found = self.0.command(name);
        found.filter(|info| self.0.allows(info.name))
    }

    fn execute(&self, call: Call<'_>, reply: &mut Writer<'_>) -> Result<(), Error> {
        self.0.execute(call, reply)
    }
}
