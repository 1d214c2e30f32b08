//! QEMU's compatibility policy for deprecated and unstable interfaces.
//!
//! In: a policy, and the features of an input or output. Out: whether the input
//! is accepted or the output is sent, and QEMU's error if not
//! (`qapi/qapi-util.c`). The policy is an instrument for testing clients: one
//! that still uses a deprecated interface fails before the interface is removed.
//!
//! As in QEMU, the policy applies to commands, members, received values of
//! enumerations, and events. Features of types have no effect, and values of
//! enumerations are never hidden.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, ErrorClass, Result, UnknownValue};
use crate::features::SpecialFeatures;

/// The treatment of an input: `CompatPolicyInput` in QEMU's `qapi/compat.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Input {
    /// The input is accepted.
    #[default]
    Accept,
    /// The input is refused with an error.
    Reject,
    /// The process is aborted after a line on standard error. This is for tests
    /// of clients only, never for production.
    Crash,
}

/// The treatment of an output: `CompatPolicyOutput` in QEMU's
/// `qapi/compat.json`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Output {
    /// The output is sent.
    #[default]
    Accept,
    /// The output is left out.
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

/// A policy: `CompatPolicy` in QEMU's `qapi/compat.json`. The default accepts
/// everything.
///
/// A policy can be parsed from the argument of QEMU's option `-compat`:
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
    /// The treatment of deprecated inputs.
    pub deprecated_input: Input,
    /// The treatment of deprecated outputs.
    pub deprecated_output: Output,
    /// The treatment of unstable inputs.
    pub unstable_input: Input,
    /// The treatment of unstable outputs.
    pub unstable_output: Output,
}

impl Policy {
    /// The policy that accepts everything.
    pub const ACCEPT: Self = Self {
        deprecated_input: Input::Accept,
        deprecated_output: Output::Accept,
        unstable_input: Input::Accept,
        unstable_output: Output::Accept,
    };

    /// Checks that a command with these special features may be executed.
    ///
    /// # Errors
    ///
    /// Fails with an error of class `CommandNotFound` if the policy disables the
    /// command.
    pub fn command(&self, name: &str, special: SpecialFeatures) -> Result<()> {
        self.input(special, &ErrorClass::CommandNotFound, "command", name)
    }

    /// Checks that a member with these special features is accepted.
    pub(crate) fn parameter(&self, name: &str, special: SpecialFeatures) -> Result<()> {
        self.input(special, &ErrorClass::GenericError, "parameter", name)
    }

    /// Checks that an enumeration's value with these special features is
    /// accepted.
    pub(crate) fn value(&self, name: &str, special: SpecialFeatures) -> Result<()> {
        self.input(special, &ErrorClass::GenericError, "value", name)
    }

    /// Returns whether an output with these special features is left out.
    #[must_use]
    pub fn hides(&self, special: SpecialFeatures) -> bool {
        let hides = |output, which| output == Output::Hide && special.contains(which);
        hides(self.deprecated_output, SpecialFeatures::DEPRECATED)
            || hides(self.unstable_output, SpecialFeatures::UNSTABLE)
    }

    /// Checks an input. One that is both deprecated and unstable is first judged
    /// as deprecated.
    fn input(
        &self,
        special: SpecialFeatures,
        class: &ErrorClass,
        kind: &str,
        name: &str,
    ) -> Result<()> {
        let rules = [
            (
                self.deprecated_input,
                SpecialFeatures::DEPRECATED,
                "Deprecated",
            ),
            (self.unstable_input, SpecialFeatures::UNSTABLE, "Unstable"),
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

/// Ends the process with SIGABRT, like QEMU.
#[cold]
fn crash(desc: &str) -> ! {
    eprintln!("{desc}: the process is aborted");
    std::process::abort()
}

/// The error of a text that is not a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsePolicyError {
    part: String,
}

impl fmt::Display for ParsePolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}' is not a part of a compatibility policy", self.part)
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
