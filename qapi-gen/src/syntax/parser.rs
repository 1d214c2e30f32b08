//! Tokens to expressions.
//!
//! In: a file's text. Out: its top-level expressions and documentation
//! blocks, one at a time. It does not know what an expression says.

use std::borrow::Cow;

use super::doc::Draft;
use super::lexer::{Lexer, Token};
use super::{Member, Object, Twice, Value, ValueKind};
use crate::diag::{Diagnostics, Expected, Problem, Site};
use crate::rules::Rules;
use crate::source::{FileId, SourceFile, Span};

/// How deep values may nest. QEMU's generator gives up at less.
const NESTING_MAX: usize = 1000;

/// What a file goes on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A documentation block.
    Doc,
    /// An expression, or something that should be one.
    Expression,
    /// Nothing.
    End,
}

/// A problem with a token as the rules' release tells it: QEMU 7.2 shows what
/// is no token only up to a double quote.
fn in_words_of(rules: Rules, problem: Problem) -> Problem {
    match problem {
        Problem::Stray(text) if rules == Rules::V7_2 => {
            let end = text.find('"').filter(|&end| end > 0);
            let shown = end.and_then(|end| text.get(..end));
            Problem::Stray(shown.unwrap_or(&text).to_owned())
        }
        problem => problem,
    }
}

/// A problem has been reported; parsing goes on at the next expression.
#[derive(Debug)]
pub(super) struct Reported;

/// Parses a file.
#[derive(Debug)]
pub(crate) struct Parser<'s> {
    pub(super) lexer: Lexer<'s>,
    pub(super) token: Token<'s>,
    pub(super) span: Span,
    pub(super) source: &'s SourceFile,
    pub(super) rules: Rules,
    /// The documentation block that is being read.
    pub(super) draft: Draft,
    file: FileId,
    depth: usize,
    /// The members of all objects that are open, and the elements of all
    /// arrays: how many there will be is not known before.
    members: Vec<Member<'s>>,
    elements: Vec<Value<'s>>,
}

impl<'s> Parser<'s> {
    /// A parser for as much of a file's text, from its start, as is given.
    pub(crate) fn new(
        file: FileId,
        source: &'s SourceFile,
        text: &'s str,
        rules: Rules,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let span = Span {
            file,
            start: 0,
            end: 0,
        };
        let mut parser = Self {
            lexer: Lexer::new(text),
            token: Token::End,
            span,
            source,
            rules,
            draft: Draft::default(),
            file,
            depth: 0,
            members: Vec::new(),
            elements: Vec::new(),
        };
        parser.advance_to_item(diagnostics);
        parser
    }

    /// What comes next.
    pub(crate) fn peek(&self) -> Next {
        match self.token {
            Token::Comment(_) => Next::Doc,
            Token::End => Next::End,
            _ => Next::Expression,
        }
    }

