//! The parser: from the bytes of one message to a document.
//!
//! In: any bytes. Out: the document, or an error. For bytes that a `Scanner`
//! delimited, so that every token is well formed, the error is QEMU's
//! (`json-parser.c`). The parser refuses everything that a scanner refuses, but
//! only the scanner finds QEMU's error for it.

use std::collections::HashSet;
use std::hash::BuildHasher;

use super::error::SyntaxError;
use super::limits::{Limits, MESSAGE_BYTES_MAX, NESTING_MAX};
use super::scan::{Scan, Scanner, is_space};
use super::string;
use crate::document::{Document, Item, narrow};
use crate::value::Value;

type Result<T> = std::result::Result<T, SyntaxError>;

/// Parses a text that consists of one value, and returns the value as a tree.
///
/// # Errors
///
/// Fails with the first syntax error, if the value is not finished, or if
/// something follows the value.
pub fn parse(text: &[u8]) -> Result<Value> {
    Document::parse(text).map(|document| document.root().to_value())
}

impl Document {
    /// Parses a text that consists of one value.
    ///
    /// # Errors
    ///
    /// Fails with the first syntax error, if the value is not finished, or if
    /// something follows the value.
    pub fn parse(text: &[u8]) -> Result<Self> {
        let limits = Limits::default();
        // A token has at least one byte, so that a text this short can only exceed
        // the limit of nesting, which the parser checks. Scan a text only if the
        // parser refuses it, because QEMU's errors of scanning come first.
        if text.len() <= limits.tokens_max.min(limits.message_bytes_max)
            && let Ok(document) = message(copy(text)?, estimated_tokens(text))
        {
            return Ok(document);
        }
        let mut scanner = Scanner::new(limits);
        let mut found = scanner.scan(text);
        if found == Scan::Incomplete {
            found = scanner.finish(text);
        }
        let (end, tokens) = match found {
            Scan::Message { end, tokens, .. } => (end, tokens),
            Scan::Invalid { error, .. } => return Err(error),
            Scan::Incomplete => return Err(SyntaxError::parse("expecting value")),
        };
        let (value, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
        if rest.iter().any(|byte| !is_space(*byte)) {
            return Err(SyntaxError::parse("text behind the value"));
        }
        message(copy(value)?, tokens)
    }
}

/// Copies a text whose length a peer chose.
pub(super) fn copy(text: &[u8]) -> Result<Vec<u8>> {
    let mut copy = Vec::new();
    copy.try_reserve_exact(text.len())?;
    copy.extend_from_slice(text);
    Ok(copy)
}

/// Returns a guess for a text whose tokens have not been counted. Few texts have
/// shorter tokens, so that the list of values hardly ever has to grow; the room
/// that is not used is never touched.
fn estimated_tokens(text: &[u8]) -> usize {
    const BYTES_PER_TOKEN: usize = 2;
    text.len() / BYTES_PER_TOKEN
}

/// Parses one message, which becomes the document's text. A scanner counted its
/// `tokens`, or they are a guess.
pub(super) fn message(text: Vec<u8>, tokens: usize) -> Result<Document> {
    if text.len() > MESSAGE_BYTES_MAX {
        return Err(SyntaxError::too_long());
    }
    // Every value or name but the first takes two tokens: itself and the comma,
    // colon or bracket next to it. In a message that breaks off, each open
    // bracket is one more.
    let open_max = if tokens > NESTING_MAX {
        NESTING_MAX / 2
    } else {
        0
    };
    let mut items = Vec::new();
    items.try_reserve_exact(tokens / 2 + 1 + open_max)?;
    let mut parser = Parser {
        bytes: text,
        position: 0,
        open: 0,
        items,
    };
    parser.value()?;
    if parser.peek().is_some() {
        return Err(SyntaxError::parse("text behind the value"));
    }
    // Everything outside strings is ASCII, and the strings are UTF-8 now.
    match String::from_utf8(parser.bytes) {
        Ok(text) => Ok(Document::new(text, parser.items)),
        Err(_) => Err(SyntaxError::parse("invalid UTF-8 sequence in string")),
    }
}

struct Parser {
    /// The message; its strings are unescaped in place as they are reached.
    bytes: Vec<u8>,
    position: usize,
    /// How many brackets are open.
    open: usize,
    items: Vec<Item>,
}

impl Parser {
    /// Adds a value or a name, and returns its index.
    // Not in debug builds, where the locals of all inlined functions would add
    // to each frame of the recursion.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn push(&mut self, item: Item) -> Result<usize> {
        let index = self.items.len();
        if index == self.items.capacity() {
            self.grow()?;
        }
        self.items.push(item);
        Ok(index)
    }

    /// Makes room for values beyond those that were expected.
    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> Result<()> {
        const ITEMS_MIN: usize = 16;
        let count = (self.items.len() / 2).max(ITEMS_MIN);
        Ok(self.items.try_reserve_exact(count)?)
    }

