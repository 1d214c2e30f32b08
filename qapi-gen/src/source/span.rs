//! Places in schema files, as byte offsets.
//!
//! In: offsets. Out: ids, spans and ranges to pass around. Lines, columns and
//! the texts themselves are in other files of this folder.

use std::ops::Range;

/// A file of a [`SourceMap`](super::SourceMap).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(pub(super) u32);

/// A range of bytes in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The file.
    pub file: FileId,
    /// The offset of the first byte in the file's text;
    /// [`SourceFile::file_offset`](super::SourceFile::file_offset) converts an
    /// offset to one in the file on disk.
    pub start: u32,
    /// The offset of the byte after the last one.
    pub end: u32,
}

impl Span {
    /// Returns the span as a range of byte offsets.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A range of bytes in a text that the context determines: a [`Span`] without
/// its file, at half the size of a `Range<usize>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ByteRange {
    start: u32,
    end: u32,
}

impl ByteRange {
    /// Creates a range from one offset to another.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "files are limited to less than 4 GiB"
    )]
    pub(crate) fn new(start: usize, end: usize) -> Self {
        Self {
            start: start as u32,
            end: end as u32,
        }
    }

    /// Returns the range of a part of a text, or `None` if `part` does not
    /// borrow from `whole`.
    pub(crate) fn of(part: &str, whole: &str) -> Option<Self> {
        let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
        let end = start.checked_add(part.len())?;
        (end <= whole.len()).then(|| Self::new(start, end))
    }

    /// Returns the text in the range. `whole` must be the text that the range
    /// was made for.
    #[expect(
        clippy::string_slice,
        reason = "a range is made from a part of the same text"
    )]
    pub(crate) fn text(self, whole: &str) -> &str {
        &whole[self.range()]
    }

    /// Returns the text between this range and `later`, or `None` if `later`
    /// begins before this range ends.
    pub(crate) fn text_between(self, later: Self, whole: &str) -> Option<&str> {
        whole.get(self.end as usize..later.start as usize)
    }

    /// Returns the range from the start of this one to the end of `later`.
    pub(crate) fn to(self, later: Self) -> Self {
        Self {
            start: self.start,
            end: later.end,
        }
    }

    /// Returns the range as one of indices.
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// Returns the span of the range in a file.
    pub(crate) fn within(self, file: FileId) -> Span {
        Span {
            file,
            start: self.start,
            end: self.end,
        }
    }
}

impl From<Span> for ByteRange {
    fn from(span: Span) -> Self {
        Self {
            start: span.start,
            end: span.end,
        }
    }
}
