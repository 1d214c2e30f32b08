//! A QMP client: typed requests to any monitor, ours or QEMU's.
//!
//! In: an endpoint, requests. Out: typed replies. One request at a time.

use std::fmt;
use std::io;
use std::time::{Duration, Instant};

use qapi::control::VersionInfo;
use qapi::control::commands::QmpCapabilities;
use qapi::wire::command::Request;
use qapi::wire::json::{Limits, Scan, Scanner, parse_message};
use qapi::wire::{
    Context, Dict, Encode, EncodeMembers, Error, ErrorClass, ObjectWriter, Value, Writer,
    from_value,
};

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
            Self::Connect(endpoint, error) => write!(f, "cannot connect to {endpoint}: {error}"),
            Self::Transport(error) if is_timeout(error) => f.write_str(NO_ANSWER),
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

/// How much is read at a time.
const READ_BYTES: usize = 64 << 10;

/// A connection on which capabilities have been negotiated.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    /// How long a reply may take, whatever else comes meanwhile.
    timeout: Duration,
    version: VersionInfo,
}

/// The stream, and what has been read of the next message.
#[derive(Debug)]
struct Connection {
    stream: Stream,
    scanner: Scanner,
    bytes: Vec<u8>,
}

impl Client {
    /// Connects and negotiates. The connection with its greeting, and later
    /// each reply, may take `timeout`.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Self, ClientError> {
        let deadline = Instant::now() + timeout;
        let stream = endpoint
            .connect(deadline)
            .map_err(|error| ClientError::Connect(endpoint.clone(), error))?;
        let mut connection = Connection {
            stream,
            scanner: Scanner::new(Limits::default()),
            bytes: Vec::new(),
        };
        let version = greeting(connection.receive(deadline)?)?;
        let mut client = Self {
            connection,
            timeout,
            version,
        };
        client.execute(&QmpCapabilities { enable: None })?;
        Ok(client)
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
        let value = self.execute_raw(request)?;
        from_value(value, &Context::tolerant()).map_err(|error| {
            ClientError::Protocol(format!("the reply to {}: {error}", R::INFO.name))
        })
    }

    /// Executes a command, and leaves the reply as it is.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub fn execute_raw<R: Request>(&mut self, request: &R) -> Result<Value, ClientError> {
        let mut line = Vec::new();
        Envelope(request).encode(&mut Writer::new(&mut line));
        line.push(b'\n');
        let deadline = Instant::now() + self.timeout;
        self.connection
            .stream
            .write_all(&line, deadline)
            .map_err(ClientError::Transport)?;
        loop {
            let mut reply = self.connection.receive(deadline)?;
            // Events may come at any time.
            if reply.get("event").is_some() {
                continue;
            }
            if let Some(value) = reply.take("return") {
                return Ok(value);
            }
            let error = reply.get("error").and_then(Value::as_object);
            return Err(match error {
                Some(error) => ClientError::Refused(refusal(error)),
                None => ClientError::Protocol("a reply without return and error".to_owned()),
            });
        }
    }
}

impl Connection {
    /// The next message, waited for until the deadline.
    fn receive(&mut self, deadline: Instant) -> Result<Dict, ClientError> {
        loop {
            match self.scanner.scan(&self.bytes) {
                Scan::Message { start, end } => {
                    let message = parse_message(self.bytes.get(start..end).unwrap_or_default());
                    self.bytes.drain(..end);
                    self.scanner.discard(end);
                    return match message {
                        Ok(Value::Object(dict)) => Ok(dict),
                        Ok(_) => Err(ClientError::Protocol("a message is no object".to_owned())),
                        Err(error) => Err(ClientError::Protocol(error.to_string())),
                    };
                }
                Scan::Invalid { error, .. } => {
                    return Err(ClientError::Protocol(error.to_string()));
                }
                Scan::Incomplete => self.read(deadline)?,
            }
        }
    }

    fn read(&mut self, deadline: Instant) -> Result<(), ClientError> {
        let mut buffer = [0; READ_BYTES];
        loop {
            match self.stream.read(&mut buffer, deadline) {
                Ok(0) => return Err(ClientError::Transport(io::ErrorKind::UnexpectedEof.into())),
                Ok(count) => {
                    self.bytes
                        .extend_from_slice(buffer.get(..count).unwrap_or_default());
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ClientError::Transport(error)),
            }
        }
    }
}

/// A request as it is sent.
struct Envelope<'a, R>(&'a R);

impl<R: Request> Encode for Envelope<'_, R> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.members(self);
    }
}

impl<R: Request> EncodeMembers for Envelope<'_, R> {
    fn encode_members(&self, out: &mut ObjectWriter<'_, '_>) {
        out.required("execute", R::INFO.name);
        out.name("arguments").members(self.0);
    }
}

fn greeting(mut message: Dict) -> Result<VersionInfo, ClientError> {
    let no_greeting = |what| ClientError::Protocol(format!("its first message {what}"));
    let Some(Value::Object(mut greeting)) = message.take("QMP") else {
        return Err(no_greeting("is no greeting".to_owned()));
    };
    let version = greeting.take("version").unwrap_or(Value::Null);
    from_value(version, &Context::tolerant()).map_err(|error| no_greeting(error.to_string()))
}

fn refusal(error: &Dict) -> Error {
    let text = |name| error.get(name).and_then(Value::as_str).unwrap_or_default();
    Error::new(ErrorClass::from(text("class")), text("desc"))
}
