//! The QMP client: requests to any monitor, ours or QEMU's.
//!
//! In: an endpoint and requests, one at a time. Out: replies; and, if the caller
//! wants them, the messages that the server sends unasked. The client prints
//! nothing, and keeps no message that nobody waits for.

mod background;
mod error;
mod peer;
mod silence;

use std::time::Duration;

use qapi_stats::stats::commands::{QueryStats, QueryStatsSchemas};
use qapi_wire::client::{self, ClientError as SessionError, Options, Session, Version};
use qapi_wire::client::{deadline, decode_reply};
use qapi_wire::command::Request;
use qapi_wire::message::{RequestId, Return};
use qapi_wire::{Dict, Error, ErrorClass};

use crate::endpoint::Endpoint;
use crate::stream::Stream;
use background::Background;

pub use background::{Notice, Notify};
pub use error::ClientError;
pub use qapi_wire::message::Outcome as Reply;

/// How long a connection and each reply may take unless the user says otherwise.
pub const TIMEOUT: Duration = Duration::from_secs(10);

/// A connection on which capabilities have been negotiated.
#[derive(Debug)]
pub struct Client {
    reading: Reading,
    /// How long a reply may take, whatever else the server sends meanwhile.
    timeout: Duration,
    version: Version,
    peer_process: Option<u32>,
}

/// The way in which messages are read.
#[derive(Debug)]
enum Reading {
    /// The caller's thread reads while it waits for a reply.
    OnDemand(Box<client::Client<Stream>>),
    /// A thread of the client reads all the time.
    InBackground(Background),
    /// No thread could be started.
    Failed,
}

impl Client {
    /// Connects to a server and negotiates capabilities. `timeout` applies to
    /// the connection with its greeting, and later to each reply.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server cannot be reached, does not speak
    /// QMP or takes too long.
    pub fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Self, ClientError> {
        Self::open(endpoint, Options::default().with_timeout(timeout))
    }

    /// Connects like [`connect`](Self::connect), and enables out-of-band
    /// execution if the server offers it.
    ///
    /// # Errors
    ///
    /// See [`connect`](Self::connect).
    pub fn connect_out_of_band(
        endpoint: &Endpoint,
        timeout: Duration,
    ) -> Result<Self, ClientError> {
        let options = Options::default().with_timeout(timeout);
        Self::open(endpoint, options.with_out_of_band())
    }

    fn open(endpoint: &Endpoint, options: Options) -> Result<Self, ClientError> {
        let stream = endpoint
            .connect(deadline::after(options.timeout))
            .map_err(|error| ClientError::Connect(endpoint.clone(), error))?;
        // Another handle to ask the kernel about the connection if no greeting comes.
        let silent = stream.try_clone().map_err(ClientError::Transport)?;
        let peer_process = peer::process(&stream);
        // Nobody reads events unless a thread does.
        let client = client::Client::over(stream, options.with_event_bytes_max(0));
        let client = client.map_err(|error| match error {
            SessionError::NoGreeting => ClientError::NoGreeting(silence::explain(&silent)),
            error => error.into(),
        })?;
        Ok(Self {
            version: client.version().clone(),
            reading: Reading::OnDemand(Box::new(client)),
            timeout: options.timeout,
            peer_process,
        })
    }

    /// Sets how long each reply may take from now on.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = timeout;
    }

    /// Starts a thread that reads from now on, and passes the server's unsolicited
    /// messages to `notify`. The thread ends with the connection, which ends when the
    /// client is dropped.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::Transport`] if the connection cannot be shared
    /// with a thread.
    pub fn read_in_background(&mut self, notify: Notify) -> Result<(), ClientError> {
        match std::mem::replace(&mut self.reading, Reading::Failed) {
            Reading::OnDemand(client) => {
                let (session, stream) = client.into_parts();
                let background = Background::start(session, stream, notify)?;
                self.reading = Reading::InBackground(background);
            }
            reading => self.reading = reading,
        }
        Ok(())
    }

    /// Returns the version in the server's greeting.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Returns the process that began to listen at the Unix socket, which is not
    /// the server's if it inherited the socket. Returns `None` for any other kind of
    /// address, and if the process is in another pid namespace.
    #[must_use]
    pub fn peer_process(&self) -> Option<u32> {
        self.peer_process
    }

    /// Executes a command and decodes its result.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server refuses the command, if no reply
    /// comes in time, or if the result does not have the command's type.
    pub fn execute<R: Request>(&mut self, request: &R) -> Result<R::Reply, ClientError> {
        let reply = self.exchange(|session| session.call(request));
        decode_reply::<R>(reply).map_err(|error| self.explain(R::INFO.name, error))
    }

    /// Executes a command and returns the reply undecoded.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server refuses the command or no reply
    /// comes in time.
    pub fn execute_raw<R: Request>(&mut self, request: &R) -> Result<Return, ClientError> {
        match self.exchange(|session| session.call(request))? {
            Reply::Return(reply) => Ok(reply),
            Reply::Error(reply) => {
                let refused = SessionError::Refused(reply.into_error());
                Err(self.explain(R::INFO.name, refused))
            }
        }
    }

    /// Returns the error of a command in words for an operator.
    fn explain(&self, command: &str, error: SessionError) -> ClientError {
        let is_unknown = |error: &Error| *error.class() == ErrorClass::CommandNotFound;
        match error {
            SessionError::Refused(error)
                if is_unknown(&error)
                    && [QueryStats::INFO.name, QueryStatsSchemas::INFO.name].contains(&command) =>
            {
                ClientError::NoStatistics(self.version.clone())
            }
            error => error.into(),
        }
    }

    /// Sends a request that has the members `body`, and an id of the client's
    /// instead of any in `body`. A reply that says that the command failed is a
    /// success here.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if no reply comes in time.
    pub fn request(&mut self, body: Dict) -> Result<Reply, ClientError> {
        let reply = self.exchange(|session| session.call_untyped(body));
        reply.map_err(ClientError::from)
    }

    fn exchange(
        &mut self,
        call: impl FnOnce(&mut Session) -> Result<RequestId, SessionError>,
    ) -> Result<Reply, SessionError> {
        match &mut self.reading {
            Reading::OnDemand(client) => client.call_with(call),
            Reading::InBackground(background) => background.exchange(self.timeout, call),
            Reading::Failed => Err(SessionError::Closed),
        }
    }

    /// Returns whether the connection has ended. Without a thread that reads, the
    /// end is noticed only by the next request.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match &self.reading {
            Reading::OnDemand(client) => client.session().has_ended(),
            Reading::InBackground(background) => background.has_ended(),
            Reading::Failed => true,
        }
    }

    /// Waits until the server has ended the connection, but no longer than for a
    /// reply. Call it after a request that makes the server end.
    pub fn wait_for_end(&self) {
        if let Reading::InBackground(background) = &self.reading {
            background.wait_for_end(self.timeout);
        }
    }
}
