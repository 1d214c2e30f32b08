//! A server's messages, as a client reads them.
//!
//! In: bytes or a parsed message. Out: one of the three kinds of messages, which
//! keeps the document it was parsed into. Nothing here knows what was asked.

use std::fmt;

use super::reply::{ErrorReply, Outcome, Reply, Return};
use super::timestamp::Timestamp;
use crate::context::Context;
use crate::decode::{Decode, DecodeMembers, Members, decode_object};
use crate::document::{Document, Node};
use crate::error::{Error, ErrorClass, Result};
use crate::json::{Limits, MessageReader, SyntaxError};
use crate::path::ValuePath;
use crate::value::Kind;

/// A message of a server.
#[derive(Clone, Debug)]
pub enum Message {
    /// The first message: the server introduces itself.
    Greeting(Greeting),
    /// The reply to a request.
    Reply(Reply),
    /// A message that no request asked for: something happened.
    Event(EventMessage),
}

/// A server's first message.
#[derive(Clone, Debug)]
pub struct Greeting {
    message: Document,
    capabilities: Vec<String>,
}

impl Greeting {
    /// Returns the server's version, in the schema's type `VersionInfo`.
    #[must_use]
    pub fn version(&self) -> Node<'_> {
        let greeting = self.message.root().get("QMP");
        let version = greeting.and_then(|greeting| greeting.get("version"));
        version.unwrap_or(Node::empty_object())
    }

    /// Returns the names of the capabilities that the server offers.
    #[must_use]
    pub fn capabilities(&self) -> &[String] {
        &self.capabilities
    }
}

/// An event. The generated enum of all events decodes it by its name and data.
#[derive(Clone, Debug)]
pub struct EventMessage {
    message: Document,
    timestamp: Timestamp,
}

impl EventMessage {
    /// Returns the event's name.
    #[must_use]
    pub fn name(&self) -> &str {
        let name = self.message.root().get("event");
        name.and_then(Node::as_str).unwrap_or_default()
    }

    /// Returns the event's data: an object, which is empty if the message has
    /// no data.
    #[must_use]
    pub fn data(&self) -> Node<'_> {
        let data = self.message.root().get("data");
        data.unwrap_or(Node::empty_object())
    }

    /// Decodes the event with a generated enum of events: pass its `decode`. Members
    /// and values that the schema does not list are ignored or kept.
    ///
    /// ```
    /// use qapi_wire::message::{Message, Messages};
    /// use qapi_wire::{Context, Dict, Node, Result, from_node};
    ///
    /// // What qapi-gen makes of { 'event': 'STOP' }
    /// #[derive(Debug)]
    /// enum Event {
    ///     Stop,
    ///     Unlisted { name: Box<str>, data: Dict },
    /// }
    /// impl Event {
    ///     fn decode(name: &str, data: Node<'_>, context: &Context<'_>) -> Result<Self> {
    ///         Ok(match name {
    ///             "STOP" => Self::Stop,
    ///             _ => Self::Unlisted { name: name.into(), data: from_node(data, context)? },
    ///         })
    ///     }
    /// }
    ///
    /// let mut messages = Messages::default();
    /// messages.receive(b"{\"event\": \"STOP\"}\r\n");
    /// let Some(Ok(Message::Event(message))) = messages.next_message() else {
    ///     panic!("the message is an event");
    /// };
    /// assert!(matches!(message.decode(Event::decode)?, Event::Stop));
    /// # Ok::<(), qapi_wire::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the error of `decode`, for the first member that does not fit.
    pub fn decode<E>(
        &self,
        decode: impl FnOnce(&str, Node<'_>, &Context<'_>) -> Result<E>,
    ) -> Result<E> {
        decode(self.name(), self.data(), &Context::tolerant())
    }

    /// Returns how many bytes of memory the event holds, spare room included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.message.held_bytes()
    }

    /// Returns the time of the event; [`Timestamp::UNKNOWN`] if the message has
    /// none.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }
}

/// The type of a member that only has to be there.
struct Anything;

impl Decode for Anything {
    fn decode(_: Node<'_>, _: ValuePath<'_>) -> Result<Self> {
        Ok(Self)
    }
}

/// The type of a member that has to be an object.
struct AnyObject;

impl Decode for AnyObject {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        match value.kind() {
            Kind::Object => Ok(Self),
            _ => Err(at.invalid_type("object")),
        }
    }
}

/// The member `QMP`, in a type of its own so that errors name its path.
struct Qmp {
    capabilities: Vec<String>,
}

impl DecodeMembers for Qmp {
    fn decode_members(members: &mut Members<'_>) -> Result<Self> {
        let Anything = members.required("version")?;
        Ok(Self {
            capabilities: members.optional("capabilities")?.unwrap_or_default(),
        })
    }
}

impl Decode for Qmp {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        decode_object(value, at)
    }
}

/// The member `error`, likewise.
struct ErrorMember(Error);

impl DecodeMembers for ErrorMember {
    fn decode_members(members: &mut Members<'_>) -> Result<Self> {
        let class: String = members.required("class")?;
        let desc: String = members.required("desc")?;
        Ok(Self(Error::new(ErrorClass::from(class.as_str()), desc)))
    }
}

