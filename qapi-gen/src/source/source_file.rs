//! One schema file that was read.
//!
//! In: a file's name and text. Out: its lines and columns. It does not know
//! what the text says.

use std::sync::{Arc, OnceLock};

use super::column::Columns;
use super::line_ends::LineEnds;
use super::span::Span;

/// A file's text, and how the file came to be read.
#[derive(Debug)]
pub struct SourceFile {
    name: String,
    text: Arc<String>,
    included_at: Option<Span>,
    /// The offset of each line's first byte. Only diagnostics need it, so it
    /// is computed on first use.
    line_starts: OnceLock<Vec<u32>>,
    line_ends: LineEnds,
    columns: Columns,
    qemu_columns: Columns,
}

impl SourceFile {
    /// Creates a file called `name`, included by the directive at
    /// `included_at`.
    ///
    /// All line ends become `\n`, and the last line gets one if it has none,
    /// so that no later stage has to know other line ends.
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

    /// Returns the path under which the file was opened.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the text, each line ended by `\n`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Returns the text for owners that outlive the file.
    pub(crate) fn shared_text(&self) -> &Arc<String> {
        &self.text
    }

    /// Returns the directive that included the file, or `None` for the main
    /// schema.
    #[must_use]
    pub fn included_at(&self) -> Option<Span> {
        self.included_at
    }

    /// Returns the offset of the last line's `\n`.
    pub(crate) fn end(&self) -> u32 {
        u32::try_from(self.text.len().saturating_sub(1)).unwrap_or(u32::MAX)
    }

    /// Returns the line that contains a byte offset, counted from 1.
    #[must_use]
    pub fn line(&self, offset: u32) -> usize {
        self.line_starts().partition_point(|&start| start <= offset)
    }

    /// Returns the column of a byte offset, counted in characters (Unicode
    /// scalar values) from 1, as editors do.
    #[must_use]
    pub fn column(&self, offset: u32) -> usize {
        let start = self.line_start(offset);
        self.columns.column(&self.text, start, offset)
    }

    /// Returns the column of a byte offset as QEMU's generator counts it,
    /// which differs from [`Self::column`] after a tab. QEMU's messages
    /// contain this column.
    #[must_use]
    pub fn qemu_column(&self, offset: u32) -> usize {
        let start = self.line_start(offset);
        self.qemu_columns.column(&self.text, start, offset)
    }

    /// Converts a byte offset in the text, where each line end is one byte, to
    /// the offset in the file on disk.
    #[must_use]
    pub fn file_offset(&self, offset: u32) -> u32 {
        self.line_ends.file_offset(offset)
    }

    /// Returns the offset of the first byte of the line that contains the byte
    /// at `offset`.
    #[must_use]
    #[expect(
        clippy::indexing_slicing,
        reason = "the first line starts at 0, which is not after any offset"
    )]
    pub fn line_start(&self, offset: u32) -> u32 {
        let starts = self.line_starts();
        let line = starts.partition_point(|&start| start <= offset);
        starts[line - 1]
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
            // The text ends with `\n`, after which no further line begins.
            starts.pop();
            starts
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_columns_count_from_one() {
        let file = SourceFile::new("a".to_owned(), "ab\n\té#\n".to_owned(), None);
        let place = |offset| {
            let (line, column) = (file.line(offset), file.column(offset));
            (line, column, file.qemu_column(offset))
        };
        assert_eq!(place(0), (1, 1, 1));
        assert_eq!(place(2), (1, 3, 3));
        assert_eq!(place(3), (2, 1, 1));
        assert_eq!(place(4), (2, 2, 1));
        assert_eq!(place(6), (2, 3, 2));
    }

    #[test]
    fn line_ends_are_normalized() {
        let file = SourceFile::new("a".to_owned(), "a\r\nb\rc".to_owned(), None);
        assert_eq!(file.text(), "a\nb\nc\n");
        assert_eq!(file.line(4), 3);
        assert_eq!(file.line(5), 3);
    }
}
