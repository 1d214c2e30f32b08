//! Why a client got no reply or no event.
//!
//! In: an error of the connection, of the server or of the caller. Out: one line
//! of text, which says what to do.

use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use crate::error::{Error, ErrorClass};

/// The reason why a client got no connection, no reply or no event.
///
/// After an error for which [`is_fatal`](Self::is_fatal) returns `true` the
/// connection is unusable, and every later call returns the same error.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientError {
    /// The connection could not be made.
    Connect {
        /// The server's address.
        address: String,
        /// The error of the system.
        error: Arc<io::Error>,
    },
    /// The server accepted or queued the connection, and sent nothing in time.
    NoGreeting,
    /// The server closed the connection and had sent nothing.
    NotAdmitted,
    /// The server is a human monitor.
    HumanMonitor,
    /// The server expects TLS.
    Tls,
    /// The peer does not speak QMP, or broke its rules.
    NotQmp(String),
    /// A message of the server exceeds the client's limits.
    TooLarge(String),
    /// The connection broke.
    Transport(Arc<io::Error>),
    /// The server closed the connection.
    Closed,
    /// No reply came in time. The reply is dropped if it comes later.
    Timeout {
        /// The name of the command.
        command: String,
        /// The time in which no reply came.
        after: Duration,
        /// `false` if the server does not read: it will never execute the command.
        /// Otherwise it may still do so.
        is_sent: bool,
    },
    /// No reply with the id of the request came in time, but one without an id.
    Unaddressed {
        /// The name of the command.
        command: String,
        /// The error in the reply; `None` if the reply is a success.
        error: Option<Error>,
    },
    /// The server refused the command: the error in its reply.
    Refused(Error),
    /// The result of a command does not have the type that its schema names.
    UnexpectedReply {
        /// The name of the command.
        command: String,
        /// The difference.
        error: Error,
    },
    /// Events were dropped, because they came faster than the caller read them.
    EventsLost {
        /// The number of events.
        count: u64,
    },
    /// The command cannot be executed out of band.
    NotOutOfBand {
        /// The name of the command.
        command: &'static str,
        /// `true` if the schema allows it, so that the server did not enable it.
        is_allowed: bool,
    },
}

impl ClientError {
    /// Returns whether the connection is unusable.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::NoGreeting
            | Self::NotAdmitted
            | Self::HumanMonitor
            | Self::Tls
            | Self::NotQmp(_)
            | Self::TooLarge(_)
            | Self::Transport(_)
            | Self::Closed => true,
            Self::Timeout { .. }
            | Self::Unaddressed { .. }
            | Self::Refused(_)
            | Self::UnexpectedReply { .. }
            | Self::EventsLost { .. }
            | Self::NotOutOfBand { .. } => false,
        }
    }

    /// Returns the server's error, if the server refused the command.
    #[must_use]
    pub fn refusal(&self) -> Option<&Error> {
        match self {
            Self::Refused(error) => Some(error),
            _ => None,
        }
    }
}

/// The errors of a connection that the peer has ended count as
/// [`ClientError::Closed`]. A reader sees the first kind, a writer the others.
impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionReset => Self::Closed,
            _ => Self::Transport(Arc::new(error)),
        }
    }
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { address, error } => {
                write!(f, "cannot connect to {address}: {error}")?;
                f.write_str(connect_advice(error.kind()))
            }
            Self::NoGreeting => f.write_str(
                "no greeting in time: QEMU serves one client at a time on a socket, and a guest \
                 agent, a serial port or a server of TLS never greets; close the other client, \
                 or add a socket with QEMU's option -qmp",
            ),
            Self::NotAdmitted => f.write_str(
                "the server closed the connection without a greeting: it does not admit this \
                 user, or serves as many clients as it may",
            ),
            Self::HumanMonitor => f.write_str(
                "not a QMP server: it is a human monitor; make a QMP socket with QEMU's option \
                 -qmp",
            ),
            Self::Tls => f.write_str(
                "not a QMP server: it is a server of TLS; connect with TLS, and make the client \
                 over that stream",
            ),
            Self::NotQmp(what) => write!(f, "not a QMP server: {what}"),
            Self::TooLarge(what) => write!(
                f,
                "a message of the server is too large ({what}); raise Options::limits if it is \
                 expected"
            ),
            Self::Transport(error) => write!(f, "the connection broke: {error}"),
            Self::Closed => {
                f.write_str("the server closed the connection; connect again once it is back")
            }
            Self::Timeout {
                command,
                after,
                is_sent: true,
            } => write!(
                f,
                "no reply to {command} within {} s: the server may still execute it; give a \
                 slow command more time, or find out whether the server hangs",
                after.as_secs_f64()
            ),
            Self::Timeout {
                command,
                after,
                is_sent: false,
            } => write!(
                f,
                "{command} could not be sent within {} s and will not be executed: the server \
                 does not read; find out whether it hangs",
                after.as_secs_f64()
            ),
            Self::Unaddressed {
                command,
                error: None,
            } => write!(
                f,
                "no reply to {command}: the server's replies lack the requests' ids, which this \
                 client needs"
            ),
            Self::Unaddressed {
                command,
                error: Some(error),
            } => write!(
                f,
                "no reply to {command}; the server's only reply is an error without an id: \
                 {error}"
            ),
            Self::Refused(error) => match error.class() {
                ErrorClass::GenericError => write!(f, "the server refuses: {error}"),
                class => write!(f, "the server refuses: {error} ({})", class.name()),
            },
            Self::UnexpectedReply { command, error } => write!(
                f,
                "the reply to {command}: {error}; generate the code from a schema of the \
                 server's release"
            ),
            Self::EventsLost { count } => write!(
                f,
                "{count} events were lost, because they came faster than they were read; query \
                 the state again, or raise Options::event_bytes_max"
            ),
            Self::NotOutOfBand {
                command,
                is_allowed: true,
            } => write!(
                f,
                "{command} cannot be executed out of band: connect with \
                 Options::with_out_of_band, to a server that offers it"
            ),
            Self::NotOutOfBand {
                command,
                is_allowed: false,
            } => write!(
                f,
                "{command} cannot be executed out of band: its schema does not allow it"
            ),
        }
    }
}

/// Returns what to do about an error of connecting, as the rest of a sentence.
fn connect_advice(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::NotFound => "; is the server running, with QEMU's option -qmp?",
        io::ErrorKind::ConnectionRefused => "; the server that listened there has ended",
        io::ErrorKind::PermissionDenied => "; only the server's user can connect, or root",
        io::ErrorKind::TimedOut => "; the server does not accept clients: does it hang?",
        _ => "",
    }
}

impl std::error::Error for ClientError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Connect { error, .. } | Self::Transport(error) => Some(&**error),
            Self::Refused(error) | Self::UnexpectedReply { error, .. } => Some(error),
            Self::Unaddressed { error, .. } => error.as_ref().map(|error| error as _),
            _ => None,
        }
    }
}
