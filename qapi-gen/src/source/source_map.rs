//! All files of a schema.
//!
//! In: files, in the order in which they are read. Out: the file of an id, the
//! text of a span, the includes that lead to a file.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::excerpt::Excerpt;
use super::source_file::SourceFile;
use super::span::{FileId, Span};

/// The number of files in the first chunk; each further chunk has twice as
/// many as the one before.
const FIRST_CHUNK: usize = 8;
/// The number of chunks, enough for all `u32` ids.
const CHUNKS: usize = 29;

/// All files that were read, in the order in which they were read.
///
/// Files are added through a shared reference and never move, so that the
/// expressions of one file can borrow its text while another file is read.
#[derive(Debug, Default)]
pub struct SourceMap {
    chunks: [OnceLock<Box<[OnceLock<SourceFile>]>>; CHUNKS],
    next: AtomicU32,
}

impl SourceMap {
    /// Adds a file. Returns `None` if there are more files than ids.
    pub(crate) fn add(&self, file: SourceFile) -> Option<(FileId, &SourceFile)> {
        let id = FileId(self.next.fetch_add(1, Ordering::Relaxed));
        let (chunk, index) = Self::place(id);
        let empty = || (0..FIRST_CHUNK << chunk).map(|_| OnceLock::new()).collect();
        let slots = self.chunks.get(chunk)?.get_or_init(empty);
        // The slot is empty, because `fetch_add` returns each id once.
        Some((id, slots.get(index)?.get_or_init(|| file)))
    }

    /// Returns the file of an id, or `None` if the id is from another map.
    #[must_use]
    pub fn get(&self, id: FileId) -> Option<&SourceFile> {
        let (chunk, index) = Self::place(id);
        self.chunks.get(chunk)?.get()?.get(index)?.get()
    }

    /// Iterates over the files in the order in which they were read.
    pub fn iter(&self) -> impl Iterator<Item = (FileId, &SourceFile)> {
        (0..).map(FileId).map_while(|id| Some((id, self.get(id)?)))
    }

    /// Returns the text of a span, which is empty if the span is from another
    /// map.
    #[must_use]
    pub fn text(&self, span: Span) -> &str {
        self.get(span.file)
            .and_then(|file| file.text().get(span.range()))
            .unwrap_or_default()
    }

    /// Returns an owned copy of `part`, which shares the memory of the file if
    /// `part` borrows from its text.
    pub(crate) fn excerpt(&self, file: FileId, part: &str) -> Excerpt {
        match self.get(file) {
            Some(file) => Excerpt::new(file.shared_text(), part),
            None => part.to_owned().into(),
        }
    }

    /// Returns the span of an excerpt, or `None` if the excerpt does not share
    /// the memory of this file.
    pub(crate) fn place_of(&self, excerpt: &Excerpt, file: FileId) -> Option<Span> {
        let range = excerpt.range_in(self.get(file)?.shared_text())?;
        Some(range.within(file))
    }

    /// Returns the directives that lead from the main schema to a file, the
    /// main schema's first.
    #[must_use]
    pub fn include_chain(&self, file: FileId) -> Vec<Span> {
        let includer = |file| self.get(file).and_then(SourceFile::included_at);
        let mut chain: Vec<Span> =
            std::iter::successors(includer(file), |span| includer(span.file)).collect();
        chain.reverse();
        chain
    }

    /// Returns the chunk of an id and the index in the chunk.
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
    fn files_keep_their_ids() {
        let sources = SourceMap::default();
        let ids: Vec<FileId> = (0..100)
            .map(|n| {
                sources
                    .add(SourceFile::new(format!("{n}"), String::new(), None))
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
