//! The messages of the protocol: what a server sends, as a client reads it, and
//! requests and events as they are written.
//!
//! In: bytes as they come, or a parsed message. Out: one [`Message`] after the
//! other; or typed values, and a line. No socket, no clock, no schema: what a reply or an event means is for
//! the caller to decode, who knows what was asked.
//!
//! What the protocol's specification does not have (QEMU's
//! `docs/interop/qmp-spec`) is ignored, and classes of errors and names of
//! events that nobody knows yet are kept: the peer may be newer.

mod write;

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::context::Context;
use crate::decode::{At, Decode, DecodeMembers, decode_object};
use crate::document::{Document, Node};
use crate::error::{Error, ErrorClass, Result};
use crate::json::{Frames, Limits, SyntaxError};
use crate::members::Members;
use crate::value::{Dict, Value};

pub use write::{write_event, write_oob_request, write_request};

/// A message of a server.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// The first: who speaks.
    Greeting {
        /// Its version, in the schema's type `VersionInfo`.
        version: Value,
        /// Which capabilities it offers.
        capabilities: Vec<String>,
    },
    /// A command succeeded.
    Return {
        /// The request's.
        id: Option<Value>,
        /// The reply.
        value: Value,
    },
    /// A command failed, or a request was none.
    Error {
        /// The request's.
        id: Option<Value>,
        /// Why.
        error: Error,
    },
    /// Something happened. The generated enum of all events decodes the data.
    Event {
        /// What.
        name: String,
        /// More about it; empty if the message has none.
        data: Dict,
        /// When; -1 and -1 if the message does not say.
        timestamp: Timestamp,
    },
}

/// When an event happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    /// Seconds since 1970; -1 if the clock could not be read.
    pub seconds: i64,
    /// Microseconds within the second; -1 if the clock could not be read.
    pub microseconds: i64,
}

impl Timestamp {
    /// That of a server whose clock could not be read.
    pub const UNKNOWN: Self = Self {
        seconds: -1,
        microseconds: -1,
    };
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        match time.duration_since(UNIX_EPOCH) {
            Ok(since) => Self {
                seconds: i64::try_from(since.as_secs()).unwrap_or(i64::MAX),
                microseconds: i64::from(since.subsec_micros()),
            },
            Err(_) => Self::UNKNOWN,
        }
    }
}

impl DecodeMembers for Timestamp {
    fn decode_members(members: &mut Members<'_>) -> Result<Self> {
        Ok(Self {
            seconds: members.required("seconds")?,
            microseconds: members.required("microseconds")?,
        })
    }
}

impl Decode for Timestamp {
    fn decode(value: Node<'_>, at: At<'_>) -> Result<Self> {
        decode_object(value, at)
    }
}

/// A member `QMP` or `error`, in a type of its own so that errors have its
/// path.
struct Greeting {
    version: Value,
    capabilities: Vec<String>,
}

impl DecodeMembers for Greeting {
    fn decode_members(members: &mut Members<'_>) -> Result<Self> {
        Ok(Self {
            version: members.required("version")?,
            capabilities: members.optional("capabilities")?.unwrap_or_default(),
        })
    }
}

impl Decode for Greeting {
    fn decode(value: Node<'_>, at: At<'_>) -> Result<Self> {
        decode_object(value, at)
    }
}

struct Refusal(Error);

impl DecodeMembers for Refusal {
    fn decode_members(members: &mut Members<'_>) -> Result<Self> {
        let class: String = members.required("class")?;
        let desc: String = members.required("desc")?;
        Ok(Self(Error::new(ErrorClass::from(class.as_str()), desc)))
    }
}

impl Decode for Refusal {
    fn decode(value: Node<'_>, at: At<'_>) -> Result<Self> {
        decode_object(value, at)
    }
}

/// Why something that came is no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidMessage {
    desc: String,
}

impl fmt::Display for InvalidMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.desc)
    }
}

impl std::error::Error for InvalidMessage {}

impl From<SyntaxError> for InvalidMessage {
    fn from(error: SyntaxError) -> Self {
        Self {
            desc: error.to_string(),
        }
    }
}

impl Message {
    /// Decodes a message that has been parsed already.
    ///
    /// # Errors
    ///
    /// That it is none of the four.
    pub fn decode(message: &Document) -> Result<Self, InvalidMessage> {
        let invalid = |desc: &str| InvalidMessage {
            desc: desc.to_owned(),
        };
        let context = Context::tolerant();
        let Ok(mut members) = Members::open(message.root(), At::root(&context)) else {
            return Err(invalid("a message is no object"));
        };
        let kinds = ["QMP", "return", "error", "event"];
        let Some(kind) = kinds.into_iter().find(|kind| members.has(kind)) else {
            return Err(invalid("a message is no greeting, no reply and no event"));
        };
        Self::decode_kind(kind, &mut members).map_err(|error| invalid(error.desc()))
    }

    fn decode_kind(kind: &str, members: &mut Members<'_>) -> Result<Self> {
        Ok(match kind {
            "QMP" => {
                let Greeting {
                    version,
                    capabilities,
                } = members.required("QMP")?;
                Self::Greeting {
                    version,
                    capabilities,
                }
            }
            "return" => Self::Return {
                id: members.optional("id")?,
                value: members.required("return")?,
            },
            "error" => {
                let id = members.optional("id")?;
                let Refusal(error) = members.required("error")?;
                Self::Error { id, error }
            }
            _ => Self::Event {
                name: members.required("event")?,
                data: members.optional("data")?.unwrap_or_default(),
                timestamp: members.optional("timestamp")?.unwrap_or(Timestamp::UNKNOWN),
            },
        })
    }
}

/// The messages in a stream of bytes.
///
/// ```
/// use qapi_wire::message::{Message, Messages};
///
/// let mut messages = Messages::default();
/// messages.receive(b"{\"return\": {}, \"id\": 7}\r\n{\"event\": \"ST");
/// let Some(Ok(Message::Return { id, .. })) = messages.next_message() else {
///     panic!()
/// };
/// assert_eq!(id, Some(7.into()));
/// assert!(messages.next_message().is_none());
/// ```
#[derive(Clone, Debug)]
pub struct Messages {
    frames: Frames,
}

impl Default for Messages {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Messages {
    /// The messages of a stream that begins now.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            frames: Frames::new(limits),
        }
    }

    /// Returns how many bytes of memory wait to be read as messages, spare room
    /// included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.frames.held_bytes()
    }

    /// Takes bytes from the server, cut anywhere.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.frames.receive(bytes);
    }

    /// The next message, if one is complete. What is none does not end the
    /// stream: the next may be good.
    pub fn next_message(&mut self) -> Option<Result<Message, InvalidMessage>> {
        let document = self.frames.next_document()?;
        Some(
            document
                .map_err(InvalidMessage::from)
                .and_then(|document| Message::decode(&document)),
        )
    }
}
