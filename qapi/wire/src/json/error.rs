//! The error of a text that is not JSON.
//!
//! In: QEMU's words. Out: one type for the scanner, the parser and the message
//! reader.

use std::collections::TryReserveError;
use std::fmt;

use crate::error::Error;

/// The texts of the errors of messages that exceed a limit.
const TOO_LONG: &str = "JSON token size limit exceeded";
const TOO_MANY_TOKENS: &str = "JSON token count limit exceeded";
const TOO_DEEP: &str = "JSON nesting depth limit exceeded";

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    // Boxed, so that the results of parsing are returned in registers.
    desc: Box<str>,
}

impl SyntaxError {
    #[cold]
    pub(super) fn new(desc: impl Into<Box<str>>) -> Self {
        Self { desc: desc.into() }
    }

    #[cold]
    pub(super) fn parse(what: impl fmt::Display) -> Self {
        Self::new(format!("JSON parse error, {what}"))
    }

    /// Returns the error for a message whose bytes exceed a limit.
    #[cold]
    pub(super) fn too_long() -> Self {
        Self::new(TOO_LONG)
    }

    /// Returns the error for a message whose tokens exceed a limit.
    #[cold]
    pub(super) fn too_many_tokens() -> Self {
        Self::new(TOO_MANY_TOKENS)
    }

    /// Returns the error for a message whose open brackets exceed a limit.
    #[cold]
    pub(super) fn too_deep() -> Self {
        Self::new(TOO_DEEP)
    }

    /// Returns whether the text may be JSON, but exceeds a limit.
    #[must_use]
    pub fn exceeds_limits(&self) -> bool {
        [TOO_LONG, TOO_MANY_TOKENS, TOO_DEEP].contains(&self.desc())
    }

    /// Returns what is wrong, in QEMU's words.
    #[must_use]
    pub fn desc(&self) -> &str {
        &self.desc
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.desc)
    }
}

impl std::error::Error for SyntaxError {}

impl From<SyntaxError> for Error {
    fn from(error: SyntaxError) -> Self {
        Self::generic(error.desc)
    }
}

/// The memory for a message is missing. QEMU ends the process instead.
impl From<TryReserveError> for SyntaxError {
    #[cold]
    fn from(_: TryReserveError) -> Self {
        Self::new("The JSON message does not fit into memory")
    }
}
