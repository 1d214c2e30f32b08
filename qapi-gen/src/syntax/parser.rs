//! Tokens to expressions.
//!
//! In: a file's text. Out: its top-level expressions and documentation
//! blocks, one at a time. It does not know what an expression means.

use std::borrow::Cow;

use super::cursor::Cursor;
use super::doc_comment::{self, DocBlock, Draft};
use super::duplicate_names::DuplicateNames;
use super::expression::{Member, Object, Value, ValueKind};
use super::lexer::Token;
use crate::diag::{Diagnostics, Expected, Problem, Reported, Site};
use crate::rules::Rules;
use crate::source::{FileId, SourceFile, Span};

/// The depth to which values may nest. QEMU's generator fails at a lower one,
/// where Python's stack ends.
const NESTING_MAX: usize = 1000;

/// The kind of the next top-level item of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A documentation block.
    Doc,
    /// An expression, or something in the place of one.
    Expression,
    /// The end of the file.
    End,
}

/// A parser of one file.
#[derive(Debug)]
pub(crate) struct Parser<'s> {
    cursor: Cursor<'s>,
    /// Buffers for the documentation block that is being read, reused from
    /// block to block.
    draft: Draft,
    /// The number of objects and arrays around the current token.
    depth: usize,
    /// The members read so far of all open objects, the outermost first. One
    /// stack for all of them, because the number of an object's members is
    /// known only at its end.
    members: Vec<Member<'s>>,
    /// The elements read so far of all open arrays.
    elements: Vec<Value<'s>>,
}

impl<'s> Parser<'s> {
    /// Creates a parser of `text`, which is the text of the file or the start of
    /// it.
    pub(crate) fn new(
        file: FileId,
        source: &'s SourceFile,
        text: &'s str,
        rules: Rules,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let mut cursor = Cursor::new(file, source, text, rules);
        cursor.advance_to_item(diagnostics);
        Self {
            cursor,
            draft: Draft::default(),
            depth: 0,
            members: Vec::new(),
            elements: Vec::new(),
        }
    }

    /// Returns the kind of the next item.
    pub(crate) fn peek(&self) -> Next {
        match self.cursor.token {
            Token::Comment(_) => Next::Doc,
            Token::End => Next::End,
            _ => Next::Expression,
        }
    }

    /// Returns whether the parser has skipped an expression, or what may be a
    /// part of one, because it is wrong.
    pub(crate) fn has_skipped(&self) -> bool {
        self.cursor.has_skipped
    }

    /// Parses the next item, a documentation block. Reports what is wrong with
    /// the block, and returns `None` if the block cannot be used.
    pub(crate) fn doc(&mut self, diagnostics: &mut Diagnostics) -> Option<DocBlock> {
        doc_comment::read(&mut self.cursor, &mut self.draft, diagnostics)
    }

    /// Skips the next item, the first or last line of a documentation block. The
    /// lines between them are ordinary comments then.
    pub(crate) fn skip_comment(&mut self, diagnostics: &mut Diagnostics) {
        self.cursor.advance_to_item(diagnostics);
    }

