//! The ids of a client's requests.
//!
//! In: nothing. Out: ids that no other client uses. A QEMU hands replies that one
//! client has not read to the next, and only the id tells them apart.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, RandomState};

use crate::document::Node;
use crate::encode::{Encode, Writer};

/// The ids of one client's requests, in order. Make one for each connection.
#[derive(Clone, Debug)]
pub struct RequestIds {
    /// The beginning of each id, with 64 random bits.
    prefix: String,
    last: u64,
}

impl Default for RequestIds {
    fn default() -> Self {
        Self::new()
    }
}

impl RequestIds {
    /// Creates the ids of a new connection. A reply that was meant for another
    /// connection has one of these ids with a probability of 2⁻⁶⁴.
    #[must_use]
    pub fn new() -> Self {
        // The keys of the standard library's hasher are random, so the hash of
        // anything is.
        let random = RandomState::new().hash_one(std::process::id());
        Self {
            prefix: format!("{random:016x}-"),
            last: 0,
        }
    }

    /// Returns the id of the next request.
    pub fn next_id(&mut self) -> RequestId {
        self.last += 1;
        RequestId(format!("{}{}", self.prefix, self.last))
    }

    /// Returns whether a request of this connection has, or may have had, an id.
    #[must_use]
    pub fn has_made(&self, id: Node<'_>) -> bool {
        id.as_str().is_some_and(|id| id.starts_with(&self.prefix))
    }
}

/// The id of a request. Only [`RequestIds`] makes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(String);

impl RequestId {
    /// Returns the id as the text that is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lets a table with these keys be searched by the id in a reply.
impl Borrow<str> for RequestId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Encode for RequestId {
    fn encode(&self, out: &mut Writer<'_>) {
        self.0.encode(out);
    }
}

#[cfg(test)]
mod tests {
    use super::RequestIds;
    use crate::document::Document;

    #[test]
    fn id_belongs_to_the_connection_that_made_it() {
        let (mut own, mut other) = (RequestIds::new(), RequestIds::new());
        let (first, second) = (own.next_id(), own.next_id());
        assert_ne!(first, second);
        let has_made = |id: &str| {
            let id = format!("\"{id}\"");
            own.has_made(Document::parse(id.as_bytes()).unwrap().root())
        };
        assert!(has_made(first.as_str()) && has_made(second.as_str()));
        assert!(!has_made(other.next_id().as_str()) && !has_made("1"));
    }
}
