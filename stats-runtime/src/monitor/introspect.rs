//! The command of `introspect.json`: `query-qmp-schema`.
//!
//! In: the schema of the monitor. Out: the part of that schema that this
//! monitor executes.

use qapi_stats::wire::command::{Call, CommandInfo as Info, CommandSet};
use qapi_stats::wire::introspect::Introspection;
use qapi_stats::wire::{Encode as _, Error, Writer};

use super::Monitor;

impl qapi_stats::introspect::Commands for Monitor {
    fn query_qmp_schema(&self, reply: &mut Writer<'_>) -> Result<(), Error> {
        Introspection::new(self.schema())
            .with_open_values(self.registry())
            .restricted_to(&ExecutableCommands(self))
            .encode(reply);
        Ok(())
    }
}

/// The commands that a monitor executes. [`Monitor`] itself also finds the
/// commands that it refuses.
struct ExecutableCommands<'a>(&'a Monitor);

impl CommandSet for ExecutableCommands<'_> {
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
