//! The schema files and places in them.
//!
//! In: the text of every file that is read. Out: ids, spans, lines, columns.
//! This room does not know what the text at a place means.

mod column;
mod excerpt;
mod line_ends;
mod source_file;
mod source_map;
mod span;

pub use excerpt::Excerpt;
pub use source_file::SourceFile;
pub use source_map::SourceMap;
pub(crate) use span::ByteRange;
pub use span::{FileId, Span};
