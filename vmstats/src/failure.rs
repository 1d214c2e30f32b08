//! The failure of a command of vmstats.
//!
//! In: an error of any part. Out: one line of text, and an exit status. Problems that do
//! not end the program are written here too.

use std::io::Write;
use std::{fmt, io};

use crate::client::ClientError;
use crate::printable::printable;

/// The reason why a command failed. Its text is one line.
#[derive(Debug)]
pub enum Failure {
    /// The arguments contradict each other; exit status 2.
    Usage(String),
    /// The reader of the output has closed it; exit status 0.
    OutputClosed,
    /// A command that was run failed with this exit status, and has said why.
    Command(u8),
    /// Any other reason; exit status 1.
    Other(String),
}

impl Failure {
    /// Makes a failure of arguments that contradict each other.
    #[must_use]
    pub fn usage(text: impl Into<String>) -> Self {
        Self::Usage(text.into())
    }

    /// Makes a failure of any other kind.
    #[must_use]
    pub fn other(text: impl Into<String>) -> Self {
        Self::Other(text.into())
    }

    /// Returns the exit status of the program.
    #[must_use]
    pub fn exit_status(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::OutputClosed => 0,
            Self::Command(status) => *status,
            Self::Other(_) => 1,
        }
    }
}

/// Writes a problem that does not end the program to the standard error stream.
pub fn warn(problem: &str) {
    // Nobody is left to be told if the stream has been closed.
    let _ = writeln!(io::stderr(), "vmstats: {}", printable(problem));
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Other(text) => f.write_str(&printable(text)),
            Self::OutputClosed => f.write_str("the output was closed"),
            Self::Command(status) => write!(f, "the command failed with the exit status {status}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        Self::Other(error.to_string())
    }
}

/// Converts an error of printing: all other I/O errors are converted where they
/// happen.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputClosed,
            _ => Self::Other(format!("cannot print: {error}")),
        }
    }
}