    /// Parses the next item, an expression. Reports what is wrong with the
    /// expression and returns `None` then.
    pub(crate) fn expression(&mut self, diagnostics: &mut Diagnostics) -> Option<Value<'s>> {
        self.depth = 0;
        self.members.clear();
        self.elements.clear();
        let Ok(value) = self.value(diagnostics) else {
            self.cursor.has_skipped = true;
            self.cursor.lexer.resynchronize();
            self.cursor.advance_to_item(diagnostics);
            return None;
        };
        // QEMU's generator reads the token after an expression before it
        // looks at the expression; so if both are wrong, the token must be
        // reported first.
        self.cursor.advance_to_item(diagnostics);
        Some(value)
    }

    // The following functions are not inlined, to keep `Problem`, which is
    // large, out of the stack frames of `value`, `members` and `elements`:
    // these call each other as deeply as values nest.

    #[inline(never)]
    fn unexpected(&self, expected: Expected, diagnostics: &mut Diagnostics) -> Reported {
        self.cursor.fail(Problem::Expected(expected), diagnostics)
    }

    #[inline(never)]
    fn duplicate(&self, key: &str, first: usize, diagnostics: &mut Diagnostics) -> Reported {
        let members = self.members_since(first);
        let previous = members.iter().find(|member| member.key == key);
        let previous = Site::line(previous.map_or(self.cursor.span, |member| member.key_span));
        let key = key.to_owned();
        self.cursor
            .fail(Problem::DuplicateKey { key, previous }, diagnostics)
    }

    #[inline(never)]
    fn too_deep(&self, diagnostics: &mut Diagnostics) -> Reported {
        self.cursor
            .fail(Problem::NestedTooDeeply { limit: NESTING_MAX }, diagnostics)
    }

    /// Parses a value. Afterwards its last token is the current one.
    fn value(&mut self, diagnostics: &mut Diagnostics) -> Result<Value<'s>, Reported> {
        let start = self.cursor.span;
        let kind = match std::mem::replace(&mut self.cursor.token, Token::End) {
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
            end: self.cursor.span.end,
            ..start
        };
        Ok(Value { span, kind })
    }

    /// Enters an object or array, past its opening token.
    fn enter(&mut self, diagnostics: &mut Diagnostics) -> Result<(), Reported> {
        if self.depth == NESTING_MAX {
            return Err(self.too_deep(diagnostics));
        }
        self.depth += 1;
        self.cursor.advance(false, diagnostics)
    }

    /// Parses the members of an object, up to its closing brace.
    fn members(&mut self, diagnostics: &mut Diagnostics) -> Result<Object<'s>, Reported> {
        let first = self.members.len();
        let mut earlier = DuplicateNames::default();
        if self.cursor.token == Token::RightBrace {
            return Ok(Object::default());
        }
        let mut expected = Expected::KeyOrBrace;
        loop {
            let (key, key_span) = self.key(expected, first, &mut earlier, diagnostics)?;
            let value = self.value(diagnostics)?;
            self.members.push(Member {
                key,
                key_span,
                value,
            });
            self.cursor.advance(false, diagnostics)?;
            match self.cursor.token {
                Token::RightBrace => break,
                Token::Comma => self.cursor.advance(false, diagnostics)?,
                _ => return Err(self.unexpected(Expected::CommaOrBrace, diagnostics)),
            }
            expected = Expected::Key;
        }
        let members = self.members.drain(first..).collect();
        Ok(Object { members })
    }

    /// Parses a key and its colon. The members that the object has so far
    /// begin at index `first` of `self.members`.
    fn key(
        &mut self,
        expected: Expected,
        first: usize,
        earlier: &mut DuplicateNames<Cow<'s, str>>,
        diagnostics: &mut Diagnostics,
    ) -> Result<(Cow<'s, str>, Span), Reported> {
        let span = self.cursor.span;
        let Token::Str(key) = std::mem::replace(&mut self.cursor.token, Token::End) else {
            return Err(self.unexpected(expected, diagnostics));
        };
        self.cursor.advance(false, diagnostics)?;
        if self.cursor.token != Token::Colon {
            return Err(self.unexpected(Expected::Colon, diagnostics));
        }
        self.cursor.advance(false, diagnostics)?;
        let before = self.members_since(first);
        let before = before.iter().map(|member| member.key.clone());
        if earlier.is_duplicate(key.clone(), before) {
            return Err(self.duplicate(&key, first, diagnostics));
        }
        Ok((key, span))
    }

    /// Returns the members that the current object has so far.
    #[expect(
        clippy::indexing_slicing,
        reason = "`first` is the length of `members` when the object began, and members of \
                  inner objects have been removed"
    )]
    fn members_since(&self, first: usize) -> &[Member<'s>] {
        &self.members[first..]
    }

    /// Parses the elements of an array, up to its closing bracket.
    fn elements(&mut self, diagnostics: &mut Diagnostics) -> Result<Box<[Value<'s>]>, Reported> {
        let first = self.elements.len();
        match self.cursor.token {
            Token::RightBracket => return Ok(Box::default()),
            Token::LeftBrace | Token::LeftBracket | Token::Str(_) | Token::Bool(_) => {}
            _ => return Err(self.unexpected(Expected::ValueOrBracket, diagnostics)),
        }
        loop {
            let value = self.value(diagnostics)?;
            self.elements.push(value);
            self.cursor.advance(false, diagnostics)?;
            match self.cursor.token {
                Token::RightBracket => break,
                Token::Comma => self.cursor.advance(false, diagnostics)?,
                _ => {
                    return Err(self.unexpected(Expected::CommaOrBracket, diagnostics));
                }
            }
        }
        Ok(self.elements.drain(first..).collect())
    }
}
