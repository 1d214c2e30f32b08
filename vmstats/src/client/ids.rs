//! The ids of a client's requests.
//!
//! In: nothing. Out: ids that no other client uses. A QEMU hands replies that one
//! client has not read to the next, and only the id tells them apart.

use std::hash::{BuildHasher, RandomState};

use qapi_stats::wire::Node;

/// The ids of one client's requests, in order.
#[derive(Clone, Debug)]
pub(super) struct RequestIds {
    /// The beginning of each id, with 64 random bits.
    prefix: String,
    last: u64,
}

impl RequestIds {
    pub(super) fn new() -> Self {
        // The keys of the standard library's hasher are random, so the hash of
        // anything is.
        let random = RandomState::new().hash_one(std::process::id());
        Self {
            prefix: format!("vmstats-{random:016x}-"),
            last: 0,
        }
    }

    /// Returns the id of the next request.
    pub(super) fn next(&mut self) -> String {
        self.last += 1;
        format!("{}{}", self.prefix, self.last)
    }

    /// Returns whether a request of this client has, or may have had, an id.
    pub(super) fn has_made(&self, id: Node<'_>) -> bool {
        id.as_str().is_some_and(|id| id.starts_with(&self.prefix))
    }
}

#[cfg(test)]
mod tests {
    use qapi_stats::wire::Document;

    use super::RequestIds;

    #[test]
    fn id_belongs_to_the_client_that_made_it() {
        let (mut own, mut other) = (RequestIds::new(), RequestIds::new());
        let (first, second) = (own.next(), own.next());
        assert_ne!(first, second);
        let has_made = |id: &str| {
            let id = format!("\"{id}\"");
            own.has_made(Document::parse(id.as_bytes()).unwrap().root())
        };
        assert!(has_made(&first) && has_made(&second));
        assert!(!has_made(&other.next()) && !has_made("vmstats-1"));
    }
}
