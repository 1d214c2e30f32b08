//! The commands of the monitor: where the generated dispatch meets the
//! registry and the host.
//!
//! In: decoded arguments. Out: replies, those of the statistics written
//! straight into the output. It knows no session and no socket.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use qapi::control::commands::QmpCapabilities;
use qapi::control::{CommandInfo, VersionInfo};
use qapi::misc::NameInfo;
use qapi::misc::commands::HumanMonitorCommand;
use qapi::stats::StatsFilter;
use qapi::stats::commands::QueryStatsSchemas;
use qapi::wire::command::{Call, CommandInfo as Info, CommandSet};
use qapi::wire::compat::Policy;
use qapi::wire::introspect::{self, Introspection, SchemaInfo};
use qapi::wire::{Context, Encode, Error, Writer};

use crate::events::Events;
use crate::host::Host;
use crate::provider::ProviderError;
use crate::registry::Registry;
use crate::sink::{JsonResults, JsonSchemas};

/// A virtual machine's monitor: its statistics, its host, and the commands
/// that serve them.
///
/// Cloning gives another handle to the same.
#[derive(Clone)]
pub struct Monitor {
    registry: Arc<Registry>,
    host: Arc<dyn Host>,
    policy: Policy,
    extension: Option<Extension>,
    events: Arc<Events>,
}

/// What a VMM adds to the monitor's commands.
#[derive(Clone)]
struct Extension {
    schema: &'static [SchemaInfo],
    commands: Arc<dyn CommandSet + Send + Sync>,
}

impl std::fmt::Debug for Monitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Monitor")
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

impl Monitor {
    /// A monitor of `host` that serves the statistics of `registry`.
    pub fn new(registry: Arc<Registry>, host: Arc<dyn Host>) -> Self {
        Self {
            registry,
            host,
            policy: Policy::ACCEPT,
            extension: None,
            events: Arc::default(),
        }
    }

    /// The same with a policy for what is deprecated and unstable, like QEMU's
    /// option `-compat`; without, all is accepted. It is part of
    /// [`context`](Self::context), and so of every session that is run in it.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The same monitor with commands of the VMM's own, in the same sessions.
    ///
    /// `schema` is the `SCHEMA` of a schema that includes ours: it is what
    /// `query-qmp-schema` tells, and of this monitor's commands those that it
    /// lists are served. `commands` are the VMM's, for example the
    /// `OwnDispatcher` that was generated; where both have a command of the
    /// same name, theirs is executed. They may be called from any thread, and
    /// from several at once.
    #[must_use]
    pub fn extended(
        self,
        schema: &'static [SchemaInfo],
        commands: Arc<dyn CommandSet + Send + Sync>,
    ) -> Self {
        let extension = Some(Extension { schema, commands });
        Self { extension, ..self }
    }

    /// The registry.
    #[must_use]
    pub fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// The host.
    #[must_use]
    pub fn host(&self) -> &dyn Host {
        self.host.as_ref()
    }

    /// Where its events come in.
    pub(crate) fn events(&self) -> &Arc<Events> {
        &self.events
    }

    /// How requests to this monitor are decoded: strictly, with the
    /// registered providers as further values of `StatsProvider`, by the
    /// monitor's policy.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context::strict_with(self.registry.as_ref()).with_policy(self.policy)
    }
}

