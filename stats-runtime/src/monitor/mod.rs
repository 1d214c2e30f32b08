//! The monitor: the place where the generated dispatch meets the registry and
//! the host. Each child implements the commands of one schema module.
//!
//! In: calls. Out: replies, or the reason why a client gets none. This module
//! knows no session and no socket.

mod access;
mod control;
mod introspect;
mod machine;
mod misc;
mod qom;
mod run_state;
mod stats;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use qapi_stats::wire::command::{Call, CommandInfo as Info, CommandSet, Event};
use qapi_stats::wire::compat::Policy;
use qapi_stats::wire::introspect::{SchemaInfo, find};
use qapi_stats::wire::message::write_event;
use qapi_stats::wire::{Context, Error, SpecialFeatures, Value, Writer, to_json};

use self::access::{Access, built_in};
use crate::events::{EventLimit, Events, PendingWakeups, Subscription};
use crate::host::{Change, Host, Vcpu};
use crate::lock::Lock;
use crate::provider::ProviderError;
use crate::registry::Registry;

/// A virtual machine's monitor: its statistics, its host, and the commands
/// that serve them.
///
/// A clone is another handle to the same registry, host and events. The policy,
/// the control and the extension belong to the handle.
#[derive(Clone)]
pub struct Monitor {
    registry: Registry,
    host: Arc<dyn Host>,
    policy: Policy,
    control: bool,
    extension: Option<Extension>,
    /// The extension's commands that a monitor without control executes.
    read_only_commands: &'static [&'static str],
    events: Arc<Events>,
    /// Locked by any handle from before the host changes its run state until
    /// the change's event is queued; otherwise the last event of two clients
    /// that stop and continue at once could contradict the run state.
    run_state_change: Arc<Lock<()>>,
}

/// The commands that a VMM adds to the monitor's.
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
    /// Creates a monitor of `host` that serves the statistics of `registry`.
    /// The monitor is read-only until it gets [control](Self::with_control).
    pub fn new(registry: Registry, host: impl Host + 'static) -> Self {
        Self {
            registry,
            host: Arc::new(host),
            policy: Policy::ACCEPT,
            control: false,
            extension: None,
            read_only_commands: &[],
            events: Arc::default(),
            run_state_change: Arc::default(),
        }
    }

    /// Sets the policy for deprecated and unstable items, like QEMU's option
    /// `-compat`. By default all of them are accepted.
    ///
    /// The policy is part of [`context`](Self::context), and so of every
    /// session that is run in that context.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets whether clients of this handle may change the machine (control) or
    /// only observe it (read-only).
    ///
    /// The registry, the host and the events stay shared, so that a VMM can
    /// offer a handle with control and a read-only one, each on a socket of its
    /// own.
    ///
    /// A read-only monitor executes `qmp_capabilities`, `qom-get`, `qom-list`,
    /// every command of this library whose name begins with `query-`, the
    /// corresponding lines of the human monitor, and those commands of a VMM
    /// that the VMM [declares](Self::with_read_only_commands). The monitor
    /// answers any other command with a GenericError that names the reason.
    ///
    /// `query-commands`, `query-qmp-schema` and `help` list only the commands
    /// that are executed, because clients such as libvirt look there for the
    /// features that they can use. The error of a refused command is not
    /// CommandNotFound, because the command exists and the operator can allow it.
    #[must_use]
    pub fn with_control(mut self, control: bool) -> Self {
        self.control = control;
        self
    }

    /// Returns whether clients may change the machine.
    #[must_use]
    pub fn has_control(&self) -> bool {
        self.control
    }

    /// Adds a VMM's own commands, which are served in the same sessions.
    ///
    /// `schema` is the generated `SCHEMA` of a schema that includes the schema
    /// of this library. `query-qmp-schema` returns it, and the monitor serves
    /// those of its own commands that it lists.
    ///
    /// `commands` are the VMM's, for example the generated `OwnDispatcher`. A
    /// command of the VMM replaces the monitor's command of the same name. The
    /// commands may be called from any thread, and from several at once. Each
    /// needs [control](Self::with_control) unless it has the name of a command
    /// of this library that does not, or is
    /// [declared read-only](Self::with_read_only_commands).
    #[must_use]
    pub fn with_extension(
        self,
        schema: &'static [SchemaInfo],
        commands: impl CommandSet + Send + Sync + 'static,
    ) -> Self {
        let commands = Arc::new(commands);
        let extension = Some(Extension { schema, commands });
        Self { extension, ..self }
    }

    /// Declares the commands of the [extension](Self::with_extension) that only
    /// observe the machine, so that a monitor without control executes them.
    /// The declaration replaces an earlier one.
    #[must_use]
    pub fn with_read_only_commands(mut self, names: &'static [&'static str]) -> Self {
        self.read_only_commands = names;
        self
    }

    /// Returns the registry.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Returns the host.
    #[must_use]
    pub fn host(&self) -> &dyn Host {
        self.host.as_ref()
    }

    /// Returns the vCPUs that the host lists, or else those whose statistics a
    /// provider has.
    pub(crate) fn vcpus(&self) -> Vec<Vcpu> {
        let of_providers = || {
            let vcpus = self.registry.vcpus().into_iter();
            vcpus.map(|(index, path)| Vcpu::new(index, path)).collect()
        };
        self.host.vcpus().unwrap_or_else(of_providers)
    }

    /// Returns the context in which requests to this monitor are decoded:
    /// strictly, by the monitor's policy, and with the registered providers as
    /// further values of `StatsProvider`.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context::strict_with(&self.registry).with_policy(self.policy)
    }

    /// Emits an event to every client that has negotiated.
    ///
    /// May be called from any thread. If a command's handler emits the event,
    /// the command's client gets the event before the reply.
    ///
    /// The function does not wait for clients; the functions that wake
    /// subscribers are called before it returns. Events that QEMU limits go out
    /// at most once a second, as in QEMU; see
    /// [`limit_event`](Self::limit_event).
    pub fn emit<E: Event>(&self, event: &E) {
        self.queue(event).wake();
    }

    /// Queues an event for every client and returns the subscribers that the
    /// caller must wake.
    fn queue<E: Event>(&self, event: &E) -> PendingWakeups {
        let policy = self.context().policy();
        if policy.hides(SpecialFeatures::among(E::FEATURES)) {
            return PendingWakeups::default();
        }
        let mut line = Vec::new();
        write_event(&mut line, policy, event, SystemTime::now().into());
        let member = |member: &str| member_json(event, member);
        self.events
            .emit(E::NAME, line.into(), &member, Instant::now())
    }

    /// Queues the event of a change that a client asked for, if the monitor is the
    /// one to emit it, and returns the subscribers that the caller must wake.
    fn queue_for<E: Event>(&self, change: Change, event: &E) -> PendingWakeups {
        match change {
            Change::Made => self.queue(event),
            Change::Told | Change::Unchanged => PendingWakeups::default(),
        }
    }

    /// Limits how often the event called `name` goes out to the clients of this
    /// monitor. An interval of zero removes the limit that QEMU has.
    pub fn limit_event(&self, name: &'static str, limit: EventLimit) {
        self.events.limit(name, limit);
    }

    /// Subscribes to all events that are emitted from now on. Servers and event
    /// loops need one subscription for each session.
    ///
    /// `wake` is called when there is something to
    /// [deliver](Subscription::deliver), and when the
    /// [deadline](Subscription::next_deadline) has changed. The call comes from
    /// any thread, with no lock held. `wake` should return soon. One call may
    /// still come after the subscription has been dropped.
    pub fn subscribe(&self, wake: impl Fn() + Send + Sync + 'static) -> Subscription {
        Subscription::new(Arc::clone(&self.events), Box::new(wake))
    }

    /// Returns the schema that `query-qmp-schema` describes.
    fn schema(&self) -> &'static [SchemaInfo] {
        match &self.extension {
            Some(extension) => extension.schema,
            None => qapi_stats::SCHEMA,
        }
    }

    /// Returns whether this monitor executes a command for its clients.
    pub(crate) fn allows(&self, command: &str) -> bool {
        self.control
            || built_in(command) == Some(Access::Observe)
            || self.read_only_commands.contains(&command)
    }
}

