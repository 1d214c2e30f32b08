//! Documentation comments as such.
//!
//! In: the comments of a block, token by token. Out: lines without their
//! markers, and a draft of the block. It does not know what a line begins;
//! that differs between the versions of QEMU.

use super::block::{DocBlock, Draft, SectionKind};
use crate::diag::{Diagnostics, Problem, Severity, Site};
use crate::source::{ByteRange, Span};
use crate::syntax::lexer::Token;
use crate::syntax::parser::{Parser, Reported};

/// Reads the lines of a block and keeps what becomes of it.
pub(super) struct Reader<'p, 's> {
    pub(super) parser: &'p mut Parser<'s>,
    pub(super) diagnostics: &'p mut Diagnostics,
    /// Whether the line that ends the block is still to come.
    pub(super) open: bool,
    /// Where the block begins.
    start: Span,
}

impl<'p, 's> Reader<'p, 's> {
    /// A reader for the block whose first line is the token at hand.
    pub(super) fn new(parser: &'p mut Parser<'s>, diagnostics: &'p mut Diagnostics) -> Self {
        let start = parser.span;
        parser.draft.clear(start);
        Self {
            parser,
            diagnostics,
            open: true,
            start,
        }
    }

    /// Checks the line that opens the block.
    pub(super) fn opening(&mut self) -> Result<(), Reported> {
        if self.parser.token == Token::Comment("##") {
            return Ok(());
        }
        self.fail(Problem::DocJunkAtStart)
    }

    /// The next line without its marker; `None` after the last.
    pub(super) fn next_line(&mut self) -> Result<Option<&'s str>, Reported> {
        self.parser.advance(true, self.diagnostics)?;
        let Token::Comment(comment) = self.parser.token else {
            return self.fail(Problem::DocUnterminated);
        };
        if comment.starts_with("##") {
            self.open = false;
            if comment != "##" {
                return self.fail(Problem::DocJunkAtEnd);
            }
            return Ok(None);
        }
        match comment.strip_prefix("# ") {
            Some(line) => Ok(Some(line)),
            None if comment == "#" => Ok(Some("")),
            None => self.fail(Problem::DocMissingSpace),
        }
    }

    /// Where the line at hand stands.
    pub(super) fn span(&self) -> Span {
        self.parser.span
    }

    /// Reports a problem after which the block makes no sense.
    pub(super) fn fail<T>(&mut self, problem: Problem) -> Result<T, Reported> {
        Err(self.parser.fail(problem, self.diagnostics))
    }

    /// Reports a fault of style. If this is only a warning, the block goes on,
    /// and what is at fault is read for what it must mean.
    pub(super) fn fault(&mut self, problem: Problem) -> Result<(), Reported> {
        let site = Site::exact(self.parser.span);
        match self.diagnostics.report_at(problem, Some(site)) {
            Severity::Warning => Ok(()),
            Severity::Error => Err(Reported),
        }
    }

    /// Reports a problem of which QEMU tells only the line; the block goes on.
    pub(super) fn complain(&mut self, problem: Problem, span: Span) {
        self.diagnostics.report_at(problem, Some(Site::line(span)));
    }

    /// The block so far.
    pub(super) fn draft(&self) -> &Draft {
        &self.parser.draft
    }

    /// Whether the last section has no text but white space.
    pub(super) fn is_section_blank(&self) -> bool {
        let text = self.parser.source.text();
        let lines = self.draft().section_lines();
        lines.iter().all(|line| line.text(text).trim().is_empty())
    }

    /// What sections of a kind describe, from the section `first` on.
    pub(super) fn names(
        &self,
        kind: SectionKind,
        first: usize,
    ) -> impl Iterator<Item = &'s str> + Clone {
        let text = self.parser.source.text();
        let names = self.draft().names(kind, first);
        names.map(move |name| name.text(text))
    }

    /// Begins a section with the line at hand; `name` is what it describes.
    pub(super) fn begin(&mut self, kind: SectionKind, name: &str) {
        let name = self.stretch(name);
        self.parser.draft.begin(kind, name, self.parser.span);
    }

    /// Goes on with plain text at the line at hand.
    pub(super) fn begin_plain(&mut self) {
        self.parser.draft.begin_plain(self.parser.span);
    }

    /// Adds a part of the line at hand, or a blank line.
    pub(super) fn append(&mut self, line: &str) {
        let line = self.stretch(line);
        self.parser.draft.append(line, self.parser.source.text());
    }

    /// The block, once it is read.
    pub(super) fn finish(&mut self, symbol: Option<&str>) -> DocBlock {
        let source = self.parser.source;
        self.parser.draft.finish(source, self.start, symbol)
    }

    /// Where something stands in the file; nothing stands nowhere.
    fn stretch(&self, part: &str) -> ByteRange {
        if part.is_empty() {
            return ByteRange::default();
        }
        ByteRange::of(part, self.parser.source.text()).unwrap_or_default()
    }
}
