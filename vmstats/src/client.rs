//! A QMP client: typed requests to any monitor, ours or QEMU's.
//!
//! In: an endpoint, requests. Out: typed replies. One request at a time.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use qapi_stats::control::commands::QmpCapabilities;
use qapi_stats::control::{QMPCapability, VersionInfo};
use qapi_stats::wire::command::Request;
use qapi_stats::wire::message::{Message, Messages, Return, write_request};
use qapi_stats::wire::{Context, Error, ErrorClass, Value, from_node};

use crate::endpoint::{Endpoint, Stream};

/// Why a request got no reply, by who is to blame.
#[derive(Debug)]
pub enum ClientError {
    /// No connection could be made.
    Connect(Endpoint, io::Error),
    /// The connection broke, or nothing came in time.
    Transport(io::Error),
    /// The peer does not speak the protocol.
    Protocol(String),
    /// The peer refused the command.
    Refused(Error),
}

const NO_ANSWER: &str =
    "no answer in time (QEMU serves one client per socket: is another connected?)";

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(_, error) if is_timeout(error) => f.write_str(NO_ANSWER),
            Self::Connect(endpoint, error) => match (endpoint, error.kind()) {
                (Endpoint::Unix(_), io::ErrorKind::NotFound) => {
                    write!(f, "cannot connect to {endpoint}: there is no such socket")
                }
                (_, io::ErrorKind::ConnectionRefused) => {
                    write!(f, "cannot connect to {endpoint}: nobody listens there")
                }
                _ => write!(f, "cannot connect to {endpoint}: {error}"),
            },
            Self::Transport(error) if is_timeout(error) => f.write_str(NO_ANSWER),
            Self::Transport(error) if is_end(error) => {
                f.write_str("the server closed the connection")
            }
            Self::Transport(error) => write!(f, "the connection broke: {error}"),
            Self::Protocol(what) => write!(f, "this is no QMP server: {what}"),
            Self::Refused(error) => match error.class() {
                ErrorClass::GenericError => write!(f, "the server refuses: {error}"),
                class => write!(f, "the server refuses: {error} ({})", class.name()),
            },
        }
    }
}

impl std::error::Error for ClientError {}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
    )
}

/// How the end of a connection shows: to who reads, and to who writes.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
    )
}

/// How much is read at a time.
const READ_BYTES: usize = 64 << 10;

/// How much of a server's first words is shown if they are no greeting.
const OPENING_BYTES: usize = 60;

/// A connection on which capabilities have been negotiated.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    /// How long a reply may take, whatever else comes meanwhile.
    timeout: Duration,
    version: VersionInfo,
}

/// The stream, and the messages on it.
#[derive(Debug)]
struct Connection {
    stream: Stream,
    messages: Messages,
    /// The first bytes that came, to show what speaks if it is not QMP.
    opening: Vec<u8>,
}

