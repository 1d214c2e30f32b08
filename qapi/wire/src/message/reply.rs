//! The reply to a request, whose outcome only the id of the request opens.
//!
//! In: a message of the server. Out: its outcome, for the client that has the id.

use super::id::RequestId;
use crate::document::{Document, Node};
use crate::error::Error;

/// A reply: to a request of this client, or to one of a client that has left.
///
/// A QEMU hands the replies that one client has not read to the next. Therefore the
/// outcome can only be had with the id of the request.
#[derive(Clone, Debug)]
pub struct Reply {
    outcome: Outcome,
}

/// The outcome of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The command succeeded.
    Return(Return),
    /// The command failed, or the request was not understood.
    Error(ErrorReply),
}

impl Reply {
    pub(super) fn new(outcome: Outcome) -> Self {
        Self { outcome }
    }

    /// Returns the id of the request; `None` if the request had none, or could not
    /// be read.
    #[must_use]
    pub fn id(&self) -> Option<Node<'_>> {
        match &self.outcome {
            Outcome::Return(reply) => reply.id(),
            Outcome::Error(reply) => reply.id(),
        }
    }

    /// Returns whether this is the reply to the request with this id.
    #[must_use]
    pub fn answers(&self, request: &RequestId) -> bool {
        self.id().and_then(Node::as_str) == Some(request.as_str())
    }

    /// Returns the outcome of the request with this id.
    ///
    /// # Errors
    ///
    /// Returns the reply itself if it is the reply to another request.
    pub fn open(self, request: &RequestId) -> Result<Outcome, Self> {
        if self.answers(request) {
            Ok(self.outcome)
        } else {
            Err(self)
        }
    }

    /// Returns the outcome of whichever request this is the reply to: for logs, and
    /// for the replies to requests that others have sent.
    #[must_use]
    pub fn open_any(self) -> Outcome {
        self.outcome
    }
}

/// The reply to a command that succeeded.
#[derive(Clone, Debug)]
pub struct Return {
    message: Document,
}

impl Return {
    pub(super) fn new(message: Document) -> Self {
        Self { message }
    }

    /// Returns the request's id; `None` if the request had none.
    #[must_use]
    pub fn id(&self) -> Option<Node<'_>> {
        self.message.root().get("id")
    }

    /// Returns the command's result, which [`from_node`](crate::from_node)
    /// decodes.
    #[must_use]
    pub fn value(&self) -> Node<'_> {
        let value = self.message.root().get("return");
        value.unwrap_or(Node::empty_object())
    }
}

/// The reply to a command that failed.
#[derive(Clone, Debug)]
pub struct ErrorReply {
    message: Document,
    error: Error,
}

impl ErrorReply {
    pub(super) fn new(message: Document, error: Error) -> Self {
        Self { message, error }
    }

    /// Returns the request's id; `None` if the request had none, or could not
    /// be read.
    #[must_use]
    pub fn id(&self) -> Option<Node<'_>> {
        self.message.root().get("id")
    }

    /// Returns the error.
    #[must_use]
    pub fn error(&self) -> &Error {
        &self.error
    }

    /// Returns the error without the message.
    #[must_use]
    pub fn into_error(self) -> Error {
        self.error
    }
}
