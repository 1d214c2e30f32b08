//! The reply to a request.
//!
//! In: a message of the server. Out: its id and its outcome.

use qapi_stats::wire::Node;
use qapi_stats::wire::message::{ErrorReply, Return};

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

    /// Returns whether this is the reply to the request with this id.
    pub(super) fn answers(&self, id: &str) -> bool {
        self.id().and_then(Node::as_str) == Some(id)
    }
}
