//! A position in a file's tokens.
//!
//! In: a file's text. Out: the current token, with its span; reports about
//! it. It knows neither expressions nor documentation.

use super::lexer::{Lexer, Token};
use crate::diag::{Diagnostics, Problem, Reported, Site};
use crate::rules::{Fact, Rules};
use crate::source::{FileId, SourceFile, Span};

/// The current token of a file and what is needed to go on to the next.
#[derive(Debug)]
pub(super) struct Cursor<'s> {
    pub(super) lexer: Lexer<'s>,
    pub(super) token: Token<'s>,
    pub(super) span: Span,
    pub(super) source: &'s SourceFile,
    pub(super) rules: Rules,
    /// True if something that is not a comment was skipped because it is wrong.
    pub(super) has_skipped: bool,
    file: FileId,
}

impl<'s> Cursor<'s> {
    /// Creates a cursor before the first token of `text`, which is the start
    /// of the file's text.
    pub(super) fn new(file: FileId, source: &'s SourceFile, text: &'s str, rules: Rules) -> Self {
        let span = Span {
            file,
            start: 0,
            end: 0,
        };
        Self {
            lexer: Lexer::new(text),
            token: Token::End,
            span,
            source,
            rules,
            has_skipped: false,
            file,
        }
    }

    /// Advances to the first token of the next top-level item. Reports wrong
    /// tokens before it and skips what they belong to.
    pub(super) fn advance_to_item(&mut self, diagnostics: &mut Diagnostics) {
        while self.advance(false, diagnostics).is_err() {
            self.lexer.resynchronize();
        }
    }

    /// Advances to the next token; `comments` says whether comments are
    /// tokens, as [`Lexer::next`] explains.
    pub(super) fn advance(
        &mut self,
        comments: bool,
        diagnostics: &mut Diagnostics,
    ) -> Result<(), Reported> {
        let (token, start, end) = self.lexer.next(comments);
        self.span = self.place(start, end);
        match token {
            Ok(token) => {
                self.token = token;
                Ok(())
            }
            Err(problem) => {
                self.has_skipped = true;
                let problem = as_release_reports(self.rules, *problem);
                Err(self.fail(problem, diagnostics))
            }
        }
    }

    /// Reports a problem with the current token.
    pub(super) fn fail(&self, problem: Problem, diagnostics: &mut Diagnostics) -> Reported {
        diagnostics.report_at(problem, Some(Site::exact(self.span)));
        Reported
    }

    /// Returns the span of a range of this file.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "files are limited to less than 4 GiB"
    )]
    pub(super) fn place(&self, start: usize, end: usize) -> Span {
        Span {
            file: self.file,
            start: start as u32,
            end: end as u32,
        }
    }
}

/// Returns a token's problem as the release reports it: QEMU 7.2 quotes a
/// stray text only up to its first double quote.
fn as_release_reports(rules: Rules, problem: Problem) -> Problem {
    match problem {
        Problem::Stray(text) if rules.have(Fact::StrayEndsAtQuote) => {
            let end = text.find('"').filter(|&end| end > 0);
            let shown = end.and_then(|end| text.get(..end));
            Problem::Stray(shown.unwrap_or(&text).to_owned())
        }
        problem => problem,
    }
}
