//! What holds for a whole decoding.
//!
//! In: a server's or a client's choices. Out: one value that goes with the
//! decoder, by reference. It knows no tree and no type.

use std::fmt;

use crate::compat::Policy;

/// How a decoder treats what the schema does not list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A server's: unknown members and values are errors.
    Strict,
    /// A client's: unknown members are ignored, and unknown values of open
    /// enumerations kept, because the peer may be newer.
    Tolerant,
}

/// Which values, beyond the schema's, an open enumeration has here.
pub trait OpenValues: Sync {
    /// Whether `value` is registered for the enumeration called `enum_name`
    /// in the schema.
    fn is_registered(&self, enum_name: &str, value: &str) -> bool;

    /// The values that are registered for the enumeration called `enum_name`
    /// in the schema, for [introspection](crate::introspect); it may list
    /// some that the schema has too. By default none is told of.
    fn registered(&self, enum_name: &str) -> Vec<String> {
        let _ = enum_name;
        Vec::new()
    }
}

/// What holds for a whole decoding: the mode, the registered values, the
/// policy.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    mode: Mode,
    open: Option<&'a dyn OpenValues>,
    policy: Policy,
}

impl<'a> Context<'a> {
    /// A server's context without registered values.
    #[must_use]
    pub const fn strict() -> Self {
        Self {
            mode: Mode::Strict,
            open: None,
            policy: Policy::ACCEPT,
        }
    }

    /// A server's context in which open enumerations also have the values
    /// that `open` knows.
    #[must_use]
    pub const fn strict_with(open: &'a dyn OpenValues) -> Self {
        Self {
            mode: Mode::Strict,
            open: Some(open),
            policy: Policy::ACCEPT,
        }
    }

    /// A client's context.
    #[must_use]
    pub const fn tolerant() -> Self {
        Self {
            mode: Mode::Tolerant,
            open: None,
            policy: Policy::ACCEPT,
        }
    }

    /// The same with a policy for what is deprecated and unstable; without,
    /// all is accepted.
    #[must_use]
    pub const fn with_policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// The mode.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The policy.
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
