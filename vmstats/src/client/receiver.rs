//! The receiving half of a connection.
//!
//! In: a stream. Out: the greeting, then events and replies, one at a time. It
//! keeps no message.

use std::io;
use std::time::{Duration, Instant};

use qapi_stats::control::VersionInfo;
use qapi_stats::wire::message::{
    EventMessage, Greeting, InvalidMessage, Message, Messages, Outcome, Reply, RequestId,
};
use qapi_stats::wire::{Context, from_node};

use super::error::ClientError;
use super::telnet::Telnet;
use super::{opening, silence};
use crate::stream::Stream;

/// The number of bytes that are read at a time.
const READ_BYTES: usize = 64 << 10;

/// The number of bytes in which the greeting must have ended. Replies that another
/// client has not read may come before it.
const GREETING_BYTES_MAX: usize = 8 << 20;

/// How long the greeting is waited for after bytes that are not messages. A server
/// of QMP sends it with the bytes that another client has not read.
const GARBAGE_TIMEOUT: Duration = Duration::from_secs(1);

/// The beginning of a greeting.
const GREETING: &[u8] = b"{\"QMP\"";

/// A message after the greeting.
pub(super) enum Received {
    Event(EventMessage),
    Reply(Reply),
}

/// The part of a connection that has been read and not been handed out.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    messages: Messages,
    buffer: Vec<u8>,
}

impl Receiver {
    /// Waits for the greeting, and returns the server's version and the
    /// capabilities that it offers. Everything before the greeting is skipped.
    pub(super) fn greeting(
        &mut self,
        stream: &mut Stream,
        deadline: Instant,
    ) -> Result<(VersionInfo, Vec<String>), ClientError> {
        let mut opening = Opening::default();
        self.find_greeting(&mut opening, stream, deadline)
            .map_err(|error| opening.explain(error, stream))
            .and_then(|greeting| read_greeting(&greeting))
    }

    fn find_greeting(
        &mut self,
        opening: &mut Opening,
        stream: &mut Stream,
        mut deadline: Instant,
    ) -> Result<Greeting, ClientError> {
        let mut telnet = Telnet::default();
        loop {
            while let Some(message) = self.messages.next_message() {
                match message {
                    Ok(Message::Greeting(greeting)) => return Ok(greeting),
                    Ok(_) => opening.messages += 1,
                    Err(_) if opening.is_recognized() => return Err(ClientError::end()),
                    Err(error) => {
                        if opening.garbage.is_none() {
                            deadline = deadline.min(Instant::now() + GARBAGE_TIMEOUT);
                        }
                        opening.garbage = Some(error);
                    }
                }
            }
            // The rest of a message can end within a string, which hides the
            // beginning of the next message from the parser.
            if opening.garbage.is_some()
                && let Some(rest) = opening.take_greeting()
            {
                self.messages = Messages::default();
                self.messages.receive(rest);
                continue;
            }
            if opening.bytes.len() > GREETING_BYTES_MAX {
                let what = format!("no greeting in the first {GREETING_BYTES_MAX} bytes");
                return Err(ClientError::Protocol(what));
            }
            let mut bytes = self.read(stream, Some(deadline))?.to_vec();
            telnet.strip(&mut bytes);
            self.messages.receive(&bytes);
            opening.bytes.extend(bytes);
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
                    let count = self.read(stream, deadline)?.len();
                    let bytes = self.buffer.get(..count).unwrap_or_default();
                    self.messages.receive(bytes);
                }
                Some(Ok(Message::Event(event))) => return Ok(Received::Event(event)),
                Some(Ok(Message::Reply(reply))) => return Ok(Received::Reply(reply)),
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
        id: &RequestId,
        stream: &mut Stream,
        deadline: Instant,
    ) -> Result<Outcome, ClientError> {
        let mut unaddressed = None;
        loop {
            match self.next(stream, Some(deadline)) {
                Ok(Received::Event(_)) => {}
                Ok(Received::Reply(reply)) => match reply.open(id) {
                    Ok(outcome) => return Ok(outcome),
                    Err(foreign) if foreign.id().is_none() => unaddressed = Some(foreign),
                    Err(_foreign) => {}
                },
                Err(error) if error.is_timeout() => {
                    return Err(unaddressed.map_or(error, ClientError::unaddressed));
                }
                Err(error) => return Err(error),
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
        Ok(self.buffer.get(..count).unwrap_or_default())
    }
}

/// The bytes and the messages before the greeting.
#[derive(Debug, Default)]
struct Opening {
    bytes: Vec<u8>,
    /// The number of bytes in which no greeting begins, or has been taken.
    searched: usize,
    /// The number of messages, which are those that another client has not read.
    messages: usize,
    /// The error of the last bytes that are not a message.
    garbage: Option<InvalidMessage>,
}

impl Opening {
    fn is_recognized(&self) -> bool {
        opening::recognize(&self.bytes).is_some()
    }

    fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    /// Returns the bytes from the beginning of a greeting on, once for each
    /// beginning.
    fn take_greeting(&mut self) -> Option<&[u8]> {
        let unsearched = self.bytes.get(self.searched..)?;
        let mut windows = unsearched.windows(GREETING.len());
        let Some(at) = windows.position(|window| window == GREETING) else {
            let tail = GREETING.len() - 1;
            self.searched += unsearched.len().saturating_sub(tail);
            return None;
        };
        let begin = self.searched + at;
        self.searched = begin + 1;
        self.bytes.get(begin..)
    }

    /// Adds to an error what the server has done instead of greeting.
    fn explain(&self, error: ClientError, stream: &Stream) -> ClientError {
        if let Some(known) = opening::recognize(&self.bytes) {
            return known;
        }
        if let Some(garbage) = &self.garbage {
            let begin = opening::describe(&self.bytes);
            return ClientError::Protocol(format!("{garbage}; {begin}"));
        }
        match error {
            ClientError::Protocol(what) => {
                let begin = opening::describe(&self.bytes);
                ClientError::Protocol(format!("{what}; {begin}"))
            }
            ClientError::Transport(_) if self.messages > 0 => ClientError::Protocol(
                "it sends replies but no greeting, like a guest agent; a QMP socket is made \
                 with QEMU's option -qmp"
                    .to_owned(),
            ),
            error if error.is_timeout() && self.is_blank() => {
                ClientError::NoGreeting(silence::explain(stream))
            }
            error if error.is_end() && self.is_blank() => ClientError::NoGreeting(
                "the server closed the connection without a greeting: it does not admit this \
                 user, or serves as many clients as it may"
                    .to_owned(),
            ),
            ClientError::Transport(_) if !self.is_blank() => {
                let begin = opening::describe(&self.bytes);
                ClientError::Protocol(format!("the greeting is not complete; {begin}"))
            }
            error => error,
        }
    }
}

fn read_greeting(greeting: &Greeting) -> Result<(VersionInfo, Vec<String>), ClientError> {
    let version = from_node(greeting.version(), &Context::tolerant())
        .map_err(|error| ClientError::Protocol(format!("the greeting: {error}")))?;
    Ok((version, greeting.capabilities().to_vec()))
}
