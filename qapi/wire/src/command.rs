//! The types of command tables, requests and events.
//!
//! In: constants that generated code fills. Out: what a session, a dispatcher
//! and a client read. No schema, no socket.

use crate::context::Context;
use crate::decode::{Decode, DecodeMembers, Members, decode_object};
use crate::document::Node;
use crate::encode::{Encode, EncodeMembers, Writer};
use crate::error::{Error, Result};
use crate::features::SpecialFeatures;
use crate::path::ValuePath;

/// What the schema says of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandInfo {
    /// The name on the wire.
    pub name: &'static str,
    /// Whether it may be executed out of band.
    pub allow_oob: bool,
    /// Whether it may be executed before the machine is set up.
    pub allow_preconfig: bool,
    /// Whether success is answered.
    pub success_response: bool,
    /// Whether QEMU runs its handler as a coroutine: it may take long.
    pub coroutine: bool,
    /// Its features, in schema order.
    pub features: &'static [&'static str],
}

impl CommandInfo {
    /// A command for which the schema says nothing but its name.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            allow_oob: false,
            allow_preconfig: false,
            success_response: true,
            coroutine: false,
            features: &[],
        }
    }

    /// The same, but it may be executed out of band.
    #[must_use]
    pub const fn allow_oob(self) -> Self {
        Self {
            allow_oob: true,
            ..self
        }
    }

    /// The same, but it may be executed before the machine is set up.
    #[must_use]
    pub const fn allow_preconfig(self) -> Self {
        Self {
            allow_preconfig: true,
            ..self
        }
    }

    /// The same, but success is not answered.
    #[must_use]
    pub const fn no_success_response(self) -> Self {
        Self {
            success_response: false,
            ..self
        }
    }

    /// The same, but its handler is a coroutine.
    #[must_use]
    pub const fn coroutine(self) -> Self {
        Self {
            coroutine: true,
            ..self
        }
    }

    /// The same with features.
    #[must_use]
    pub const fn features(self, features: &'static [&'static str]) -> Self {
        Self { features, ..self }
    }
}

/// A set of commands that can be looked up and executed: what generated
/// dispatchers are, and what a session works with.
pub trait CommandSet {
    /// All of them, in schema order.
    fn commands(&self) -> Vec<&'static CommandInfo>;

    /// The command called `name`.
    fn command(&self, name: &str) -> Option<&'static CommandInfo>;

    /// Executes a command, and writes its reply value into `reply`: without
    /// what the writer's policy hides.
    ///
    /// # Errors
    ///
    /// The error reply. What `reply` then holds beyond its mark is the
    /// caller's to cut off.
    fn execute(&self, call: Call<'_>, reply: &mut Writer<'_>) -> Result<()>;
}

/// A command to execute.
#[derive(Debug)]
pub struct Call<'a> {
    /// The command's name.
    pub name: &'a str,
    /// The arguments, an object that has not been decoded yet:
    /// [`Node::empty_object`] if the request has none.
    pub arguments: Node<'a>,
    /// How to decode them, and by which policy.
    pub context: &'a Context<'a>,
}

impl Call<'_> {
    /// Decodes the arguments.
    ///
    /// # Errors
    ///
    /// QEMU's error for the first one that does not fit.
    pub fn arguments<T: DecodeMembers>(self) -> Result<T> {
        decode_object(self.arguments, ValuePath::root(self.context))
    }

    /// Refuses arguments, for a command that takes none.
    ///
    /// # Errors
    ///
    /// That the first one is unexpected.
    pub fn no_arguments(self) -> Result<()> {
        self.arguments::<Empty>().map(|Empty {}| ())
    }

    /// Whether the policy lets a command that has special features be
    /// executed. Generated dispatch asks before it decodes the arguments.
    ///
    /// # Errors
    ///
    /// That the command is disabled.
    pub fn admit(&self, special: SpecialFeatures) -> Result<()> {
        self.context.policy().command(self.name, special)
    }

    /// The error for a command that is not in a set.
    #[must_use]
    pub fn not_found(&self) -> Error {
        Error::command_not_found(format!("The command {} has not been found", self.name))
    }
}

/// The arguments of a command, as a client sends them.
pub trait Request: EncodeMembers {
    /// What success returns.
    type Reply: Decode;

    /// What the schema says of the command.
    const INFO: &'static CommandInfo;
}

/// The empty object: the reply of a command that returns nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Empty {}

impl DecodeMembers for Empty {
    fn decode_members(_: &mut Members<'_>) -> Result<Self> {
        Ok(Self {})
    }
}

impl Decode for Empty {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        decode_object(value, at)
    }
}

impl EncodeMembers for Empty {
    fn encode_members(&self, _: &mut crate::ObjectWriter<'_, '_>) {}
}

impl Encode for Empty {
    fn encode(&self, out: &mut Writer<'_>) {
        out.members(self);
    }
}

/// Writes what a handler has returned.
///
/// # Errors
///
/// None: it is the last step of an `execute`, whose type this has.
#[allow(clippy::unnecessary_wraps, reason = "see above")]
pub fn reply<T: Encode + ?Sized>(value: &T, to: &mut Writer<'_>) -> Result<()> {
    value.encode(to);
    Ok(())
}

/// An event's data, with the event's name.
pub trait Event: EncodeMembers + DecodeMembers {
    /// The event's name.
    const NAME: &'static str;
    /// Whether the event carries data; one that does not has no member `data`.
    const HAS_DATA: bool;
    /// Its features, in schema order.
    const FEATURES: &'static [&'static str];
}

/// Decodes an event's data.
///
/// # Errors
///
/// QEMU's error for the first member that does not fit.
pub fn event_data<T: Event>(data: Node<'_>, context: &Context<'_>) -> Result<T> {
    decode_object(data, ValuePath::root(context))
}