impl CommandSet for Monitor {
    fn commands(&self) -> Vec<&'static Info> {
        let built_in = qapi::COMMANDS.iter().copied();
        match &self.extension {
            None => built_in.filter(|info| is_built_in(info)).collect(),
            Some(extension) => built_in
                .filter(|info| is_built_in(info) && extension.leaves(info))
                .chain(extension.commands.commands())
                .collect(),
        }
    }

    fn command(&self, name: &str) -> Option<&'static Info> {
        let built_in = || qapi::command(name).filter(|info| is_built_in(info));
        match &self.extension {
            None => built_in(),
            Some(extension) => extension
                .commands
                .command(name)
                .or_else(|| built_in().filter(|info| extension.leaves(info))),
        }
    }

    fn execute(&self, call: Call<'_>, reply: &mut Writer<'_>) -> Result<(), Error> {
        let name = call.name;
        // Whatever a handler has half done is the VMM's; the reply is cut off.
        let outcome = catch_unwind(AssertUnwindSafe(|| match &self.extension {
            Some(extension) if extension.commands.command(name).is_some() => {
                extension.commands.execute(call, reply)
            }
            _ => qapi::execute(self, call, reply),
        }));
        outcome.unwrap_or_else(|_| {
            Err(Error::generic(format!(
                "The command {name} failed: its handler panicked"
            )))
        })
    }
}

impl Extension {
    /// Whether a built-in command is one of the VMM's schema, and left to the
    /// monitor.
    fn leaves(&self, built_in: &Info) -> bool {
        self.commands.command(built_in.name).is_none()
            && introspect::find(self.schema, built_in.name).is_some()
    }
}

/// Whether the features that this library was built with include the command.
fn is_built_in(info: &Info) -> bool {
    cfg!(feature = "hmp") || info.name != "human-monitor-command"
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        Self::generic(error.to_string())
    }
}

impl qapi::stats::Commands for Monitor {
    fn query_stats(&self, filter: StatsFilter, reply: &mut Writer<'_>) -> Result<(), Error> {
        let mut results = JsonResults::new(reply);
        self.registry.query_into(&filter, &mut results)?;
        results.finish();
        Ok(())
    }

    fn query_stats_schemas(
        &self,
        arguments: QueryStatsSchemas,
        reply: &mut Writer<'_>,
    ) -> Result<(), Error> {
        let mut schemas = JsonSchemas::new(reply);
        self.registry
            .schemas_into(arguments.provider.as_ref(), &mut schemas)?;
        schemas.finish();
        Ok(())
    }
}

impl qapi::control::Commands for Monitor {
    /// The session negotiates; whoever comes here has done so before.
    fn qmp_capabilities(&self, _: QmpCapabilities) -> Result<(), Error> {
        Err(Error::command_not_found(
            "Capabilities negotiation is already complete, command ignored",
        ))
    }

    fn query_version(&self) -> Result<VersionInfo, Error> {
        Ok(self.host.version())
    }

    fn query_commands(&self) -> Result<Vec<CommandInfo>, Error> {
        let info = |info: &Info| CommandInfo {
            name: info.name.to_owned(),
        };
        Ok(self.commands().into_iter().map(info).collect())
    }

    fn quit(&self) -> Result<(), Error> {
        self.host.quit()
    }
}

impl qapi::introspect::Commands for Monitor {
    fn query_qmp_schema(&self, reply: &mut Writer<'_>) -> Result<(), Error> {
        let schema = match &self.extension {
            Some(extension) => extension.schema,
            None => qapi::SCHEMA,
        };
        Introspection::new(schema)
            .with_open_values(self.registry.as_ref())
            .served_by(self)
            .encode(reply);
        Ok(())
    }
}

impl qapi::misc::Commands for Monitor {
    fn query_name(&self) -> Result<NameInfo, Error> {
        Ok(NameInfo {
            name: self.host.name(),
        })
    }

    #[cfg(feature = "hmp")]
    fn human_monitor_command(&self, arguments: HumanMonitorCommand) -> Result<String, Error> {
        let HumanMonitorCommand {
            command_line,
            cpu_index,
        } = arguments;
        crate::hmp::execute(&self.registry, self.host(), &command_line, cpu_index)
    }

    #[cfg(not(feature = "hmp"))]
    fn human_monitor_command(&self, _: HumanMonitorCommand) -> Result<String, Error> {
        Err(Error::command_not_found(
            "This monitor was built without the human monitor",
        ))
    }
}
