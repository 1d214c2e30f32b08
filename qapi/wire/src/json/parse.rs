//! From the bytes of one message to a document.
//!
//! In: bytes, of which nothing is presumed. Out: the document, or an error. For
//! bytes that a `Scanner` delimited, so that every token is well formed, it is
//! the first error in the words of QEMU's `json-parser.c`; what a scanner
//! refuses is refused here too, but it is for the scanner to say why.

use std::collections::HashSet;

use super::scan::is_space;
use super::{NESTING_MAX, SyntaxError, text};
use crate::document::{Document, Item};

type Result<T> = std::result::Result<T, SyntaxError>;

/// Parses one message.
pub(super) fn message(bytes: &[u8]) -> Result<Document<'_>> {
    let mut parser = Parser {
        bytes,
        text: str::from_utf8(bytes).ok(),
        position: 0,
        open: 0,
        document: Document::with_capacity(bytes.len()),
    };
    parser.value()?;
    match parser.peek() {
        None => Ok(parser.document),
        Some(_) => Err(SyntaxError::parse("text behind the value")),
    }
}

/// What the names of an object's members have been.
#[derive(Default)]
struct Names {
    /// A bit for each, by its length and its ends.
    marks: u64,
    /// All of them, where they are many.
    set: Option<HashSet<String>>,
}

impl Names {
    /// Whether no name before had the mark of this one, so that none is the
    /// same.
    #[inline]
    fn is_first_of_mark(&mut self, name: &str) -> bool {
        let end = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(*byte));
        let (first, last) = (end(name.as_bytes().first()), end(name.as_bytes().last()));
        let mark = 1 << ((name.len() + 5 * first + 11 * last) % 64);
        let is_first = self.marks & mark == 0;
        self.marks |= mark;
        is_first
    }
}

struct Parser<'t> {
    bytes: &'t [u8],
    /// The same, if all of it is UTF-8.
    text: Option<&'t str>,
    position: usize,
    /// How many brackets are open.
    open: usize,
    document: Document<'t>,
}

impl<'t> Parser<'t> {
    #[inline]
    fn byte(&self) -> Option<u8> {
        self.bytes.get(self.position).copied()
    }

    /// The first byte of the next token.
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

    /// Goes on over a byte, if it is the next.
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
            return Err(SyntaxError::new("JSON nesting depth limit exceeded"));
        }
        self.open += 1;
        self.position += 1;
        parse(self)?;
        self.open -= 1;
        Ok(())
    }

    fn object(&mut self) -> Result<()> {
        let index = self.document.next_index();
        self.document.push(Item::Object { len: 0, end: 0 });
        let mut len = 0;
        let mut names = Names::default();
        self.peek();
        if self.skip(b'}') {
            self.document.end_object(index, 0);
            return Ok(());
        }
        loop {
            let name = self.document.next_index();
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
            // Most values are strings, and most need no call.
            if self.peek() == Some(b'"') {
                self.string(b'"')?;
            } else {
                self.value()?;
            }
            if !self.is_unique(index, name, len, &mut names) {
                return Err(SyntaxError::parse("duplicate key"));
            }
            len += 1;
            match self.expect_token()? {
                b',' => self.position += 1,
                b'}' => break,
                _ => return Err(SyntaxError::parse("expected separator in dict")),
            }
        }
        self.position += 1;
        self.document.end_object(index, len);
        Ok(())
    }

    /// Whether none of the `len` members of the object at `index` has the name
    /// at `name`; in time proportional to their number for all of an object.
    #[inline]
    fn is_unique(&self, index: usize, name: usize, len: usize, names: &mut Names) -> bool {
        /// Looking at each of so few is faster than a set of the names.
        const LINEAR_MAX: usize = 16;
        let text = self.document.text(name).unwrap_or_default();
        if len < LINEAR_MAX && names.is_first_of_mark(text) {
            return true;
        }
        let mut place = index + 1;
        let mut others = (0..len).map(|_| {
            let other = self.document.text(place);
            place = self.document.behind(place + 1);
            other
        });
        if len < LINEAR_MAX {
            return others.all(|other| other != Some(text));
        }
        names
            .set
            .get_or_insert_with(|| others.flatten().map(str::to_owned).collect())
            .insert(text.to_owned())
    }

    fn array(&mut self) -> Result<()> {
        let index = self.document.next_index();
        self.document.push(Item::Array { len: 0, end: 0 });
        let mut len = 0;
        self.peek();
        if self.skip(b']') {
            self.document.end_array(index, 0);
            return Ok(());
        }
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
        self.document.end_array(index, len);
        Ok(())
    }

    // As part of the loops around it, the position stays in a register.
    #[inline(always)]
    fn string(&mut self, quote: u8) -> Result<()> {
        let start = self.position + 1;
        let rest = self.bytes.get(start..).unwrap_or_default();
        let length = text::plain_length(rest, quote);
        let end = start + length;
        if rest.get(length) == Some(&quote)
            && let Some(plain) = self.cut(start, end)
        {
            self.position = end + 1;
            self.document.push(Item::Text(plain));
            return Ok(());
        }
        self.unplain_string(start, quote)
    }

    /// A string in the quotes that JSON does not have.
    #[cold]
    #[inline(never)]
    fn other_string(&mut self) -> Result<()> {
        self.string(b'\'')
    }

    /// Text that is known to be ASCII.
    #[inline]
    fn cut(&self, start: usize, end: usize) -> Option<&'t str> {
        match self.text {
            Some(text) => text.get(start..end),
            None => str::from_utf8(self.bytes.get(start..end)?).ok(),
        }
    }

    /// A string with escapes or characters outside ASCII.
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
        let raw = self.bytes.get(start..self.position).unwrap_or_default();
        self.position += 1;
        self.document.push_unescaped(&text::unescape(raw)?);
        Ok(())
    }

    fn digits(&mut self) -> bool {
        let start = self.position;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.position += 1;
        }
        self.position > start
    }

    /// An integer where it fits, else a double: QEMU's `qnum` has the same
    /// three ranges.
    fn number(&mut self) -> Result<()> {
        /// So many digits are always less than `i64::MAX`.
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
            self.document.push(Item::Int(signed));
            return Ok(());
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
        let number = number_of(self.cut(start, self.position).unwrap_or_default());
        self.document.push(number);
        Ok(())
    }

    fn keyword(&mut self) -> Result<()> {
        let start = self.position;
        while matches!(self.byte(), Some(b'a'..=b'z')) {
            self.position += 1;
        }
        let item = match self.cut(start, self.position).unwrap_or_default() {
            "true" => Item::Bool(true),
            "false" => Item::Bool(false),
            "null" => Item::Null,
            word => {
                let what = format_args!("invalid keyword '{word}'");
                return Err(SyntaxError::parse(what));
            }
        };
        self.document.push(item);
        Ok(())
    }
}

#[cold]
fn expecting_value() -> SyntaxError {
    SyntaxError::parse("expecting value")
}

/// A double out of range is infinite, as with C's `strtod`.
fn number_of(digits: &str) -> Item<'static> {
    if let Ok(number) = digits.parse() {
        return Item::Int(number);
    }
    if let Ok(number) = digits.parse() {
        return Item::Uint(number);
    }
    Item::Double(digits.parse().unwrap_or(f64::NAN))
}