/// Returns a member of an event's data as JSON, or `None` if the data has no
/// such member.
fn member_json<E: Event>(event: &E, member: &str) -> Option<String> {
    let mut text = Vec::new();
    Writer::new(&mut text)
        .with_policy(Policy::ACCEPT)
        .members(event);
    let data = qapi_stats::wire::json::parse(&text).ok()?;
    let Value::Object(mut members) = data else {
        return None;
    };
    let value = members.take(member)?;
    Some(to_json(&value))
}

/// Returns the error for a command that a read-only monitor does not execute.
pub(crate) fn refusal(command: &str) -> Error {
    let desc = format!("The command {command} is refused: this monitor is read-only");
    Error::generic(desc)
}

/// [`commands`](CommandSet::commands) lists only the commands that are
/// executed. [`command`](CommandSet::command) also finds refused commands, so
/// that the client gets the reason instead of CommandNotFound.
impl CommandSet for Monitor {
    fn commands(&self) -> Vec<&'static Info> {
        let own = qapi_stats::COMMANDS.iter().copied();
        let own = own.filter(|info| built_in(info.name).is_some());
        let mut commands: Vec<_> = match &self.extension {
            None => own.collect(),
            Some(extension) => own
                .filter(|info| extension.defers_to_monitor(info))
                .chain(extension.commands.commands())
                .collect(),
        };
        commands.retain(|info| self.allows(info.name));
        commands
    }

    fn command(&self, name: &str) -> Option<&'static Info> {
        let own = || qapi_stats::command(name).filter(|info| built_in(info.name).is_some());
        match &self.extension {
            None => own(),
            Some(extension) => extension
                .commands
                .command(name)
                .or_else(|| own().filter(|info| extension.defers_to_monitor(info))),
        }
    }

    fn execute(&self, call: Call<'_>, reply: &mut Writer<'_>) -> Result<(), Error> {
        let name = call.name;
        if !self.allows(name) {
            return Err(refusal(name));
        }
        // AssertUnwindSafe, because the caller discards the reply of a failed
        // command, and state that a handler left inconsistent is the VMM's.
        let outcome = catch_unwind(AssertUnwindSafe(|| match &self.extension {
            Some(extension) if extension.commands.command(name).is_some() => {
                extension.commands.execute(call, reply)
            }
            _ => qapi_stats::execute(self, call, reply),
        }));
        outcome.unwrap_or_else(|_| {
            Err(Error::generic(format!(
                "The command {name} failed: its handler panicked"
            )))
        })
    }
}

impl Extension {
    /// Returns whether the VMM's schema has this command of the monitor, and
    /// the VMM does not replace it.
    fn defers_to_monitor(&self, command: &Info) -> bool {
        self.commands.command(command.name).is_none() && find(self.schema, command.name).is_some()
    }
}

impl From<ProviderError> for Error {
    fn from(error: ProviderError) -> Self {
        Self::generic(error.to_string())
    }
}
