//! Where things stand in the schema files.
//!
//! In: the text of every file that is read. Out: ids, spans, lines, columns.
//! It holds positions and knows nothing of what stands there.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

mod column;
mod excerpt;
mod line_ends;

use column::Columns;
pub use excerpt::Excerpt;
use line_ends::LineEnds;

/// A file of a [`Sources`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileId(u32);

/// A stretch of a file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// Which file.
    pub file: FileId,
    /// Where it begins, a byte offset into the file's text; what that is in
    /// the file, [`Source::file_offset`] tells.
    pub start: u32,
    /// Where it ends; the byte at this offset is no longer part of it.
    pub end: u32,
}

impl Span {
    /// The stretch as a range of byte offsets.
    #[must_use]
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// A stretch of a text that is known from elsewhere, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stretch {
    start: u32,
    end: u32,
}

impl Stretch {
    /// From one offset to another.
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

    /// Where a part of a text is in it; `None` if it is no part of it.
    pub(crate) fn of(part: &str, whole: &str) -> Option<Self> {
        let start = part.as_ptr().addr().checked_sub(whole.as_ptr().addr())?;
        let end = start.checked_add(part.len())?;
        (end <= whole.len()).then(|| Self::new(start, end))
    }

    /// What stands there in the text that it is a stretch of.
    pub(crate) fn text(self, whole: &str) -> &str {
        whole.get(self.range()).unwrap_or_default()
    }

    /// What stands between this and a later stretch.
    pub(crate) fn gap(self, later: Self) -> Self {
        Self {
            start: self.end,
            end: later.start,
        }
    }

    /// From here to the end of a later stretch.
    pub(crate) fn to(self, later: Self) -> Self {
        Self {
            start: self.start,
            end: later.end,
        }
    }

    /// The same as a range of indices.
    pub(crate) fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The same in a file.
    pub(crate) fn within(self, file: FileId) -> Span {
        Span {
            file,
            start: self.start,
            end: self.end,
        }
    }
}

impl From<Span> for Stretch {
    fn from(span: Span) -> Self {
        Self {
            start: span.start,
            end: span.end,
        }
    }
}

/// A file's text, and how it came to be read.
#[derive(Debug)]
pub struct Source {
    name: String,
    text: Arc<String>,
    included_at: Option<Span>,
    line_starts: OnceLock<Vec<u32>>,
    line_ends: LineEnds,
    columns: Columns,
    qemu_columns: Columns,
}

impl Source {
    /// A file called `name`, included by the directive at `included_at`.
    ///
    /// Line ends become `\n` and the last line gets one, so that nothing
    /// else has to know of other ways to end a line.
    pub(crate) fn new(name: String, text: String, included_at: Option<Span>) -> Self {
        let (text, line_ends) = LineEnds::normalize(text);
        Self {
            name,
            text: Arc::new(text),
            included_at,
            line_starts: OnceLock::new(),
            line_ends,
            columns: Columns::of_characters(),
            qemu_columns: Columns::of_qemu(),
        }
    }

    /// The path under which the file was opened.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text, its lines ended by `\n`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The same, for as long as need be.
    pub(crate) fn shared_text(&self) -> &Arc<String> {
        &self.text
    }

    /// The directive that included the file; `None` for the main schema.
    #[must_use]
    pub fn included_at(&self) -> Option<Span> {
        self.included_at
    }

