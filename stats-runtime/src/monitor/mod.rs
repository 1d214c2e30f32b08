//! The commands of the monitor: where the generated dispatch meets the
//! registry and the host.
//!
//! In: calls. Out: replies, or why a client may not have one. It knows no
//! session and no socket.

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

use crate::events::{EventLimit, Events, PendingWakeups, Subscription};
use crate::host::Host;
use crate::lock::Lock;
use crate::provider::ProviderError;
use crate::registry::Registry;

/// A virtual machine's monitor: its statistics, its host, and the commands
/// that serve them.
///
/// Cloning gives another handle to the same.
#[derive(Clone)]
pub struct Monitor {
    registry: Arc<Registry>,
    host: Arc<dyn Host>,
    policy: Policy,
    control: bool,
    extension: Option<Extension>,
    events: Arc<Events>,
    /// Held while the host changes its run state, by whatever handle.
    changes: Arc<Lock<()>>,
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
    /// A monitor of `host` that serves the statistics of `registry`. It is
    /// read-only until it gets [control](Self::with_control).
    pub fn new(registry: Arc<Registry>, host: Arc<dyn Host>) -> Self {
        Self {
            registry,
            host,
            policy: Policy::ACCEPT,
            control: false,
            extension: None,
            events: Arc::default(),
            changes: Arc::default(),
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

    /// The same monitor for clients that may change things, or may not: who
    /// may observe a machine need not be who may stop it. The registry, the
    /// host and the events stay shared, so that a VMM can offer both, each on
    /// a socket of its own.
    ///
    /// A monitor without control is read-only. It executes what asks and
    /// changes nothing: commands whose name begins with `query-` (or
    /// `x-query-`), `qom-list`, `qom-get`, and lines of the human monitor that
    /// do the same. Any other command, those of a VMM's own schema included, is
    /// answered with a GenericError that says so.
    ///
    /// `query-commands`, `query-qmp-schema` and `help` list only what is
    /// executed, because clients look there to find out what they can do, and
    /// switch off what they find missing (libvirt does). The error of a command
    /// that is sent nevertheless is no CommandNotFound: the command is there,
    /// and the operator can allow it.
    #[must_use]
    pub fn with_control(mut self, control: bool) -> Self {
        self.control = control;
        self
    }

    /// Whether clients may change things.
    #[must_use]
    pub fn has_control(&self) -> bool {
        self.control
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

    /// What `query-qmp-schema` tells of.
    fn schema(&self) -> &'static [SchemaInfo] {
        match &self.extension {
            Some(extension) => extension.schema,
            None => qapi_stats::SCHEMA,
        }
    }

    /// Whether a command may be executed here.
    fn allows(&self, command: &str) -> bool {
        self.control || only_asks(command)
    }

    /// How requests to this monitor are decoded: strictly, with the
    /// registered providers as further values of `StatsProvider`, by the
    /// monitor's policy.
    #[must_use]
    pub fn context(&self) -> Context<'_> {
        Context::strict_with(self.registry.as_ref()).with_policy(self.policy)
    }
}

impl Monitor {
    /// Tells every client of an event, now. May be called from any thread and
    /// from a command's handler: its client then sees the event before the
    /// reply. A client that has not negotiated yet never sees it.
    ///
    /// It does not wait for clients, and what wakes them is called before it
    /// returns. The events that QEMU limits are limited as there, to one a
    /// second; see [`limit_event`](Self::limit_event).
    pub fn emit<E: Event>(&self, event: &E) {
        self.queue(event).wake();
    }

    /// Emits an event, and leaves it to the caller to wake those who wait.
    fn queue<E: Event>(&self, event: &E) -> PendingWakeups {
        let policy = self.context().policy();
        if policy.hides(SpecialFeatures::among(E::FEATURES)) {
            return PendingWakeups::default();
        }
        let mut line = Vec::new();
        write_event(&mut line, policy, event, SystemTime::now().into());
        let data = |member: &str| member_text(event, member);
        self.events
            .emit(E::NAME, line.into(), &data, Instant::now())
    }

    /// Limits how often the event called `name` goes out to the clients of this
    /// monitor. An interval of zero lifts QEMU's limit.
    pub fn limit_event(&self, name: &'static str, limit: EventLimit) {
        self.events.limit(name, limit);
    }

    /// Subscribes to everything that is emitted from now on: for servers and
    /// event loops, once for each session.
    ///
    /// `wake` is called, from any thread and with nothing locked, when there is
    /// something to [deliver](Subscription::deliver) or the
    /// [deadline](Subscription::next_deadline) has changed. It should return
    /// soon, and may still be called once when the subscription has just been
    /// dropped.
    pub fn subscribe(&self, wake: impl Fn() + Send + Sync + 'static) -> Subscription {
        Subscription::new(Arc::clone(&self.events), Box::new(wake))
    }
}

/// A member of an event's data, as JSON.
fn member_text<E: Event>(event: &E, member: &str) -> Option<String> {
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

/// Whether a command changes nothing. A line of the human monitor is looked at
/// there.
fn only_asks(command: &str) -> bool {
    command.starts_with("query-")
        || command.starts_with("x-query-")
        || matches!(
            command,
            "qmp_capabilities" | "qom-list" | "qom-get" | "human-monitor-command"
        )
}

/// Why a monitor without control does not execute a command.
pub(crate) fn refusal(command: &str) -> Error {
    let desc = format!("The command {command} is refused: this monitor is read-only");
    Error::generic(desc)
}

/// What is listed is what is executed. What is refused is found as well, so
/// that its client is told why.
impl CommandSet for Monitor {
    fn commands(&self) -> Vec<&'static Info> {
        let built_in = qapi_stats::COMMANDS.iter().copied();
        let mut commands: Vec<_> = match &self.extension {
            None => built_in.filter(|info| is_built_in(info)).collect(),
            Some(extension) => built_in
                .filter(|info| is_built_in(info) && extension.leaves(info))
                .chain(extension.commands.commands())
                .collect(),
        };
        commands.retain(|info| self.allows(info.name));
        commands
    }

    fn command(&self, name: &str) -> Option<&'static Info> {
        let built_in = || qapi_stats::command(name).filter(|info| is_built_in(info));
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
        if !self.allows(name) {
            return Err(refusal(name));
        }
        // Whatever a handler has half done is the VMM's; the reply is cut off.
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
    /// Whether a built-in command is one of the VMM's schema, and left to the
    /// monitor.
    fn leaves(&self, built_in: &Info) -> bool {
        self.commands.command(built_in.name).is_none() && find(self.schema, built_in.name).is_some()
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
