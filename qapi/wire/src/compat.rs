//! QEMU's compatibility policy: what becomes of requests that use what is
//! deprecated or unstable, and of replies and events that carry it.
//!
//! In: a policy, and what is about to be taken or sent. Out: whether it is, and
//! QEMU's error if not (`qapi/qapi-util.c`). It is a means to test clients:
//! what they still use that will go shows before it goes.
//!
//! As in QEMU, it concerns commands, members, values of enumerations that are
//! received, and events; the features of types have no effect, and values of
//! enumerations are never hidden.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorClass, Result, UnknownValue};
use crate::features::Special;

/// What becomes of input: `CompatPolicyInput` in QEMU's `qapi/compat.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Input {
    /// It is taken.
    #[default]
    Accept,
    /// It is refused.
    Reject,
    /// The process is aborted, after a line on standard error: for tests that
    /// want no client to get away with it. Never for production.
    Crash,
}

/// What becomes of output: `CompatPolicyOutput` in QEMU's `qapi/compat.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Output {
    /// It is sent.
    #[default]
    Accept,
    /// It is left out.
    Hide,
}

impl FromStr for Input {
    type Err = UnknownValue;

    fn from_str(name: &str) -> Result<Self, UnknownValue> {
        match name {
            "accept" => Ok(Self::Accept),
            "reject" => Ok(Self::Reject),
            "crash" => Ok(Self::Crash),
            _ => Err(UnknownValue::new(name)),
        }
    }
}

impl FromStr for Output {
    type Err = UnknownValue;

    fn from_str(name: &str) -> Result<Self, UnknownValue> {
        match name {
            "accept" => Ok(Self::Accept),
            "hide" => Ok(Self::Hide),
            _ => Err(UnknownValue::new(name)),
        }
    }
}

/// A policy: `CompatPolicy` in QEMU's `qapi/compat.json`. By default all is
/// accepted, which costs nothing.
///
/// It can be read from what QEMU's option `-compat` takes:
///
/// ```
/// use qapi_wire::compat::{Input, Output, Policy};
///
/// let policy: Policy = "deprecated-input=reject,unstable-output=hide".parse().unwrap();
/// assert_eq!(policy.deprecated_input, Input::Reject);
/// assert_eq!(policy.unstable_output, Output::Hide);
/// assert_eq!(policy.deprecated_output, Output::Accept);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Policy {
    /// Input that is deprecated.
    pub deprecated_input: Input,
    /// Output that is deprecated.
    pub deprecated_output: Output,
    /// Input that is unstable.
    pub unstable_input: Input,
    /// Output that is unstable.
    pub unstable_output: Output,
}

impl Policy {
    /// All is accepted.
    pub const ACCEPT: Self = Self {
        deprecated_input: Input::Accept,
        deprecated_output: Output::Accept,
        unstable_input: Input::Accept,
        unstable_output: Output::Accept,
    };

    /// Whether a command with these special features is executed.
    ///
    /// # Errors
    ///
    /// That it is disabled, of class `CommandNotFound`.
    pub fn command(&self, name: &str, special: Special) -> Result<()> {
        self.input(special, &ErrorClass::CommandNotFound, "command", name)
    }

    /// Whether a member with these special features is taken.
    pub(crate) fn parameter(&self, name: &str, special: Special) -> Result<()> {
        self.input(special, &ErrorClass::GenericError, "parameter", name)
    }

    /// Whether an enumeration's value with these special features is taken.
    pub(crate) fn value(&self, name: &str, special: Special) -> Result<()> {
        self.input(special, &ErrorClass::GenericError, "value", name)
    }

    /// Whether output with these special features is left out.
    #[must_use]
    pub fn hides(&self, special: Special) -> bool {
        let hides = |output, which| output == Output::Hide && special.contains(which);
        hides(self.deprecated_output, Special::DEPRECATED)
            || hides(self.unstable_output, Special::UNSTABLE)
    }

    /// What is both is first judged as deprecated.
    fn input(&self, special: Special, class: &ErrorClass, kind: &str, name: &str) -> Result<()> {
        let rules = [
            (self.deprecated_input, Special::DEPRECATED, "Deprecated"),
            (self.unstable_input, Special::UNSTABLE, "Unstable"),
        ];
        for (input, which, adjective) in rules {
            if special.contains(which) && input != Input::Accept {
                let desc = format!("{adjective} {kind} {name} disabled by policy");
                if input == Input::Crash {
                    crash(&desc);
                }
                return Err(Error::new(class.clone(), desc));
            }
        }
        Ok(())
    }
}

/// Ends the process as the policy demands: by SIGABRT, like QEMU.
#[cold]
fn crash(desc: &str) -> ! {
    eprintln!("{desc}: the process is aborted");
    std::process::abort()
}

/// Why a text is no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePolicyError {
    part: String,
}

impl fmt::Display for ParsePolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is no part of a compatibility policy", self.part)
    }
}

impl std::error::Error for ParsePolicyError {}

impl FromStr for Policy {
    type Err = ParsePolicyError;

    fn from_str(text: &str) -> Result<Self, ParsePolicyError> {
        let mut policy = Self::ACCEPT;
        for part in text.split(',').filter(|part| !part.is_empty()) {
            policy.set(part).ok_or_else(|| ParsePolicyError {
                part: part.to_owned(),
            })?;
        }
        Ok(policy)
    }
}

impl Policy {
    fn set(&mut self, part: &str) -> Option<()> {
        let (name, value) = part.split_once('=')?;
        match name {
            "deprecated-input" => self.deprecated_input = value.parse().ok()?,
            "deprecated-output" => self.deprecated_output = value.parse().ok()?,
            "unstable-input" => self.unstable_input = value.parse().ok()?,
            "unstable-output" => self.unstable_output = value.parse().ok()?,
            _ => return None,
        }
        Some(())
    }
}
