//! Documentation comments.
//!
//! In: a cursor at the first line of a block. Out: the block, cut into
//! sections. It does not know what is documented, nor whether that exists.

use super::cursor::Cursor;
use crate::diag::{Diagnostics, Problem, Site};
use crate::rules::Fact;

mod block;
mod line_format;
mod line_reader;
mod markup;
mod qemu_10_0;
mod qemu_7_2;

pub use block::DocText;
pub(crate) use block::{DocBlock, Draft, Section, SectionKind};
use line_reader::LineReader;

/// Reads the block whose first line is the current token, and advances to the
/// next item. Reports what is wrong with the block, and returns `None` if the
/// block cannot be used.
pub(super) fn read(
    cursor: &mut Cursor<'_>,
    draft: &mut Draft,
    diagnostics: &mut Diagnostics,
) -> Option<DocBlock> {
    let by_tag = cursor.rules.have(Fact::SectionsByTag);
    let mut reader = LineReader::new(cursor, draft, diagnostics);
    let block = if by_tag {
        qemu_7_2::read(&mut reader)
    } else {
        qemu_10_0::read(&mut reader)
    };
    let is_unterminated = reader.is_unterminated;
    if block.is_err() {
        cursor.lexer.leave_comment();
    }
    if !is_unterminated {
        cursor.advance_to_item(diagnostics);
    }
    let block = block.ok()?;
    // `qemu_7_2` reports an empty section where it ends, in other words.
    if !by_tag {
        for section in block.sections() {
            if section.kind != SectionKind::Plain && section.text.is_empty() {
                let problem = Problem::DocEmptySection(section.kind.tag());
                diagnostics.report_at(problem, Some(Site::line(section.span)));
            }
        }
    }
    Some(block)
}