    /// The expression that comes next; `None` if it is wrong, which has been
    /// reported then.
    pub(crate) fn expression(&mut self, diagnostics: &mut Diagnostics) -> Option<Value<'s>> {
        self.depth = 0;
        self.members.clear();
        self.elements.clear();
        let Ok(value) = self.value(diagnostics) else {
            self.lexer.resynchronize();
            self.advance_to_item(diagnostics);
            return None;
        };
        // The token after an expression is read before the expression is
        // looked at, as in QEMU's generator; so if both are wrong, this is
        // the first to be reported.
        self.advance_to_item(diagnostics);
        Some(value)
    }

    /// Reads the first token of the next item, whatever stands in between.
    pub(super) fn advance_to_item(&mut self, diagnostics: &mut Diagnostics) {
        while self.advance(false, diagnostics).is_err() {
            self.lexer.resynchronize();
        }
    }

    /// Reads the next token.
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
                let problem = in_words_of(self.rules, *problem);
                Err(self.fail(problem, diagnostics))
            }
        }
    }

    /// Reports a problem with the token at hand.
    pub(super) fn fail(&self, problem: Problem, diagnostics: &mut Diagnostics) -> Reported {
        diagnostics.report_at(problem, Some(Site::exact(self.span)));
        Reported
    }

    // What follows keeps problems, which are large, out of the frames of the
    // functions that call each other as deeply as values nest.

    #[inline(never)]
    fn unexpected(&self, expected: Expected, diagnostics: &mut Diagnostics) -> Reported {
        self.fail(Problem::Expected(expected), diagnostics)
    }

    #[inline(never)]
    fn duplicate(&self, key: &str, first: usize, diagnostics: &mut Diagnostics) -> Reported {
        let members = self.members.get(first..).unwrap_or_default();
        let previous = members.iter().find(|member| member.key == key);
        let previous = Site::line(previous.map_or(self.span, |member| member.key_span));
        let key = key.to_owned();
        self.fail(Problem::DuplicateKey { key, previous }, diagnostics)
    }

    #[inline(never)]
    fn too_deep(&self, diagnostics: &mut Diagnostics) -> Reported {
        self.fail(Problem::NestedTooDeeply { limit: NESTING_MAX }, diagnostics)
    }

    /// A stretch of this file.
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

    /// A value, with the token after it left unread.
    fn value(&mut self, diagnostics: &mut Diagnostics) -> Result<Value<'s>, Reported> {
        let start = self.span;
        let kind = match std::mem::replace(&mut self.token, Token::End) {
            Token::LeftBrace => {
                self.enter(diagnostics)?;
                ValueKind::Object(self.members(diagnostics)?)
            }
            Token::LeftBracket => {
                self.enter(diagnostics)?;
                ValueKind::List(self.elements(diagnostics)?)
            }
            Token::Str(string) => ValueKind::Str(string),
            Token::Bool(value) => ValueKind::Bool(value),
            _ => return Err(self.unexpected(Expected::Value, diagnostics)),
        };
        if matches!(kind, ValueKind::Object(_) | ValueKind::List(_)) {
            self.depth -= 1;
        }
        let span = Span {
            end: self.span.end,
            ..start
        };
        Ok(Value { span, kind })
    }

    /// Goes into an object or array.
    fn enter(&mut self, diagnostics: &mut Diagnostics) -> Result<(), Reported> {
        if self.depth == NESTING_MAX {
            return Err(self.too_deep(diagnostics));
        }
        self.depth += 1;
        self.advance(false, diagnostics)
    }

    /// The members of an object, up to its brace.
    fn members(&mut self, diagnostics: &mut Diagnostics) -> Result<Object<'s>, Reported> {
        let first = self.members.len();
        let mut twice = Twice::default();
        if self.token == Token::RightBrace {
            return Ok(Object::default());
        }
        let mut expected = Expected::KeyOrBrace;
        loop {
            let (key, key_span) = self.key(expected, first, &mut twice, diagnostics)?;
            let value = self.value(diagnostics)?;
            self.members.push(Member {
                key,
                key_span,
                value,
            });
            self.advance(false, diagnostics)?;
            match self.token {
                Token::RightBrace => break,
                Token::Comma => self.advance(false, diagnostics)?,
                _ => return Err(self.unexpected(Expected::CommaOrBrace, diagnostics)),
            }
            expected = Expected::Key;
        }
        let members = self.members.drain(first..).collect();
        Ok(Object { members })
    }

    /// A key with its colon, up to the value. The object's members so far
    /// begin at `first`.
    fn key(
        &mut self,
        expected: Expected,
        first: usize,
        twice: &mut Twice<Cow<'s, str>>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(Cow<'s, str>, Span), Reported> {
        let span = self.span;
        let Token::Str(key) = std::mem::replace(&mut self.token, Token::End) else {
            return Err(self.unexpected(expected, diagnostics));
        };
        self.advance(false, diagnostics)?;
        if self.token != Token::Colon {
            return Err(self.unexpected(Expected::Colon, diagnostics));
        }
        self.advance(false, diagnostics)?;
        let before = self.members.get(first..).unwrap_or_default();
        let before = before.iter().map(|member| member.key.clone());
        if twice.is_among(key.clone(), before) {
            return Err(self.duplicate(&key, first, diagnostics));
        }
        Ok((key, span))
    }

    /// The elements of an array, up to its bracket.
    fn elements(&mut self, diagnostics: &mut Diagnostics) -> Result<Box<[Value<'s>]>, Reported> {
        let first = self.elements.len();
        match self.token {
            Token::RightBracket => return Ok(Box::default()),
            Token::LeftBrace | Token::LeftBracket | Token::Str(_) | Token::Bool(_) => {}
            _ => return Err(self.unexpected(Expected::ValueOrBracket, diagnostics)),
        }
        loop {
            let value = self.value(diagnostics)?;
            self.elements.push(value);
            self.advance(false, diagnostics)?;
            match self.token {
                Token::RightBracket => break,
                Token::Comma => self.advance(false, diagnostics)?,
                _ => {
                    return Err(self.unexpected(Expected::CommaOrBracket, diagnostics));
                }
            }
        }
        Ok(self.elements.drain(first..).collect())
    }
}
