//! The types of commands and events.
//!
//! In: constants and implementations that generated code has. Out: the traits
//! that a session, a dispatcher and a client use. No schema, no socket.

use std::sync::Arc;

use crate::context::Context;
use crate::decode::{Decode, DecodeMembers, Members, decode_object};
use crate::document::Node;
use crate::encode::{Encode, EncodeMembers, Writer};
use crate::error::{Error, Result};
use crate::features::SpecialFeatures;
use crate::path::ValuePath;

/// The properties that the schema gives a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandInfo {
    /// The name on the wire.
    pub name: &'static str,
    /// `true` if a request can ask for out-of-band execution.
    pub allow_oob: bool,
    /// `true` if the command can be executed before the machine is set up.
    pub allow_preconfig: bool,
    /// `true` if a success is answered.
    pub success_response: bool,
    /// Whether QEMU runs the command's handler as a coroutine, because it may
    /// take long.
    pub coroutine: bool,
    /// The features of the command, in schema order.
    pub features: &'static [&'static str],
}

impl CommandInfo {
    /// Makes the description of a command that has only default properties.
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

    /// Returns this description of a command that can be executed out of band.
    #[must_use]
    pub const fn allow_oob(self) -> Self {
        Self {
            allow_oob: true,
            ..self
        }
    }

    /// Returns this description of a command that can be executed before the
    /// machine is set up.
    #[must_use]
    pub const fn allow_preconfig(self) -> Self {
        Self {
            allow_preconfig: true,
            ..self
        }
    }

    /// Returns this description of a command whose success is not answered.
    #[must_use]
    pub const fn no_success_response(self) -> Self {
        Self {
            success_response: false,
            ..self
        }
    }

    /// Returns this description of a command whose handler is a coroutine.
    #[must_use]
    pub const fn coroutine(self) -> Self {
        Self {
            coroutine: true,
            ..self
        }
    }

    /// Returns this description of a command with features.
    #[must_use]
    pub const fn features(self, features: &'static [&'static str]) -> Self {
        Self { features, ..self }
    }
}

/// A set of commands that can be looked up and executed. Generated dispatchers
/// implement it, and a session is given one.
pub trait CommandSet {
    /// Returns all commands, in schema order.
    fn commands(&self) -> Vec<&'static CommandInfo>;

    /// Returns the command called `name`; `None` if the set has no such command.
    fn command(&self, name: &str) -> Option<&'static CommandInfo>;

    /// Executes a command and writes its result to `reply`, without the members
    /// that the writer's policy hides.
    ///
    /// # Errors
    ///
    /// Fails with the error to send to the client. The caller must then remove
    /// whatever was written to `reply`.
    fn execute(&self, call: Call<'_>, reply: &mut Writer<'_>) -> Result<()>;
}

/// An `Arc` of a set of commands is that set, so that the program can keep another
/// handle.
impl<C: CommandSet + ?Sized> CommandSet for Arc<C> {
    fn commands(&self) -> Vec<&'static CommandInfo> {
        (**self).commands()
    }

    fn command(&self, name: &str) -> Option<&'static CommandInfo> {
        (**self).command(name)
    }

    fn execute(&self, call: Call<'_>, reply: &mut Writer<'_>) -> Result<()> {
        (**self).execute(call, reply)
    }
}

/// A command to execute.
#[derive(Debug)]
pub struct Call<'a> {
    /// The command's name.
    pub name: &'a str,
    /// The arguments, an object that has not been decoded yet:
    /// [`Node::empty_object`] if the request has none.
    pub arguments: Node<'a>,
    /// The context to decode the arguments in.
    pub context: &'a Context<'a>,
}

impl Call<'_> {
    /// Decodes the arguments.
    ///
    /// # Errors
    ///
    /// Fails with QEMU's error for the first argument that does not fit.
    pub fn arguments<T: DecodeMembers>(self) -> Result<T> {
        decode_object(self.arguments, ValuePath::root(self.context))
    }

    /// Checks that the arguments are empty, for a command that takes none.
    ///
    /// # Errors
    ///
    /// Fails if there is an argument.
    pub fn no_arguments(self) -> Result<()> {
        self.arguments::<Empty>().map(|Empty {}| ())
    }

    /// Checks that the policy lets a command with special features be executed.
    /// Generated dispatch calls this before it decodes the arguments.
    ///
    /// # Errors
    ///
    /// Fails if the policy disables the command.
    pub fn admit(&self, special: SpecialFeatures) -> Result<()> {
        self.context.policy().command(self.name, special)
    }

    /// Makes the error for a command that is not in a set.
    #[must_use]
    pub fn not_found(&self) -> Error {
        Error::command_not_found(format!("The command {} has not been found", self.name))
    }
}

/// The arguments of a command, as a client sends them.
pub trait Request: EncodeMembers {
    /// The type of the command's result.
    type Reply: Decode;

    /// The properties that the schema gives the command.
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

/// Writes the result that a handler has returned.
///
/// # Errors
///
/// Never fails.
#[allow(
    clippy::unnecessary_wraps,
    reason = "it is the last expression of `execute`, which returns a result"
)]
pub fn reply<T: Encode + ?Sized>(value: &T, to: &mut Writer<'_>) -> Result<()> {
    value.encode(to);
    Ok(())
}

/// The data of an event, with the properties that the schema gives the event.
pub trait Event: EncodeMembers + DecodeMembers {
    /// The event's name.
    const NAME: &'static str;
    /// `true` if the event carries data. Otherwise its message lacks the member
    /// `data`.
    const HAS_DATA: bool;
    /// The event's features, in schema order.
    const FEATURES: &'static [&'static str];
}

/// Decodes an event's data.
///
/// # Errors
///
/// Fails with QEMU's error for the first member that does not fit.
pub fn event_data<T: Event>(data: Node<'_>, context: &Context<'_>) -> Result<T> {
    decode_object(data, ValuePath::root(context))
}
