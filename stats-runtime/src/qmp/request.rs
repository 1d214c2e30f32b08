//! Requests: messages whose shape has been checked.
//!
//! In: a parsed message. Out: a request, or the error for a malformed one. No
//! command is looked up here. The checks, their order and their texts are those
//! of QEMU's `qmp-dispatch.c`.

use std::sync::Arc;

use qapi_stats::wire::{Document, Error, Kind, Node};

/// A well-formed request: the document that it was parsed into.
#[derive(Debug)]
pub(super) struct Request {
    message: Document,
    /// `true` if the client asks for out-of-band execution.
    pub(super) oob: bool,
}

/// A message that is not a request.
#[derive(Debug)]
pub(super) struct Malformed {
    /// The message, whose id the error is sent under; `None` if its text is not
    /// JSON.
    message: Option<Document>,
    pub(super) error: Error,
}

/// The arguments of a command, which have not been decoded yet. They stay part
/// of their request.
#[derive(Clone, Debug)]
pub struct Arguments {
    request: Arc<Request>,
}

impl Request {
    /// Checks the shape of a message. The member `exec-oob` is accepted only if
    /// the client has enabled the capability.
    pub(super) fn new(message: Document, oob_enabled: bool) -> Result<Self, Malformed> {
        match check(message.root(), oob_enabled) {
            Ok(oob) => Ok(Self { message, oob }),
            Err(error) => Err(Malformed {
                message: Some(message),
                error,
            }),
        }
    }

    /// Returns the id to reply under; `None` if the client sent none.
    pub(super) fn id(&self) -> Option<Node<'_>> {
        self.message.root().get("id")
    }

    /// Returns the command's name.
    pub(super) fn command(&self) -> &str {
        let key = if self.oob { "exec-oob" } else { "execute" };
        let name = self.message.root().get(key);
        name.and_then(Node::as_str).unwrap_or_default()
    }

    /// Returns the arguments, an object.
    pub(super) fn arguments(&self) -> Node<'_> {
        let arguments = self.message.root().get("arguments");
        arguments.unwrap_or(Node::empty_object())
    }

    /// Returns how many bytes of memory the request holds.
    #[cfg(feature = "server")]
    pub(super) fn held_bytes(&self) -> usize {
        self.message.held_bytes()
    }

    /// Returns how many bytes of memory the request takes while its command is
    /// executed: those that it holds, and those of the decoded arguments.
    #[cfg(feature = "server")]
    pub(super) fn executing_bytes(&self) -> usize {
        self.held_bytes() + self.message.values() * DECODED_BYTES
    }
}

/// The bytes that a decoded value takes: a `String`, its text in a block of the
/// allocator, and the same again in a provider's filter.
#[cfg(feature = "server")]
const DECODED_BYTES: usize = 128;

impl Malformed {
    /// Makes the error for a text that is not JSON.
    pub(super) fn unparsed(error: Error) -> Self {
        Self {
            message: None,
            error,
        }
    }

    /// Returns the id to reply under, or `None` if the message has no id.
    pub(super) fn id(&self) -> Option<Node<'_>> {
        self.message.as_ref()?.root().get("id")
    }

    /// Returns how many bytes of memory the message holds.
    #[cfg(feature = "server")]
    pub(super) fn held_bytes(&self) -> usize {
        self.message.as_ref().map_or(0, Document::held_bytes)
    }
}

impl Arguments {
    /// Makes the arguments of a request.
    pub(super) fn new(request: Arc<Request>) -> Self {
        Self { request }
    }

    /// Returns the object that holds the arguments, for a
    /// [`Call`](qapi_stats::wire::command::Call).
    #[must_use]
    pub fn root(&self) -> Node<'_> {
        self.request.arguments()
    }
}

/// Checks the members of a message, in the order in which they came. Returns
/// whether it asks for out-of-band execution.
fn check(message: Node<'_>, oob_enabled: bool) -> Result<bool, Error> {
    let Some(members) = message.members() else {
        return Err(malformed("must be a JSON object"));
    };
    let mut command = None;
    for (name, value) in members {
        match name {
            "id" => {}
            "execute" | "exec-oob" if name == "execute" || oob_enabled => {
                if value.kind() != Kind::String {
                    return Err(malformed(&format!("member '{name}' must be a string")));
                }
                if command.replace(name).is_some() {
                    // QEMU's texts name the two in the order of its hash table.
                    return Err(malformed("member 'execute' clashes with 'exec-oob'"));
                }
            }
            "arguments" if value.kind() == Kind::Object => {}
            "arguments" => return Err(malformed("member 'arguments' must be an object")),
            _ => return Err(malformed(&format!("member '{name}' is unexpected"))),
        }
    }
    let command = command.ok_or_else(|| malformed("lacks member 'execute'"))?;
    Ok(command == "exec-oob")
}

fn malformed(what: &str) -> Error {
    Error::generic(format!("QMP input {what}"))
}