    /// Completes the array or object at `index`, whose contents are pushed.
    #[inline]
    #[expect(clippy::indexing_slicing, reason = "`push` returned the index")]
    fn close(&mut self, index: usize, item: impl FnOnce(u32) -> Item) {
        let end = narrow(self.items.len());
        self.items[index] = item(end);
    }

    #[inline]
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    /// Skips blanks and returns the first byte of the next token; `None` at the
    /// end of the message.
    #[inline]
    fn peek(&mut self) -> Option<u8> {
        loop {
            match self.byte() {
                Some(byte) if byte <= b' ' && is_space(byte) => self.position += 1,
                byte => return byte,
            }
        }
    }

    #[inline]
    fn expect_token(&mut self) -> Result<u8> {
        self.peek()
            .ok_or_else(|| SyntaxError::parse("premature EOI"))
    }

    /// Skips the next byte if it is `byte`, and returns whether it was.
    #[inline]
    fn skip(&mut self, byte: u8) -> bool {
        let is_next = self.byte() == Some(byte);
        self.position += usize::from(is_next);
        is_next
    }

    fn value(&mut self) -> Result<()> {
        match self.expect_token()? {
            b'"' => self.string(b'"'),
            b'\'' => self.other_string(),
            b'-' | b'0'..=b'9' => self.number(),
            b'{' => self.nested(Self::object),
            b'[' => self.nested(Self::array),
            b'a'..=b'z' => self.keyword(),
            _ => Err(expecting_value()),
        }
    }

    #[inline]
    fn nested(&mut self, parse: fn(&mut Self) -> Result<()>) -> Result<()> {
        if self.open == NESTING_MAX {
            return Err(SyntaxError::too_deep());
        }
        self.open += 1;
        self.position += 1;
        parse(self)?;
        self.open -= 1;
        Ok(())
    }

    fn object(&mut self) -> Result<()> {
        let object = self.push(Item::Object { len: 0, end: 0 })?;
        let mut len = 0;
        let mut hashes = None;
        self.peek();
        if !self.skip(b'}') {
            loop {
                self.member(object, len, &mut hashes)?;
                len += 1;
                match self.expect_token()? {
                    b',' => self.position += 1,
                    b'}' => break,
                    _ => return Err(SyntaxError::parse("expected separator in dict")),
                }
            }
            self.position += 1;
        }
        let len = narrow(len);
        self.close(object, |end| Item::Object { len, end });
        Ok(())
    }