impl Decode for ErrorMember {
    fn decode(value: Node<'_>, at: ValuePath<'_>) -> Result<Self> {
        decode_object(value, at)
    }
}

/// Why something that a server sent is not a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidMessage {
    desc: String,
    exceeds_limits: bool,
}

impl InvalidMessage {
    fn new(desc: &str) -> Self {
        Self {
            desc: desc.to_owned(),
            exceeds_limits: false,
        }
    }

    /// Returns whether the bytes may be a message, but exceed a limit of the reader.
    #[must_use]
    pub fn exceeds_limits(&self) -> bool {
        self.exceeds_limits
    }
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
            exceeds_limits: error.exceeds_limits(),
            ..Self::new(error.desc())
        }
    }
}

impl From<Error> for InvalidMessage {
    fn from(error: Error) -> Self {
        Self::new(error.desc())
    }
}

impl Message {
    /// Recognizes a message that has been parsed already.
    ///
    /// # Errors
    ///
    /// Fails if the document is not one of the three kinds of messages.
    pub fn decode(message: Document) -> Result<Self, InvalidMessage> {
        let context = Context::tolerant();
        let Ok(mut members) = Members::open(message.root(), ValuePath::root(&context)) else {
            return Err(InvalidMessage::new("a message is not an object"));
        };
        if members.has("QMP") {
            let Qmp { capabilities } = members.required("QMP")?;
            Ok(Self::Greeting(Greeting {
                message,
                capabilities,
            }))
        } else if members.has("return") {
            let outcome = Outcome::Return(Return::new(message));
            Ok(Self::Reply(Reply::new(outcome)))
        } else if members.has("error") {
            let ErrorMember(error) = members.required("error")?;
            let outcome = Outcome::Error(ErrorReply::new(message, error));
            Ok(Self::Reply(Reply::new(outcome)))
        } else if members.has("event") {
            let _: String = members.required("event")?;
            let _: Option<AnyObject> = members.optional("data")?;
            let timestamp = members.optional("timestamp")?;
            Ok(Self::Event(EventMessage {
                message,
                timestamp: timestamp.unwrap_or(Timestamp::UNKNOWN),
            }))
        } else {
            let desc = "a message is neither a greeting nor a reply nor an event";
            Err(InvalidMessage::new(desc))
        }
    }
}

/// The messages in a server's stream of bytes. `client::Session`, with feature
/// `client`, also negotiates and knows which calls wait for which reply.
///
/// ```
/// use qapi_wire::command::{CommandInfo, Request};
/// use qapi_wire::message::{Message, Messages, Outcome, RequestIds, write_request};
/// use qapi_wire::{Context, EncodeMembers, ObjectWriter, from_node};
///
/// // What qapi-gen makes of { 'command': 'sizes', 'returns': ['int'] }
/// struct Sizes;
/// impl EncodeMembers for Sizes {
///     fn encode_members(&self, _: &mut ObjectWriter<'_, '_>) {}
/// }
/// impl Request for Sizes {
///     type Reply = Vec<i64>;
///     const INFO: &'static CommandInfo = &CommandInfo::new("sizes");
/// }
///
/// let (mut ids, mut messages) = (RequestIds::new(), Messages::default());
/// let (id, mut line) = (ids.next_id(), Vec::new());
/// write_request(&mut line, &id, &Sizes);
/// // ... send the line, and receive, in any pieces. A reply to another client can
/// // come first.
/// messages.receive(b"{\"return\": [], \"id\": 1}\r\n");
/// messages.receive(format!("{{\"return\": [7], \"id\": \"{id}\"}}\r\n").as_bytes());
/// let sizes = loop {
///     match messages.next_message().unwrap()? {
///         Message::Reply(reply) => match reply.open(&id) {
///             Ok(Outcome::Return(reply)) => break from_node(reply.value(), &Context::tolerant())?,
///             Ok(Outcome::Error(reply)) => return Err(reply.into_error().into()),
///             Err(_foreign) => {}
///         },
///         Message::Event(_) | Message::Greeting(_) => {}
///     }
/// };
/// assert_eq!(sizes, [7]);
/// # let _: Vec<i64> = sizes;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Messages {
    reader: MessageReader,
}

impl Default for Messages {
    fn default() -> Self {
        Self::new(Limits::default())
    }
}

impl Messages {
    /// Creates a reader for a stream of which nothing has been received.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            reader: MessageReader::new(limits),
        }
    }

    /// Buffers bytes from the server, cut anywhere.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.reader.receive(bytes);
    }

    /// Returns how many bytes of memory the buffered bytes take, spare room
    /// included.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.reader.held_bytes()
    }

    /// Returns the next message, or an error for something that is not a
    /// message; `None` if the next one is not complete. An error does not end
    /// the stream: the message after it may be good.
    pub fn next_message(&mut self) -> Option<Result<Message, InvalidMessage>> {
        let document = match self.reader.next_message()? {
            Ok(document) => document,
            Err(error) => return Some(Err(error.into())),
        };
        Some(Message::decode(document))
    }
}
