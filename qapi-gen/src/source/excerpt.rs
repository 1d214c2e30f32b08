//! Names and other short texts that outlive the stages that read them.
//!
//! In: a piece of a file's text, or a text that stands in no file. Out: the
//! same, to be kept for as long as need be. A schema has thousands of names,
//! nearly all of which stand in its files: those are not copied.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use super::Stretch;

/// A text that shares the memory of the file in which it stands, if it stands
/// in one. It reads like a `str`.
#[derive(Clone)]
pub struct Excerpt {
    whole: Arc<String>,
    at: Stretch,
}

impl Excerpt {
    /// A part of a text, which it is to share the memory of.
    pub(super) fn new(whole: &Arc<String>, part: &str) -> Self {
        match Stretch::of(part, whole) {
            Some(at) => Self {
                whole: Arc::clone(whole),
                at,
            },
            None => part.to_owned().into(),
        }
    }

    /// Where it is in a text whose memory it may share.
    pub(super) fn stretch_of(&self, whole: &Arc<String>) -> Option<Stretch> {
        Arc::ptr_eq(&self.whole, whole).then_some(self.at)
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.at.text(&self.whole)
    }
}

impl From<String> for Excerpt {
    fn from(whole: String) -> Self {
        Self {
            at: Stretch::new(0, whole.len()),
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
        // As a `str`, so that one finds the other.
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
    fn a_part_shares_memory_and_anything_else_does_not() {
        let whole = Arc::new("one two".to_owned());
        let part = whole.get(4..).unwrap();
        let excerpt = Excerpt::new(&whole, part);
        assert_eq!(excerpt, "two");
        assert_eq!(excerpt.as_ptr(), part.as_ptr());
        assert_eq!(Excerpt::new(&whole, "three"), "three");
        assert_eq!(Arc::strong_count(&whole), 2);
    }
}