    /// The offset of the last line's end.
    pub(crate) fn end(&self) -> u32 {
        u32::try_from(self.text.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// The line that holds a byte offset, counted from 1.
    #[must_use]
    pub fn line(&self, offset: u32) -> usize {
        self.line_starts().partition_point(|&start| start <= offset)
    }

    /// The column of a byte offset, counted in characters (Unicode scalar
    /// values) from 1, as editors do.
    #[must_use]
    pub fn column(&self, offset: u32) -> usize {
        let start = self.line_start(offset);
        self.columns.column(&self.text, start, offset)
    }

    /// The column as QEMU's generator counts it, whose messages are compared
    /// with ours: the same but for tabs.
    #[must_use]
    pub fn qemu_column(&self, offset: u32) -> usize {
        let start = self.line_start(offset);
        self.qemu_columns.column(&self.text, start, offset)
    }

    /// The offset in the file as it is of a byte offset into the text, in
    /// which a line end is always one byte.
    #[must_use]
    pub fn file_offset(&self, offset: u32) -> u32 {
        self.line_ends.file_offset(offset)
    }

    /// The offset at which the line with the byte `offset` begins.
    #[must_use]
    pub fn line_start(&self, offset: u32) -> u32 {
        let starts = self.line_starts();
        let line = starts.partition_point(|&start| start <= offset);
        starts.get(line.saturating_sub(1)).copied().unwrap_or(0)
    }

    fn line_starts(&self) -> &[u32] {
        self.line_starts.get_or_init(|| {
            let ends = self
                .text
                .bytes()
                .zip(1u32..)
                .filter(|&(byte, _)| byte == b'\n');
            let mut starts: Vec<u32> = std::iter::once(0)
                .chain(ends.map(|(_, next)| next))
                .collect();
            // After the last line end there is no line.
            starts.pop();
            starts
        })
    }
}

/// Chunk `n` holds `FIRST_CHUNK << n` files.
const FIRST_CHUNK: usize = 8;
/// The chunks: enough for every id that fits.
const CHUNKS: usize = 29;

/// All files that were read, in the order in which they were read.
///
/// Files are added through a shared reference and never move, so that the
/// expressions of one file can borrow its text while another is read.
#[derive(Debug, Default)]
pub struct Sources {
    chunks: [OnceLock<Box<[OnceLock<Source>]>>; CHUNKS],
    next: AtomicU32,
}

impl Sources {
    /// Adds a file; `None` if there are too many to count.
    pub(crate) fn add(&self, source: Source) -> Option<(FileId, &Source)> {
        let id = FileId(self.next.fetch_add(1, Ordering::Relaxed));
        let (chunk, index) = Self::place(id);
        let empty = || (0..FIRST_CHUNK << chunk).map(|_| OnceLock::new()).collect();
        let slots = self.chunks.get(chunk)?.get_or_init(empty);
        // The id is new, so nobody has filled its slot.
        Some((id, slots.get(index)?.get_or_init(|| source)))
    }

    /// A file; `None` if the id is another collection's.
    #[must_use]
    pub fn get(&self, id: FileId) -> Option<&Source> {
        let (chunk, index) = Self::place(id);
        self.chunks.get(chunk)?.get()?.get(index)?.get()
    }

    /// The files in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &Source)> {
        (0..).map(FileId).map_while(|id| Some((id, self.get(id)?)))
    }

    /// The text of a stretch.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file)
            .and_then(|source| source.text.get(span.range()))
            .unwrap_or_default()
    }

    /// A text that stands in a file, for as long as need be.
    pub(crate) fn excerpt(&self, file: FileId, part: &str) -> Excerpt {
        match self.get(file) {
            Some(source) => Excerpt::new(&source.text, part),
            None => part.to_owned().into(),
        }
    }

    /// Where such a text stands; `None` if it stands in another file, or in
    /// none.
    pub(crate) fn place_of(&self, excerpt: &Excerpt, file: FileId) -> Option<Span> {
        let stretch = excerpt.stretch_of(&self.get(file)?.text)?;
        Some(stretch.within(file))
    }

    /// The directives that lead to a file, the main schema's first.
    #[must_use]
    pub fn include_chain(&self, file: FileId) -> Vec<Span> {
        let includer = |file| self.get(file).and_then(Source::included_at);
        let mut chain: Vec<Span> =
            std::iter::successors(includer(file), |span| includer(span.file)).collect();
        chain.reverse();
        chain
    }

    fn place(FileId(id): FileId) -> (usize, usize) {
        let shifted = id as usize + FIRST_CHUNK;
        let chunk = (shifted.ilog2() - FIRST_CHUNK.ilog2()) as usize;
        (chunk, shifted - (FIRST_CHUNK << chunk))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        let source = Source::new("a".to_owned(), "ab\n\té#\n".to_owned(), None);
        let place = |offset| {
            let (line, column) = (source.line(offset), source.column(offset));
            (line, column, source.qemu_column(offset))
        };
        assert_eq!(place(0), (1, 1, 1));
        assert_eq!(place(2), (1, 3, 3));
        assert_eq!(place(3), (2, 1, 1));
        assert_eq!(place(4), (2, 2, 1));
        assert_eq!(place(6), (2, 3, 2));
    }

    #[test]
    fn line_ends_are_made_equal() {
        let source = Source::new("a".to_owned(), "a\r\nb\rc".to_owned(), None);
        assert_eq!(source.text(), "a\nb\nc\n");
        assert_eq!(source.line(4), 3);
        assert_eq!(source.line(5), 3);
    }

    #[test]
    fn files_keep_their_ids() {
        let sources = Sources::default();
        let ids: Vec<FileId> = (0..100)
            .map(|n| {
                sources
                    .add(Source::new(format!("{n}"), String::new(), None))
                    .unwrap()
                    .0
            })
            .collect();
        for (n, id) in ids.into_iter().enumerate() {
            assert_eq!(sources.get(id).unwrap().name(), format!("{n}"));
        }
        assert_eq!(sources.iter().count(), 100);
    }
}