    /// Parses a name and its value, which follow the first `len` members of the
    /// object at the index `object`.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn member(
        &mut self,
        object: usize,
        len: usize,
        hashes: &mut Option<HashSet<u64>>,
    ) -> Result<()> {
        let name = self.items.len();
        match self.expect_token()? {
            b'"' => self.string(b'"')?,
            b'\'' => self.other_string()?,
            _ => {
                self.value()?;
                return Err(SyntaxError::parse("key is not a string in object"));
            }
        }
        self.expect_token()?;
        if !self.skip(b':') {
            return Err(SyntaxError::parse("missing : in object pair"));
        }
        // Most values are strings: parse these without the call of `value`.
        if self.peek() == Some(b'"') {
            self.string(b'"')?;
        } else {
            self.value()?;
        }
        if self.is_unique(object, name, len, hashes)? {
            Ok(())
        } else {
            Err(SyntaxError::parse("duplicate key"))
        }
    }

    /// Returns whether none of the `len` members of an object has the name at
    /// the index `name`. Of many members the hashes are kept, so that a whole
    /// object takes time proportional to their number.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn is_unique(
        &self,
        object: usize,
        name: usize,
        len: usize,
        hashes: &mut Option<HashSet<u64>>,
    ) -> Result<bool> {
        /// Comparing so few names is faster than hashing them.
        const LINEAR_MAX: usize = 16;
        let text = self.name(name);
        if len < LINEAR_MAX {
            return Ok(self.names(object, len).all(|other| other != text));
        }
        let hashes = match hashes {
            Some(hashes) => hashes,
            none => {
                let mut hashes = HashSet::new();
                hashes.try_reserve(2 * len)?;
                for other in self.names(object, len) {
                    let hash = hashes.hasher().hash_one(other);
                    hashes.insert(hash);
                }
                none.insert(hashes)
            }
        };
        hashes.try_reserve(1)?;
        let hash = hashes.hasher().hash_one(text);
        // Different names may have the same hash.
        Ok(hashes.insert(hash) || self.names(object, len).all(|other| other != text))
    }

    /// Returns the name at an index.
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "`push` returned the index, and the string's ends lie in the text"
    )]
    fn name(&self, index: usize) -> &[u8] {
        match self.items[index] {
            Item::String { start, end } => &self.bytes[start as usize..end as usize],
            _ => &[],
        }
    }

    /// Returns the names of the first `len` members of an object.
    #[inline]
    fn names(&self, object: usize, len: usize) -> impl Iterator<Item = &[u8]> {
        let mut index = object + 1;
        (0..len).map(move |_| {
            let name = self.name(index);
            index = match self.items.get(index + 1) {
                Some(Item::Array { end, .. } | Item::Object { end, .. }) => *end as usize,
                _ => index + 2,
            };
            name
        })
    }

    fn array(&mut self) -> Result<()> {
        let array = self.push(Item::Array { len: 0, end: 0 })?;
        let mut len = 0;
        self.peek();
        if !self.skip(b']') {
            loop {
                self.value()?;
                len += 1;
                match self.expect_token()? {
                    b',' => self.position += 1,
                    b']' => break,
                    _ => return Err(SyntaxError::parse("expected separator in list")),
                }
            }
            self.position += 1;
        }
        self.close(array, |end| Item::Array { len, end });
        Ok(())
    }

    // Inlined into the loops around it, so that the position stays in a register.
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn string(&mut self, quote: u8) -> Result<()> {
        let start = self.position + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = string::plain_length(rest, quote);
        if rest.get(length) == Some(&quote) {
            self.position = start + length + 1;
            return self.push_string(start, start + length);
        }
        self.unplain_string(start, quote)
    }

    #[inline]
    fn push_string(&mut self, start: usize, end: usize) -> Result<()> {
        let (start, end) = (narrow(start), narrow(end));
        self.push(Item::String { start, end }).map(|_| ())
    }

    /// Parses a string in single quotes, which are QEMU's extension of JSON.
    #[cold]
    #[inline(never)]
    fn other_string(&mut self) -> Result<()> {
        self.string(b'\'')
    }

    /// Parses a string that has escapes or characters outside ASCII.
    #[cold]
    #[inline(never)]
    fn unplain_string(&mut self, start: usize, quote: u8) -> Result<()> {
        self.position = start;
        loop {
            match self.byte() {
                None | Some(..0x20) => return Err(expecting_value()),
                Some(b'\\') => self.position += 2,
                Some(byte) if byte == quote => break,
                Some(_) => self.position += 1,
            }
        }
        let raw = self.bytes.get_mut(start..self.position).unwrap_or_default();
        let length = string::unescape(raw)?;
        self.position += 1;
        self.push_string(start, start + length)
    }

    fn digits(&mut self) -> bool {
        let start = self.position;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
        self.position > start
    }

    /// Parses a number: an integer if it fits 64 bits, else a double, as in QEMU's
    /// `qnum`.
    fn number(&mut self) -> Result<()> {
        /// The most digits that are less than `i64::MAX` whatever they are.
        const DIGITS_MAX: usize = 18;
        let start = self.position;
        let is_negative = self.skip(b'-');
        let first = self.position;
        let is_zero = self.skip(b'0');
        let mut number = 0_i64;
        while let Some(digit @ b'0'..=b'9') = self.byte() {
            number = number
                .wrapping_mul(10)
                .wrapping_add(i64::from(digit - b'0'));
            self.position += 1;
        }
        let digits = self.position - first;
        if digits == 0 || is_zero && digits > 1 {
            return Err(expecting_value());
        }
        let has_mantissa = self.byte() == Some(b'.');
        let has_exponent = matches!(self.byte(), Some(b'e' | b'E')) && !is_zero;
        if digits <= DIGITS_MAX && !has_mantissa && !has_exponent {
            let signed = if is_negative { -number } else { number };
            return self.push(Item::Int(signed)).map(|_| ());
        }
        if self.skip(b'.') && !self.digits() {
            return Err(expecting_value());
        }
        if (has_mantissa || has_exponent) && (self.skip(b'e') || self.skip(b'E')) {
            let _sign = self.skip(b'+') || self.skip(b'-');
            if !self.digits() {
                return Err(expecting_value());
            }
        }
        let number = number_of(self.ascii(start));
        self.push(number).map(|_| ())
    }

    fn keyword(&mut self) -> Result<()> {
        let start = self.position;
        while matches!(self.byte(), Some(b'a'..=b'z')) {
            self.position += 1;
        }
        let item = match self.ascii(start) {
            "true" => Item::Bool(true),
            "false" => Item::Bool(false),
            "null" => Item::Null,
            word => {
                return Err(SyntaxError::parse(format_args!("invalid keyword '{word}'")));
            }
        };
        self.push(item).map(|_| ())
    }

    /// Returns the bytes from `start` to the current position, which are ASCII.
    fn ascii(&self, start: usize) -> &str {
        let bytes = self.bytes.get(start..self.position).unwrap_or_default();
        str::from_utf8(bytes).unwrap_or_default()
    }
}

#[cold]
fn expecting_value() -> SyntaxError {
    SyntaxError::parse("expecting value")
}

/// Returns the value of a number's text. A double out of range is infinite, as
/// with C's `strtod`.
fn number_of(digits: &str) -> Item {
    if let Ok(number) = digits.parse() {
        return Item::Int(number);
    }
    if let Ok(number) = digits.parse() {
        return Item::Uint(number);
    }
    Item::Double(digits.parse().unwrap_or(f64::NAN))
}
