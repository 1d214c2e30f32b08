//! Why a request got no reply.
//!
//! In: an error of the connection or of the server. Out: one line of text.

use std::{fmt, io};

use qapi_stats::control::VersionInfo;
use qapi_stats::wire::message::{Outcome, Reply};
use qapi_stats::wire::{Error, ErrorClass};

use crate::endpoint::Endpoint;

/// The reason why a request got no reply, sorted by who is responsible.
#[derive(Debug)]
pub enum ClientError {
    /// The connection could not be made.
    Connect(Endpoint, io::Error),
    /// The server accepted or queued the connection, and sent nothing.
    NoGreeting(String),
    /// The connection broke, or nothing came in time.
    Transport(io::Error),
    /// The peer does not speak the protocol.
    Protocol(String),
    /// The server is a human monitor.
    HumanMonitor,
    /// The server refused the command.
    Refused(Error),
    /// The server, of this version, has no commands for statistics.
    NoStatistics(VersionInfo),
}

impl ClientError {
    /// Returns the error for a connection that the peer has ended.
    pub(crate) fn end() -> Self {
        Self::Transport(io::ErrorKind::UnexpectedEof.into())
    }

    /// Returns the error for a request whose reply has not come in time, while the
    /// server sent this reply without an id. Another client's request may be the
    /// cause of such a reply.
    pub(super) fn unaddressed(reply: Reply) -> Self {
        Self::Protocol(match reply.open_any() {
            Outcome::Return(_) => "its replies lack the requests' ids".to_owned(),
            Outcome::Error(reply) => {
                format!(
                    "its only reply is an error without an id: {}",
                    reply.error()
                )
            }
        })
    }

    pub(super) fn is_timeout(&self) -> bool {
        matches!(self, Self::Transport(error) if is_timeout(error))
    }

    pub(super) fn is_end(&self) -> bool {
        matches!(self, Self::Transport(error) if is_end(error))
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
            Self::Transport(error) if is_timeout(error) => {
                f.write_str("no answer in time (--timeout is the number of seconds)")
            }
            Self::Transport(error) if is_end(error) => {
                f.write_str("the server closed the connection")
            }
            Self::Transport(error) => write!(f, "the connection broke: {error}"),
            Self::NoGreeting(what) => f.write_str(what),
            Self::Protocol(what) => write!(f, "not a QMP server: {what}"),
            Self::HumanMonitor => f.write_str(
                "not a QMP server: it is a human monitor; vmstats shell --hmp talks to it, and \
                 everything else needs a QMP socket (QEMU's option -qmp)",
            ),
            Self::Refused(error) => match error.class() {
                ErrorClass::GenericError => write!(f, "the server refuses: {error}"),
                class => write!(f, "the server refuses: {error} ({})", class.name()),
            },
            Self::NoStatistics(version) => {
                let triple = &version.qemu;
                let (major, minor, micro) = (triple.major, triple.minor, triple.micro);
                write!(
                    f,
                    "the server has no statistics: query-stats came with QEMU 7.1, and this is \
                     {major}.{minor}.{micro}"
                )
            }
        }
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect(_, error) | Self::Transport(error) => Some(error),
            Self::Refused(error) => Some(error),
            Self::NoGreeting(_)
            | Self::Protocol(_)
            | Self::HumanMonitor
            | Self::NoStatistics(_) => None,
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
