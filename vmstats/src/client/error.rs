//! Why a request got no reply.
//!
//! In: an error of the connection or of the server. Out: one line of text.

use std::{fmt, io};

use qapi_stats::wire::{Error, ErrorClass};

use crate::endpoint::Endpoint;

/// The reason why a request got no reply, sorted by who is responsible.
#[derive(Debug)]
pub enum ClientError {
    /// The connection could not be made.
    Connect(Endpoint, io::Error),
    /// The connection broke, or nothing came in time.
    Transport(io::Error),
    /// The peer does not speak the protocol.
    Protocol(String),
    /// The server refused the command.
    Refused(Error),
}

const NO_ANSWER: &str =
    "no answer in time (QEMU serves one client per socket: is another connected?)";

impl ClientError {
    /// Returns the error for a connection that the peer has ended.
    pub(super) fn end() -> Self {
        Self::Transport(io::ErrorKind::UnexpectedEof.into())
    }

    /// Returns the error for a reply that has not come in time.
    pub(super) fn timeout() -> Self {
        Self::Transport(io::ErrorKind::TimedOut.into())
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(endpoint, error) => write!(f, "cannot connect to {endpoint}: {error}"),
            Self::Transport(error) if is_timeout(error) => f.write_str(NO_ANSWER),
            Self::Transport(error) if is_end(error) => {
                f.write_str("the server closed the connection")
            }
            Self::Transport(error) => write!(f, "the connection broke: {error}"),
            Self::Protocol(what) => write!(f, "not a QMP server: {what}"),
            Self::Refused(error) => match error.class() {
                ErrorClass::GenericError => write!(f, "the server refuses: {error}"),
                class => write!(f, "the server refuses: {error} ({})", class.name()),
            },
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(_, error) | Self::Transport(error) => Some(error),
            Self::Refused(error) => Some(error),
            Self::Protocol(_) => None,
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// Returns whether the error means that the peer has ended the connection. A
/// reader sees the first kind, a writer the others.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}