impl Client {
    /// Connects and negotiates. The connection with its greeting, and later
    /// each reply, may take `timeout`.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Self, ClientError> {
        Self::open(endpoint, timeout, false)
    }

    /// The same, with out-of-band execution where the server offers it.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn connect_out_of_band(
        endpoint: &Endpoint,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        Self::open(endpoint, timeout, true)
    }

    fn open(endpoint: &Endpoint, timeout: Duration, wants_oob: bool) -> Result<Self, ClientError> {
        let deadline = Instant::now() + timeout;
        let stream = endpoint
            .connect(deadline)
            .map_err(|error| ClientError::Connect(endpoint.clone(), error))?;
        let mut connection = Connection {
            stream,
            messages: Messages::default(),
            opening: Vec::new(),
        };
        let (version, offered) = connection
            .receive(deadline)
            .and_then(greeting)
            .map_err(|error| connection.strange(error))?;
        let oob = QMPCapability::Oob;
        let enable =
            (wants_oob && offered.iter().any(|name| name == oob.name())).then(|| vec![oob]);
        let mut client = Self {
            connection,
            timeout,
            version,
        };
        client.execute(&QmpCapabilities { enable })?;
        Ok(client)
    }

    /// The stream, and what has come on it and was not asked for yet.
    #[must_use]
    pub fn into_parts(self) -> (Stream, Messages) {
        (self.connection.stream, self.connection.messages)
    }

    /// The version that the server greeted with.
    #[must_use]
    pub fn version(&self) -> &VersionInfo {
        &self.version
    }

    /// Executes a command.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn execute<R: Request>(&mut self, request: &R) -> Result<R::Reply, ClientError> {
        let reply = self.reply_to(request)?;
        from_node(reply.value(), &Context::tolerant()).map_err(|error| {
            ClientError::Protocol(format!("the reply to {}: {error}", R::INFO.name))
        })
    }

    /// Executes a command, and leaves the reply as it is.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn execute_raw<R: Request>(&mut self, request: &R) -> Result<Value, ClientError> {
        Ok(self.reply_to(request)?.value().to_value())
    }

    fn reply_to<R: Request>(&mut self, request: &R) -> Result<Return, ClientError> {
        let mut line = Vec::new();
        write_request(&mut line, None, request);
        let deadline = Instant::now() + self.timeout;
        self.connection
            .stream
            .write_all(&line, deadline)
            .map_err(ClientError::Transport)?;
        loop {
            match self.connection.receive(deadline)? {
                Message::Return(reply) => return Ok(reply),
                Message::Error(reply) => return Err(ClientError::Refused(reply.into_error())),
                // Events may come at any time.
                Message::Event(_) => {}
                Message::Greeting(_) => {
                    return Err(ClientError::Protocol("it greets twice".to_owned()));
                }
            }
        }
    }
}

impl Connection {
    /// The next message, waited for until the deadline.
    fn receive(&mut self, deadline: Instant) -> Result<Message, ClientError> {
        loop {
            match self.messages.next_message() {
                Some(message) => {
                    return message.map_err(|error| ClientError::Protocol(error.to_string()));
                }
                None => self.read(deadline)?,
            }
        }
    }

    /// What went wrong at the greeting, with what the server said instead.
    fn strange(&self, error: ClientError) -> ClientError {
        let opening = String::from_utf8_lossy(&self.opening);
        let line = opening.trim_start().lines().next().unwrap_or_default();
        match error {
            ClientError::Protocol(_) if is_human_monitor(line) => ClientError::Protocol(format!(
                "it is a human monitor ({line:?}); a monitor made with -qmp is wanted"
            )),
            ClientError::Protocol(what) => {
                ClientError::Protocol(format!("{what}; it begins with {line:?}"))
            }
            other => other,
        }
    }

    fn read(&mut self, deadline: Instant) -> Result<(), ClientError> {
        let mut buffer = [0; READ_BYTES];
        loop {
            match self.stream.read(&mut buffer, deadline) {
                Ok(0) => return Err(ClientError::Transport(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    let bytes = buffer.get(..count).unwrap_or_default();
                    let room = OPENING_BYTES.saturating_sub(self.opening.len());
                    self.opening.extend(bytes.iter().take(room));
                    self.messages.receive(bytes);
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ClientError::Transport(error)),
            }
        }
    }
}

/// How a human monitor greets: `QEMU 7.2.22 monitor - type 'help' ...`.
fn is_human_monitor(line: &str) -> bool {
    line.starts_with("QEMU ") && line.contains(" monitor")
}

/// The version, and the capabilities that are offered.
fn greeting(message: Message) -> Result<(VersionInfo, Vec<String>), ClientError> {
    let no_greeting = |what| ClientError::Protocol(format!("its first message {what}"));
    let Message::Greeting(greeting) = message else {
        return Err(no_greeting("is no greeting".to_owned()));
    };
    from_node(greeting.version(), &Context::tolerant())
        .map(|version| (version, greeting.capabilities().to_vec()))
        .map_err(|error| no_greeting(error.to_string()))
}
