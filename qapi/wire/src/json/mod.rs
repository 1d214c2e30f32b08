//! JSON as QEMU reads and writes it.
//!
//! In: bytes. Out: a document, a tree or a [`SyntaxError`], and text. The language is RFC
//! 8259 with single-quoted strings and `\'` beside it; strings are UTF-8 in
//! which `C0 80` stands for U+0000. See the notes in QEMU's
//! `qobject/json-lexer.c` and `docs/interop/qmp-spec`.

mod digits;
mod frames;
mod parse;
mod scan;
pub(crate) mod text;

use std::fmt;

pub use digits::write as write_digits;
pub use frames::Frames;
pub use scan::{Limits, Scan, Scanner};

use crate::document::Document;
use crate::error::Error;
use crate::value::Value;

/// The most brackets that may be open at once: QEMU's limit. [`Limits`] can
/// only lower it.
pub const NESTING_MAX: usize = 1 << 10;

/// Why a text is not JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    // Boxed, so that the results of parsing are returned in registers.
    desc: Box<str>,
}

impl SyntaxError {
    #[cold]
    fn new(desc: impl Into<Box<str>>) -> Self {
        Self { desc: desc.into() }
    }

    #[cold]
    fn parse(what: impl fmt::Display) -> Self {
        Self::new(format!("JSON parse error, {what}"))
    }

    /// What is wrong, in QEMU's words.
    #[must_use]
    pub fn desc(&self) -> &str {
        &self.desc
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.desc)
    }
}

impl std::error::Error for SyntaxError {}

impl From<SyntaxError> for Error {
    fn from(error: SyntaxError) -> Self {
        Self::generic(error.desc)
    }
}

/// Parses a text that holds exactly one value.
///
/// # Errors
///
/// The first syntax error, an unfinished value, or text behind the value.
pub fn parse(text: &[u8]) -> Result<Value, SyntaxError> {
    document(text).map(|document| document.root().to_value())
}

/// Parses one message that a [`Scanner`] delimited.
///
/// # Errors
///
/// The first syntax error.
pub fn parse_message(message: &[u8]) -> Result<Value, SyntaxError> {
    parse::message(message).map(|document| document.root().to_value())
}

/// Parses a text that holds exactly one value, and keeps it as it stands there.
pub(crate) fn document(text: &[u8]) -> Result<Document<'_>, SyntaxError> {
    let limits = Limits::default();
    // A token has a byte at least, so that no limit is exceeded but perhaps
    // that on nesting, which the parser knows. Only what is wrong needs the
    // scanner, whose errors come first.
    if text.len() <= limits.tokens_max.min(limits.message_bytes_max)
        && let Ok(document) = parse::message(text)
    {
        return Ok(document);
    }
    let mut scanner = Scanner::new(limits);
    let end = match scanner.scan(text) {
        Scan::Message { end, .. } => end,
        Scan::Invalid { error, .. } => return Err(error),
        Scan::Incomplete => match scanner.finish(text) {
            Scan::Message { end, .. } => end,
            Scan::Invalid { error, .. } => return Err(error),
            Scan::Incomplete => return Err(SyntaxError::parse("expecting value")),
        },
    };
    let (message, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    if rest.iter().any(|byte| !scan::is_space(*byte)) {
        return Err(SyntaxError::parse("text behind the value"));
    }
    parse::message(message)
}
