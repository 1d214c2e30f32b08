//! From the bytes of one message to a tree.
//!
//! In: bytes that a `Scanner` delimited, so that every token is well formed
//! and the nesting bounded. Out: the tree, or the first error in the words of
//! QEMU's `json-parser.c`. Recursion is
//! bounded here too, whoever delimited the message.

use super::scan::is_space;
use super::{NESTING_MAX, SyntaxError, text};
use crate::value::{Dict, UniqueMembers, Value};

type Result<T> = std::result::Result<T, SyntaxError>;

/// Parses one message.
pub(super) fn message(bytes: &[u8]) -> Result<Value> {
    let mut tokens = Tokens {
        rest: bytes,
        open: 0,
    };
    let value = value(&mut tokens)?;
    match tokens.next() {
        None => Ok(value),
        // Only reached by callers that delimited the message themselves.
        Some(_) => Err(SyntaxError::parse("text behind the value")),
    }
}

enum Token<'a> {
    Punctuation(u8),
    String(&'a [u8]),
    Number(&'a [u8]),
    Keyword(&'a [u8]),
    Other,
}

struct Tokens<'a> {
    rest: &'a [u8],
    /// How many brackets are open.
    open: usize,
}

impl<'a> Tokens<'a> {
    fn peek(&mut self) -> Option<u8> {
        while let [byte, rest @ ..] = self.rest {
            if !is_space(*byte) {
                return Some(*byte);
            }
            self.rest = rest;
        }
        None
    }

    fn next(&mut self) -> Option<Token<'a>> {
        let first = self.peek()?;
        Some(match first {
            b'{' | b'}' | b'[' | b']' | b',' | b':' => {
                self.cut(1);
                Token::Punctuation(first)
            }
            b'"' | b'\'' => Token::String(self.string(first)),
            b'-' | b'0'..=b'9' => Token::Number(
                self.run(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')),
            ),
            b'a'..=b'z' => Token::Keyword(self.run(|byte| byte.is_ascii_lowercase())),
            _ => {
                self.cut(1);
                Token::Other
            }
        })
    }

    /// The string's bytes, without the quotes.
    fn string(&mut self, quote: u8) -> &'a [u8] {
        self.cut(1);
        let mut end = 0;
        while let Some(&byte) = self.rest.get(end) {
            match byte {
                b'\\' => end += 2,
                _ if byte == quote => break,
                _ => end += 1,
            }
        }
        let string = self.cut(end);
        self.cut(1);
        string
    }

    fn run(&mut self, belongs: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.rest.iter().position(|&byte| !belongs(byte));
        self.cut(end.unwrap_or(self.rest.len()))
    }

    fn cut(&mut self, count: usize) -> &'a [u8] {
        let (head, tail) = self
            .rest
            .split_at_checked(count)
            .unwrap_or((self.rest, &[]));
        self.rest = tail;
        head
    }

    fn nested(&mut self, parse: fn(&mut Self) -> Result<Value>) -> Result<Value> {
        if self.open == NESTING_MAX {
            return Err(SyntaxError::new("JSON nesting depth limit exceeded"));
        }
        self.open += 1;
        let value = parse(self);
        self.open -= 1;
        value
    }

    fn expect_next(&mut self) -> Result<Token<'a>> {
        self.next()
            .ok_or_else(|| SyntaxError::parse("premature EOI"))
    }
}

fn value(tokens: &mut Tokens<'_>) -> Result<Value> {
    match tokens.expect_next()? {
        Token::Punctuation(b'{') => tokens.nested(object),
        Token::Punctuation(b'[') => tokens.nested(array),
        Token::String(raw) => text::unescape(raw).map(Value::String),
        Token::Number(raw) => Ok(number(raw)),
        Token::Keyword(b"true") => Ok(Value::Bool(true)),
        Token::Keyword(b"false") => Ok(Value::Bool(false)),
        Token::Keyword(b"null") => Ok(Value::Null),
        Token::Keyword(word) => Err(SyntaxError::parse(format_args!(
            "invalid keyword '{}'",
            String::from_utf8_lossy(word)
        ))),
        Token::Punctuation(_) | Token::Other => Err(SyntaxError::parse("expecting value")),
    }
}

fn object(tokens: &mut Tokens<'_>) -> Result<Value> {
    let mut members = UniqueMembers::default();
    if tokens.peek() == Some(b'}') {
        tokens.cut(1);
        return Ok(Value::Object(Dict::new()));
    }
    loop {
        let Value::String(name) = value(tokens)? else {
            return Err(SyntaxError::parse("key is not a string in object"));
        };
        match tokens.expect_next()? {
            Token::Punctuation(b':') => {}
            _ => return Err(SyntaxError::parse("missing : in object pair")),
        }
        let value = value(tokens)?;
        if !members.add(name, value) {
            return Err(SyntaxError::parse("duplicate key"));
        }
        match tokens.expect_next()? {
            Token::Punctuation(b'}') => return Ok(Value::Object(members.into())),
            Token::Punctuation(b',') => {}
            _ => return Err(SyntaxError::parse("expected separator in dict")),
        }
    }
}

fn array(tokens: &mut Tokens<'_>) -> Result<Value> {
    let mut elements = Vec::new();
    if tokens.peek() == Some(b']') {
        tokens.cut(1);
        return Ok(Value::Array(elements));
    }
    loop {
        elements.push(value(tokens)?);
        match tokens.expect_next()? {
            Token::Punctuation(b']') => return Ok(Value::Array(elements)),
            Token::Punctuation(b',') => {}
            _ => return Err(SyntaxError::parse("expected separator in list")),
        }
    }
}

/// An integer where it fits, else a double: QEMU's `qnum` has the same three
/// ranges. A double out of range is infinite, as with C's `strtod`.
fn number(raw: &[u8]) -> Value {
    let digits = str::from_utf8(raw).unwrap_or_default();
    if let Ok(number) = digits.parse::<i64>() {
        return Value::Int(number);
    }
    if let Ok(number) = digits.parse::<u64>() {
        return Value::Uint(number);
    }
    Value::Double(digits.parse().unwrap_or(f64::NAN))
}
