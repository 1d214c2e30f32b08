//! Why a command of vmstats failed, and the exit status for it.

use std::{fmt, io};

use crate::client::ClientError;
use crate::printable::printable;

/// Why a command failed. Its text is one line.
#[derive(Debug)]
pub enum Failure {
    /// The arguments do not fit together: exit status 2.
    Usage(String),
    /// Nobody reads what is printed any more.
    OutputClosed,
    /// Anything else: exit status 1.
    Other(String),
}

impl Failure {
    /// Arguments that do not fit together.
    #[must_use]
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Anything else.
    #[must_use]
    pub fn other(text: impl Into<String>) -> Self {
        Self::Other(text.into())
    }

    /// The exit status of the program.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::OutputClosed => 0,
            Self::Other(_) => 1,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Other(text) => f.write_str(&printable(text)),
            Self::OutputClosed => f.write_str("the output was closed"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Other(error.to_string())
    }
}

/// Printing is all that fails with a bare I/O error.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Other(format!("cannot print: {error}")),
        }
    }
}
