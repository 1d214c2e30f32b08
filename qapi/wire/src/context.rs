//! The context of a decoding: choices that apply to all of its values.
//!
//! In: the choices of a server or a client. Out: one value that a decoder
//! carries along by reference. Nothing here knows a document or a type.

use std::fmt;

use crate::compat::Policy;
use crate::open_values::OpenValues;

/// The treatment of members and values that the schema does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The mode of a server: unknown members and values are errors.
    Strict,
    /// The mode of a client: unknown members are ignored and unknown values of
    /// open enumerations are kept, because the peer may be newer.
    Tolerant,
}

/// The context of a decoding: the mode, the values registered for open
/// enumerations, and the compatibility policy.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    mode: Mode,
    open: Option<&'a dyn OpenValues>,
    policy: Policy,
}

impl<'a> Context<'a> {
    /// Makes a server's context, in which no values are registered.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            mode: Mode::Strict,
            open: None,
            policy: Policy::ACCEPT,
        }
    }

    /// Makes a server's context in which open enumerations also have the values
    /// that are registered with `open`.
    #[must_use]
    pub const fn strict_with(open: &'a dyn OpenValues) -> Self {
        Self {
            mode: Mode::Strict,
            open: Some(open),
            policy: Policy::ACCEPT,
        }
    }

    /// Makes a client's context.
    #[must_use]
    pub const fn tolerant() -> Self {
        Self {
            mode: Mode::Tolerant,
            open: None,
            policy: Policy::ACCEPT,
        }
    }

    /// Returns this context with a compatibility policy. Without one, every
    /// input is accepted.
    #[must_use]
    pub const fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Returns the mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Returns the policy.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.policy
    }

    pub(crate) fn is_registered(&self, enum_name: &str, value: &str) -> bool {
        self.open
            .is_some_and(|open| open.is_registered(enum_name, value))
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("mode", &self.mode)
            .field("open", &self.open.is_some())
            .field("policy", &self.policy)
            .finish()
    }
}
