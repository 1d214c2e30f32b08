//! Documentation comments.
//!
//! In: a cursor at the first line of a block. Out: the block, cut into
//! sections. It does not know what is documented, nor whether that exists.

use super::cursor::Cursor;
use crate::diag::{Diagnostics, Problem, Site};
use crate::rules::Fact;

mod block;
mod by_indentation;
mod by_tag;
mod line_format;
mod line_reader;
mod markup;

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
        by_tag::read(&mut reader)
    } else {
        by_indentation::read(&mut reader)
    };
    let is_unterminated = reader.is_unterminated;
    if block.is_err() {
        cursor.lexer.leave_comment();
    }
    if !is_unterminated {
        leave(cursor, diagnostics);
    }
    let block = block.ok()?;
    // `by_tag` reports an empty section where it ends, in other words.
    if !by_tag {
        for section in block.sections() {
            let may_be_empty = matches!(section.kind, SectionKind::Plain | SectionKind::Intro);
            if !may_be_empty && section.text.is_empty() {
                let title = section.kind.title(section.name, cursor.rules);
                let problem = Problem::DocEmptySection(title);
                diagnostics.report_at(problem, Some(Site::line(section.span)));
            }
        }
    }
    Some(block)
}

/// Advances from the last line of a block to the next item.
fn leave(cursor: &mut Cursor<'_>, diagnostics: &mut Diagnostics) {
    let is_block = cursor.rules.have(Fact::CommentAfterBlockIsBlock);
    if cursor.advance(is_block, diagnostics).is_err() {
        cursor.lexer.resynchronize();
        cursor.advance_to_item(diagnostics);
    }
}
