//! The QMP client: requests to any monitor, ours or QEMU's.
//!
//! In: an endpoint and requests, one at a time. Out: replies; and, if the caller
//! wants them, the messages that the server sends unasked. The client prints
//! nothing, and keeps no message that nobody waits for.

mod background;
mod error;
mod opening;
mod receiver;
mod silence;
mod telnet;

use std::time::Duration;

use qapi_stats::control::commands::QmpCapabilities;
use qapi_stats::control::{QMPCapability, VersionInfo};
use qapi_stats::stats::commands::{QueryStats, QueryStatsSchemas};
use qapi_stats::wire::command::Request;
use qapi_stats::wire::message::{RequestId, RequestIds, Return, write_request};
use qapi_stats::wire::{Context, Dict, Error, ErrorClass, Value, from_node, to_vec};

use crate::deadline;
use crate::endpoint::Endpoint;
use crate::stream::Stream;
use background::Background;
use receiver::Receiver;

pub use background::{Notice, Notify};
pub use error::ClientError;
pub use qapi_stats::wire::message::Outcome as Reply;

/// A connection on which capabilities have been negotiated.
#[derive(Debug)]
pub struct Client {
    stream: Stream,
    reading: Reading,
    /// How long a reply may take, whatever else the server sends meanwhile.
    timeout: Duration,
    version: VersionInfo,
    ids: RequestIds,
}

/// The way in which messages are read.
#[derive(Debug)]
enum Reading {
    /// The caller's thread reads while it waits for a reply.
    OnDemand(Receiver),
    /// A thread of the client reads all the time.
    InBackground(Background),
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
        Self::open(endpoint, timeout, false)
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
        Self::open(endpoint, timeout, true)
    }

    fn open(endpoint: &Endpoint, timeout: Duration, wants_oob: bool) -> Result<Self, ClientError> {
        let deadline = deadline::after(timeout);
        let mut stream = endpoint
            .connect(deadline)
            .map_err(|error| ClientError::Connect(endpoint.clone(), error))?;
        let mut receiver = Receiver::default();
        let (version, offered) = receiver.greeting(&mut stream, deadline)?;
        let oob = QMPCapability::Oob;
        let is_offered = offered.iter().any(|name| name == oob.name());
        let enable = (wants_oob && is_offered).then(|| vec![oob]);
        let mut client = Self {
            stream,
            reading: Reading::OnDemand(receiver),
            timeout,
            version,
            ids: RequestIds::new(),
        };
        client.execute(&QmpCapabilities { enable })?;
        Ok(client)
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
        if let Reading::OnDemand(receiver) = &mut self.reading {
            let stream = self.stream.try_clone().map_err(ClientError::Transport)?;
            let background =
                Background::start(std::mem::take(receiver), stream, self.ids.clone(), notify)?;
            self.reading = Reading::InBackground(background);
        }
        Ok(())
    }

    /// Returns the version in the server's greeting.
    #[must_use]
    pub fn version(&self) -> &VersionInfo {
        &self.version
    }

    /// Executes a command and decodes its result.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server refuses the command, if no reply
    /// comes in time, or if the result does not have the command's type.
    pub fn execute<R: Request>(&mut self, request: &R) -> Result<R::Reply, ClientError> {
        let reply = self.execute_raw(request)?;
        from_node(reply.value(), &Context::tolerant()).map_err(|error| {
            ClientError::Protocol(format!("the reply to {}: {error}", R::INFO.name))
        })
    }

    /// Executes a command and returns the reply undecoded.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if the server refuses the command or no reply
    /// comes in time.
    pub fn execute_raw<R: Request>(&mut self, request: &R) -> Result<Return, ClientError> {
        let id = self.ids.next_id();
        let mut line = Vec::new();
        write_request(&mut line, &id, request);
        match self.exchange(&line, id)? {
            Reply::Return(reply) => Ok(reply),
            Reply::Error(reply) => Err(self.refusal(R::INFO.name, reply.into_error())),
        }
    }

    /// Returns the error for a command that the server has refused.
    fn refusal(&self, command: &str, error: Error) -> ClientError {
        let is_unknown = *error.class() == ErrorClass::CommandNotFound;
        if is_unknown && [QueryStats::INFO.name, QueryStatsSchemas::INFO.name].contains(&command) {
            ClientError::NoStatistics(self.version.clone())
        } else {
            ClientError::Refused(error)
        }
    }

    /// Sends a request that has the members `body`, and an id of the client's
    /// instead of any in `body`. A reply that says that the command failed is a
    /// success here.
    ///
    /// # Errors
    ///
    /// Returns a [`ClientError`] if no reply comes in time.
    pub fn request(&mut self, mut body: Dict) -> Result<Reply, ClientError> {
        let id = self.ids.next_id();
        body.take("id");
        body.push("id", Value::from(id.as_str()));
        let mut line = to_vec(&Value::Object(body));
        line.push(b'\n');
        self.exchange(&line, id)
    }

    fn exchange(&mut self, line: &[u8], id: RequestId) -> Result<Reply, ClientError> {
        let deadline = deadline::after(self.timeout);
        let stream = &mut self.stream;
        match &mut self.reading {
            Reading::OnDemand(receiver) => {
                let sent = stream.write_all(line, deadline);
                sent.map_err(ClientError::Transport)?;
                receiver.reply_to(&id, stream, deadline)
            }
            Reading::InBackground(background) => {
                let send = || stream.write_all(line, deadline);
                background.exchange(id, deadline, send)
            }
        }
    }

    /// Returns whether the connection has ended. Without a thread that reads, the
    /// end is noticed only by the next request.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        match &self.reading {
            Reading::OnDemand(_) => false,
            Reading::InBackground(background) => background.has_ended(),
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

impl Drop for Client {
    fn drop(&mut self) {
        if let Reading::InBackground(background) = &self.reading {
            // Announce the end first, so that the thread ends without a notice when
            // it reads the end of the stream.
            background.expect_end();
            self.stream.shut_down();
        }
    }
}
