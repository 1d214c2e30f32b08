//! The receiving half of a connection.
//!
//! In: a stream. Out: the greeting, then events and replies, one at a time. It
//! keeps no message.

use std::io;
use std::time::Instant;

use qapi_stats::control::VersionInfo;
use qapi_stats::wire::message::{ErrorReply, EventMessage, Message, Messages, Return};
use qapi_stats::wire::{Context, Node, Value, from_node};

use super::error::ClientError;
use crate::stream::Stream;

/// The beginning of the ids that the client gives its requests.
pub(super) const REQUEST_ID_PREFIX: &str = "vmstats-";

/// The number of bytes that are read at a time.
const READ_BYTES: usize = 64 << 10;

/// The number of bytes in which the greeting must have ended.
const GREETING_BYTES_MAX: usize = 1 << 20;

/// The number of bytes that are shown of a server that does not greet.
const OPENING_BYTES: usize = 60;

/// A message after the greeting.
pub(super) enum Received {
    Event(EventMessage),
    Reply(Reply),
}

/// The reply to a request.
#[derive(Debug)]
pub enum Reply {
    /// The command succeeded.
    Return(Return),
    /// The command failed, or the request was not understood.
    Error(ErrorReply),
}

impl Reply {
    /// Returns the id of the request.
    #[must_use]
    pub fn id(&self) -> Option<Node<'_>> {
        match self {
            Self::Return(reply) => reply.id(),
            Self::Error(reply) => reply.id(),
        }
    }

    /// Returns whether this is the reply to the request with this id. A reply
    /// without an id is for the current request, because a server sends such a
    /// reply if it cannot read the request.
    pub(super) fn answers(&self, id: &Value) -> bool {
        self.id().is_none_or(|own| own.to_value() == *id)
    }

    /// Returns whether the reply has the id of a request of the client's. If
    /// nobody waits for such a reply, it is late.
    pub(super) fn has_own_id(&self) -> bool {
        let id = self.id().and_then(Node::as_str);
        id.is_some_and(|id| id.starts_with(REQUEST_ID_PREFIX))
    }
}

/// The part of a connection that has been read and not been handed out.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    messages: Messages,
    buffer: Vec<u8>,
}

impl Receiver {
    /// Waits for the greeting, and returns the server's version and the
    /// capabilities that it offers.
    pub(super) fn greeting(
        &mut self,
        stream: &mut Stream,
        deadline: Instant,
    ) -> Result<(VersionInfo, Vec<String>), ClientError> {
        let mut opening = Vec::new();
        self.first_message(&mut opening, stream, deadline)
            .and_then(read_greeting)
            .map_err(|error| describe_greeting_error(error, &opening))
    }

    /// Waits for the first message, and copies the first bytes of the server to
    /// `opening`.
    fn first_message(
        &mut self,
        opening: &mut Vec<u8>,
        stream: &mut Stream,
        deadline: Instant,
    ) -> Result<Message, ClientError> {
        let mut received_bytes = 0;
        loop {
            if let Some(message) = self.messages.next_message() {
                return message.map_err(|error| ClientError::Protocol(error.to_string()));
            }
            if received_bytes > GREETING_BYTES_MAX {
                let what = format!("no greeting in the first {GREETING_BYTES_MAX} bytes");
                return Err(ClientError::Protocol(what));
            }
            let bytes = self.read(stream, Some(deadline))?;
            received_bytes += bytes.len();
            let room = OPENING_BYTES.saturating_sub(opening.len());
            opening.extend(bytes.iter().take(room));
        }
    }

    /// Waits for the next message, forever without a deadline.
    pub(super) fn next(
        &mut self,
        stream: &mut Stream,
        deadline: Option<Instant>,
    ) -> Result<Received, ClientError> {
        loop {
            match self.messages.next_message() {
                None => {
                    self.read(stream, deadline)?;
                }
                Some(Ok(Message::Event(event))) => return Ok(Received::Event(event)),
                Some(Ok(Message::Return(reply))) => {
                    return Ok(Received::Reply(Reply::Return(reply)));
                }
                Some(Ok(Message::Error(reply))) => {
                    return Ok(Received::Reply(Reply::Error(reply)));
                }
                Some(Ok(Message::Greeting(_))) => {
                    return Err(ClientError::Protocol("a second greeting".to_owned()));
                }
                Some(Err(error)) => return Err(ClientError::Protocol(error.to_string())),
            }
        }
    }

    /// Waits for the reply to the request with this id, and drops every other
    /// message.
    pub(super) fn reply_to(
        &mut self,
        id: &Value,
        stream: &mut Stream,
        deadline: Instant,
    ) -> Result<Reply, ClientError> {
        loop {
            match self.next(stream, Some(deadline))? {
                Received::Reply(reply) if reply.answers(id) => return Ok(reply),
                Received::Reply(_) | Received::Event(_) => {}
            }
        }
    }

    /// Reads once, and returns the bytes.
    fn read(
        &mut self,
        stream: &mut Stream,
        deadline: Option<Instant>,
    ) -> Result<&[u8], ClientError> {
        self.buffer.resize(READ_BYTES, 0);
        let count = loop {
            match stream.read(&mut self.buffer, deadline) {
                Ok(0) => return Err(ClientError::end()),
                Ok(count) => break count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(ClientError::Transport(error)),
            }
        };
        let bytes = self.buffer.get(..count).unwrap_or_default();
        self.messages.receive(bytes);
        Ok(bytes)
    }
}

fn read_greeting(message: Message) -> Result<(VersionInfo, Vec<String>), ClientError> {
    let Message::Greeting(greeting) = message else {
        let what = "the first message is not a greeting".to_owned();
        return Err(ClientError::Protocol(what));
    };
    let version = from_node(greeting.version(), &Context::tolerant())
        .map_err(|error| ClientError::Protocol(format!("the greeting: {error}")))?;
    Ok((version, greeting.capabilities().to_vec()))
}

/// Adds to an error at the greeting what the server has sent instead.
fn describe_greeting_error(error: ClientError, opening: &[u8]) -> ClientError {
    let opening = String::from_utf8_lossy(opening);
    let line = opening.trim_start().lines().next().unwrap_or_default();
    match error {
        ClientError::Protocol(_) if is_hmp(line) => ClientError::Protocol(format!(
            "it is a human monitor ({line:?}); a monitor made with -qmp is wanted"
        )),
        ClientError::Protocol(what) => {
            ClientError::Protocol(format!("{what}; it begins with {line:?}"))
        }
        other => other,
    }
}

/// Returns whether a human monitor begins with this line: `QEMU 7.2.22 monitor -
/// type 'help' ...`.
fn is_hmp(line: &str) -> bool {
    line.starts_with("QEMU ") && line.contains(" monitor")
}
