//! A negotiated connection whose messages a thread reads.
//!
//! In: a client, requests. Out: the reply to each; and, whenever it happens,
//! events and the news that the server has gone. It prints nothing.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::wire::command::Request;
use qapi_stats::wire::message::{Message, Messages};
use qapi_stats::wire::{Context, Dict, Encode, EncodeMembers, Value, Writer, from_json, from_node};

use crate::client::{Client, ClientError};
use crate::endpoint::Stream;

/// What a server says without being asked.
#[derive(Debug)]
pub(super) enum Notice {
    /// Something happened.
    Event(Message),
    /// The connection ended while nobody waited for a reply.
    Closed,
}

/// Takes notices, on the thread that reads.
pub(super) type Notify = Box<dyn FnMut(Notice) + Send>;

type Incoming = Result<Message, ClientError>;

/// How much is read at a time.
const READ_BYTES: usize = 64 << 10;

/// Requests to a server, one at a time. Dropping it ends the connection.
#[derive(Debug)]
pub(super) struct Link {
    stream: Stream,
    incoming: Receiver<Incoming>,
    /// Whether a reply is waited for: an end is then its waiter's to tell.
    waits: Arc<AtomicBool>,
    has_ended: Arc<AtomicBool>,
    timeout: Duration,
    requests: u64,
}

impl Link {
    /// Begins to read what the server says. Each reply may take `timeout`.
    ///
    /// # Errors
    ///
    /// That the connection cannot be shared with a thread.
    pub(super) fn start(
        client: Client,
        timeout: Duration,
        notify: Notify,
    ) -> Result<Self, ClientError> {
        let (stream, messages) = client.into_parts();
        let (sender, incoming) = mpsc::channel();
        let waits = Arc::new(AtomicBool::new(false));
        let has_ended = Arc::new(AtomicBool::new(false));
        let reader = Reader {
            stream: stream.try_clone().map_err(ClientError::Transport)?,
            messages,
            replies: sender,
            notify,
            waits: Arc::clone(&waits),
            has_ended: Arc::clone(&has_ended),
        };
        thread::Builder::new()
            .name("monitor".to_owned())
            .spawn(move || reader.run())
            .map_err(ClientError::Transport)?;
        Ok(Self {
            stream,
            incoming,
            waits,
            has_ended,
            timeout,
            requests: 0,
        })
    }

    /// Whether the server has gone.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended.load(Ordering::Acquire)
    }

    /// Waits until the server has gone, but not for long.
    pub(super) fn wait_for_end(&self) {
        self.waits.store(true, Ordering::Release);
        let _ = self.incoming.recv_timeout(self.timeout);
    }

    /// Executes a command of ours.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub(super) fn execute<R: Request>(&mut self, request: &R) -> Result<R::Reply, ClientError> {
        let mut arguments = Vec::new();
        Members(request).encode(&mut Writer::new(&mut arguments));
        let not_ours = |error: qapi_stats::wire::Error| ClientError::Protocol(error.to_string());
        let arguments: Value = from_json(&arguments, &Context::tolerant()).map_err(not_ours)?;
        let mut body = Dict::new();
        body.push("execute", Value::from(R::INFO.name));
        body.push("arguments", arguments);
        match self.request(body)? {
            Message::Return(reply) => {
                from_node(reply.value(), &Context::tolerant()).map_err(|error| {
                    ClientError::Protocol(format!("the reply to {}: {error}", R::INFO.name))
                })
            }
            Message::Error(reply) => Err(ClientError::Refused(reply.into_error())),
            _ => Err(ClientError::Protocol("it greets twice".to_owned())),
        }
    }

    /// Sends a request, with an id of ours if it has none, and waits for its
    /// reply: a `Return` or an `Error`.
    ///
    /// # Errors
    ///
    /// See [`ClientError`]; a refusal is none.
    pub(super) fn request(&mut self, mut body: Dict) -> Result<Message, ClientError> {
        self.requests += 1;
        let id = match body.get("id") {
            Some(id) => id.clone(),
            None => {
                let id = Value::String(format!("vmstats-{}", self.requests));
                body.push("id", id.clone());
                id
            }
        };
        let mut line = Vec::new();
        Value::Object(body).encode(&mut Writer::new(&mut line));
        line.push(b'\n');
        let deadline = Instant::now() + self.timeout;
        self.waits.store(true, Ordering::Release);
        let reply = self
            .stream
            .write_all(&line, deadline)
            .map_err(ClientError::Transport)
            .and_then(|()| self.reply_to(&id, deadline));
        self.waits.store(false, Ordering::Release);
        reply
    }

    fn reply_to(&self, wanted: &Value, deadline: Instant) -> Result<Message, ClientError> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let message = match self.incoming.recv_timeout(left) {
                Ok(incoming) => incoming?,
                Err(RecvTimeoutError::Timeout) => {
                    return Err(ClientError::Transport(io::ErrorKind::TimedOut.into()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(ClientError::Transport(io::ErrorKind::UnexpectedEof.into()));
                }
            };
            let id = match &message {
                Message::Return(reply) => reply.id(),
                Message::Error(reply) => reply.id(),
                Message::Greeting(_) => {
                    return Err(ClientError::Protocol("it greets twice".to_owned()));
                }
                Message::Event(_) => None,
            };
            // Another id is that of a request given up earlier.
            if id.is_none_or(|id| id.to_value() == *wanted) {
                return Ok(message);
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The thread reads the end and goes; nobody is told.
        self.waits.store(true, Ordering::Release);
        self.stream.shut_down();
    }
}

/// A request's arguments.
struct Members<'a, R>(&'a R);

impl<R: EncodeMembers> Encode for Members<'_, R> {
    fn encode(&self, out: &mut Writer<'_>) {
        out.members(self.0);
    }
}

/// The thread's part.
struct Reader {
    stream: Stream,
    messages: Messages,
    replies: Sender<Incoming>,
    notify: Notify,
    waits: Arc<AtomicBool>,
    has_ended: Arc<AtomicBool>,
}

impl Reader {
    fn run(mut self) {
        let end = self.read_all();
        self.has_ended.store(true, Ordering::Release);
        if !self.waits.load(Ordering::Acquire) {
            (self.notify)(Notice::Closed);
        }
        let _ = self.replies.send(Err(end));
    }

    /// Passes messages on until there are no more, and says why.
    fn read_all(&mut self) -> ClientError {
        let mut buffer = vec![0; READ_BYTES];
        loop {
            while let Some(message) = self.messages.next_message() {
                match message {
                    Ok(event @ Message::Event(_)) => (self.notify)(Notice::Event(event)),
                    Ok(message) => {
                        // Nobody asks any more: the link is being dropped.
                        let _ = self.replies.send(Ok(message));
                    }
                    Err(error) => return ClientError::Protocol(error.to_string()),
                }
            }
            match self.stream.read_patiently(&mut buffer) {
                Ok(0) => return ClientError::Transport(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self
                    .messages
                    .receive(buffer.get(..count).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return ClientError::Transport(error),
            }
        }
    }
}
