//! Why a request got no reply.
//!
//! In: an error of the connection or of the server. Out: one line of text.

use std::{fmt, io};

use qapi_wire::client::{ClientError as SessionError, Version};
use qapi_wire::{Error, ErrorClass};

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
    NoStatistics(Version),
}

impl ClientError {
    /// Returns the error for a connection that the peer has ended.
    pub(crate) fn end() -> Self {
        Self::Transport(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Says the same in words for an operator, who cannot change the program.
impl From<SessionError> for ClientError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::NotAdmitted | SessionError::NoGreeting => {
                Self::NoGreeting(error.to_string())
            }
            SessionError::HumanMonitor => Self::HumanMonitor,
            SessionError::Tls => Self::Protocol(
                "it is a server of TLS; write tls:HOST:PORT, and --tls DIR with the certificates"
                    .to_owned(),
            ),
            SessionError::NotQmp(what) => Self::Protocol(what),
            SessionError::TooLarge(what) => {
                Self::Protocol(format!("it sends a message that is too large: {what}"))
            }
            SessionError::Transport(error) => Self::Transport(io::Error::new(error.kind(), error)),
            SessionError::Closed => Self::end(),
            SessionError::Timeout { .. } => Self::Transport(io::ErrorKind::TimedOut.into()),
            SessionError::Unaddressed { error: None, .. } => {
                Self::Protocol("its replies lack the requests' ids".to_owned())
            }
            SessionError::Unaddressed {
                error: Some(error), ..
            } => Self::Protocol(format!("its only reply is an error without an id: {error}")),
            SessionError::Refused(error) => Self::Refused(error),
            SessionError::UnexpectedReply { command, error } => {
                Self::Protocol(format!("the reply to {command}: {error}"))
            }
            error => Self::Protocol(error.to_string()),
        }
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
                write!(
                    f,
                    "the server has no statistics: query-stats came with QEMU 7.1, and this is \
                     {version}"
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
