//! Names and other short texts that outlive the stages that read them.
//!
//! In: part of a file's text, or any other text. Out: an owned text. A schema
//! has thousands of names, nearly all of them verbatim in its files: an owned
//! name shares the file's memory instead of copying.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::span::ByteRange;

/// An owned text that shares the memory of the file it was read from, if it
/// was read from one. It dereferences to `str`.
#[derive(Clone)]
pub struct Excerpt {
    whole: Arc<String>,
    at: ByteRange,
}

impl Excerpt {
    /// Creates an excerpt that shares the memory of `whole` if `part` borrows
    /// from it, and copies `part` otherwise.
    pub(super) fn new(whole: &Arc<String>, part: &str) -> Self {
        match ByteRange::of(part, whole) {
            Some(at) => Self {
                whole: Arc::clone(whole),
                at,
            },
            None => part.to_owned().into(),
        }
    }

    /// Returns where in `whole` the excerpt is, or `None` if it does not share
    /// the memory of `whole`.
    pub(super) fn range_in(&self, whole: &Arc<String>) -> Option<ByteRange> {
        Arc::ptr_eq(&self.whole, whole).then_some(self.at)
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.at.text(&self.whole)
    }
}

impl From<String> for Excerpt {
    fn from(whole: String) -> Self {
        Self {
            at: ByteRange::new(0, whole.len()),
            whole: Arc::new(whole),
        }
    }
}

impl Deref for Excerpt {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Excerpt {
    fn borrow(&self) -> &str {
        self
    }
}

impl AsRef<str> for Excerpt {
    fn as_ref(&self) -> &str {
        self
    }
}

impl PartialEq for Excerpt {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for Excerpt {}

impl PartialEq<str> for Excerpt {
    fn eq(&self, other: &str) -> bool {
        **self == *other
    }
}

impl PartialEq<&str> for Excerpt {
    fn eq(&self, other: &&str) -> bool {
        **self == **other
    }
}

impl Hash for Excerpt {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Hash as a `str`, because `Borrow<str>` promises equal hashes;
        // otherwise a map could not be searched with a `str`.
        (**self).hash(state);
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl fmt::Debug for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpt_shares_memory_when_part_borrows_from_whole() {
        let whole = Arc::new("one two".to_owned());
        let part = whole.get(4..).unwrap();
        let excerpt = Excerpt::new(&whole, part);
        assert_eq!(excerpt, "two");
        assert_eq!(excerpt.as_ptr(), part.as_ptr());
        assert_eq!(Excerpt::new(&whole, "three"), "three");
        assert_eq!(Arc::strong_count(&whole), 2);
    }
}
