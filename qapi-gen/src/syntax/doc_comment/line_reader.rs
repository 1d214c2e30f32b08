//! The lines of a documentation comment.
//!
//! In: the comments of a block, token by token. Out: lines without their `# `,
//! and a draft of the block. What a line begins depends on the release of
//! QEMU, which this file does not know.

use super::block::{DocBlock, Draft, SectionKind};
use crate::diag::{Diagnostics, Problem, Reported, Site};
use crate::source::{ByteRange, Span};
use crate::syntax::cursor::Cursor;
use crate::syntax::lexer::{Token, is_space};

/// A reader of the lines of one block, and the draft of the block.
pub(super) struct LineReader<'p, 's> {
    pub(super) cursor: &'p mut Cursor<'s>,
    pub(super) diagnostics: &'p mut Diagnostics,
    /// True if the block ends without the line that should end it, so that the
    /// current token follows the block.
    pub(super) is_unterminated: bool,
    draft: &'p mut Draft,
    /// The span of the block's first line.
    start: Span,
}

impl<'p, 's> LineReader<'p, 's> {
    /// Creates a reader for the block whose first line is the current token.
    pub(super) fn new(
        cursor: &'p mut Cursor<'s>,
        draft: &'p mut Draft,
        diagnostics: &'p mut Diagnostics,
    ) -> Self {
        let start = cursor.span;
        draft.clear(start);
        Self {
            cursor,
            diagnostics,
            is_unterminated: false,
            draft,
            start,
        }
    }

    /// Checks the line that opens the block. Returns an error if the comment is
    /// not a block.
    pub(super) fn opening(&mut self) -> Result<(), Reported> {
        if self.cursor.token == Token::Comment("##") {
            return Ok(());
        }
        self.fault(Problem::DocJunkAtStart);
        match self.cursor.token {
            Token::Comment(comment) if comment.starts_with("##") => Ok(()),
            _ => Err(Reported),
        }
    }

    /// Advances to the next line and returns it without its `# `, or `None`
    /// after the last line.
    pub(super) fn next_line(&mut self) -> Result<Option<&'s str>, Reported> {
        self.cursor.advance(true, self.diagnostics)?;
        let Token::Comment(comment) = self.cursor.token else {
            self.fault(Problem::DocUnterminated);
            self.is_unterminated = true;
            return Ok(None);
        };
        if comment.starts_with("##") {
            if comment != "##" {
                self.fault(Problem::DocJunkAtEnd);
            }
            return Ok(None);
        }
        if let Some(line) = comment.strip_prefix("# ") {
            return Ok(Some(line));
        }
        if comment != "#" {
            self.fault(Problem::DocMissingSpace);
        }
        Ok(comment.strip_prefix('#'))
    }

    /// Returns the name of the definition that the block documents; `rest`
    /// follows the `@` in the line that gives the name.
    pub(super) fn symbol(&mut self, rest: &'s str) -> Result<&'s str, Reported> {
        let symbol = rest.strip_suffix(':').unwrap_or_else(|| {
            self.fault(Problem::DocSymbolColon);
            let ends = |c| c == ':' || is_space(c);
            rest.split(ends).next().unwrap_or(rest)
        });
        if symbol.is_empty() {
            return Err(self
                .cursor
                .fail(Problem::DocSymbolMissing, self.diagnostics));
        }
        Ok(symbol)
    }

    /// Returns the span of the current line.
    pub(super) fn span(&self) -> Span {
        self.cursor.span
    }

    /// Reports a problem with the current line. The block is read on, and the
    /// faulty line is taken for what it must mean.
    pub(super) fn fault(&mut self, problem: Problem) {
        self.fault_at(problem, self.cursor.span);
    }

    /// Reports a problem as [`Self::fault`] does, at a place within the current
    /// line.
    pub(super) fn fault_at(&mut self, problem: Problem, at: Span) {
        self.diagnostics.report_at(problem, Some(Site::exact(at)));
    }

    /// Reports a problem for which QEMU's message names only the line. The
    /// block is read on.
    pub(super) fn report_line(&mut self, problem: Problem, span: Span) {
        self.diagnostics.report_at(problem, Some(Site::line(span)));
    }

    /// Returns the block as far as it has been read.
    pub(super) fn draft(&self) -> &Draft {
        self.draft
    }

    /// Returns the words by which messages name the last section.
    pub(super) fn title(&self) -> String {
        let text = self.cursor.source.text();
        let last = self.draft.last();
        last.map_or_else(String::new, |(kind, name, _)| {
            kind.title(name.text(text), self.cursor.rules)
        })
    }

    /// Returns whether the last section contains nothing but white space.
    pub(super) fn is_section_blank(&self) -> bool {
        let text = self.cursor.source.text();
        let lines = self.draft().section_lines();
        lines.iter().all(|line| line.text(text).trim().is_empty())
    }

    /// Returns the names that sections of a kind describe, beginning with
    /// section number `first`.
    pub(super) fn names(
        &self,
        kind: SectionKind,
        first: usize,
    ) -> impl Iterator<Item = &'s str> + Clone {
        let text = self.cursor.source.text();
        let names = self.draft().names(kind, first);
        names.map(move |name| name.text(text))
    }

    /// Begins a section at the current line; `name` is the member or feature
    /// that the section describes, if any.
    pub(super) fn begin(&mut self, kind: SectionKind, name: &str) {
        let name = self.range(name);
        self.draft.begin(kind, name, self.cursor.span);
    }

    /// Makes an introduction of the text before the first section.
    pub(super) fn begin_intro(&mut self) {
        self.draft.begin_intro();
    }

    /// Begins or continues plain text at the current line.
    pub(super) fn begin_plain(&mut self) {
        self.draft.begin_plain(self.cursor.span);
    }

    /// Adds part of the current line, or a blank line, to the last section.
    pub(super) fn append(&mut self, line: &str) {
        let line = self.range(line);
        self.draft.append(line, self.cursor.source.text());
    }

    /// Returns the finished block; `symbol` is the name of what it documents.
    pub(super) fn finish(&mut self, symbol: Option<&str>) -> DocBlock {
        let source = self.cursor.source;
        self.draft.finish(source, self.start, symbol)
    }

    /// Returns the range of a part of the file's text, or an empty range for
    /// an empty part.
    #[expect(
        clippy::expect_used,
        reason = "an empty default would silently drop documentation"
    )]
    fn range(&self, part: &str) -> ByteRange {
        if part.is_empty() {
            return ByteRange::default();
        }
        ByteRange::of(part, self.cursor.source.text()).expect("a line borrows from its file")
    }
}
