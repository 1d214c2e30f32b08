//! The scanner: finds the end of a JSON message in a stream of bytes that arrives
//! in pieces.
//!
//! In: the bytes received so far. Out: the end of the first message, or the first
//! lexical error and where to continue after it. Each byte is examined once,
//! however the stream is cut. The scanner stores only counters; the bytes stay
//! with the caller.
//!
//! Tokens, the ends of messages and the recovery from errors follow QEMU's
//! `json-lexer.c` and `json-streamer.c`. A message ends with the bracket that
//! closes it, or with a scalar outside all brackets. After an error, everything
//! is skipped up to a structural or control character, 0xFE or 0xFF; a client
//! sends one of these to force a clean state.

use super::error::SyntaxError;
use super::limits::{Limits, MESSAGE_BYTES_MAX};

/// The result of scanning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scan {
    /// The bytes contain the beginning of a message, or only blanks.
    Incomplete,
    /// The bytes at `start..end` are a message. Continue at `end`.
    Message {
        /// The position of the first token.
        start: usize,
        /// The position after the last token.
        end: usize,
        /// The number of tokens.
        tokens: usize,
    },
    /// The bytes before `end` are not a message. Continue at `end`.
    Invalid {
        /// The position to continue at.
        end: usize,
        /// The error.
        error: SyntaxError,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Start,
    Recovery,
    String { quote: u8, escape: bool },
    Zero,
    Digits,
    Sign,
    Mantissa,
    MantissaDigits,
    Exponent,
    ExponentSign,
    ExponentDigits,
    Keyword,
}

/// The effect of a byte on the current token.
enum Step {
    /// The byte belongs to the token, which continues in this state.
    Continue(State),
    /// The byte is the last of the token.
    Last,
    /// The token ended before the byte.
    Before,
    /// The byte is an error.
    Error,
}

/// Finds messages in a stream.
///
/// The caller keeps the bytes from the end of the last message on, and calls
/// [`scan`](Self::scan) with all of them whenever more have arrived.
#[derive(Clone, Debug)]
pub struct Scanner {
    limits: Limits,
    state: State,
    /// The number of the caller's bytes that have been examined.
    position: usize,
    /// The position of the first token of the unfinished message.
    message_start: Option<usize>,
    /// The position of the current token.
    token_start: usize,
    tokens: usize,
    // Two signed counters, as in QEMU: a bracket that closes nothing makes one of
    // them negative and ends the message, so that the parser refuses it.
    braces: isize,
    brackets: isize,
}

impl Scanner {
    /// Makes a scanner for the beginning of a stream.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            limits: limits.with_message_bytes_max(limits.message_bytes_max.min(MESSAGE_BYTES_MAX)),
            state: State::Start,
            position: 0,
            message_start: None,
            token_start: 0,
            tokens: 0,
            braces: 0,
            brackets: 0,
        }
    }

    /// Returns the position of the unfinished message in the caller's bytes. The
    /// caller may drop the bytes before it, and then calls [`Self::discard`].
    #[must_use]
    pub fn needed_from(&self) -> usize {
        let token_start = match self.state {
            State::Start | State::Recovery => self.position,
            _ => self.token_start,
        };
        self.message_start.unwrap_or(token_start)
    }

    /// Records that the caller has dropped the first `count` bytes, at most
    /// [`Self::needed_from`].
    pub fn discard(&mut self, count: usize) {
        self.position = self.position.saturating_sub(count);
        self.token_start = self.token_start.saturating_sub(count);
        self.message_start = self.message_start.map(|start| start.saturating_sub(count));
    }

    /// Examines the bytes that are new, up to the end of the first message or
    /// error. The next call continues after it.
    pub fn scan(&mut self, bytes: &[u8]) -> Scan {
        while let Some(&byte) = bytes.get(self.position) {
            if let Some(found) = self.byte(byte, bytes) {
                return found;
            }
        }
        Scan::Incomplete
    }

    /// Records that the stream has ended. A scalar outside brackets ends with the
    /// stream; any other unfinished message is an error.
    pub fn finish(&mut self, bytes: &[u8]) -> Scan {
        match self.state {
            State::Start | State::Recovery => {}
            state => match step(state, b' ') {
                Step::Before => {
                    if let Some(found) = self.token(None, bytes) {
                        return found;
                    }
                }
                _ => return self.stray(bytes),
            },
        }
        match self.message_start {
            None => Scan::Incomplete,
            Some(_) => self.invalid(SyntaxError::parse("premature EOI")),
        }
    }

    fn byte(&mut self, byte: u8, bytes: &[u8]) -> Option<Scan> {
        match self.state {
            State::Start if is_space(byte) => {
                self.position += 1;
                // Blanks within a message count, because they are kept.
                self.check_size()
            }
            State::Recovery if !ends_recovery(byte) => {
                self.position += 1;
                None
            }
            State::Recovery => {
                self.state = State::Start;
                None
            }
            state => {
                if state == State::Start {
                    self.token_start = self.position;
                }
                match step(state, byte) {
                    Step::Continue(next) => {
                        self.state = next;
                        self.position += 1;
                        self.skip_plain(bytes);
                        self.check_size()
                    }
                    Step::Last => {
                        self.position += 1;
                        self.token(Some(byte), bytes)
                    }
                    Step::Before => self.token(None, bytes),
                    Step::Error => {
                        self.position += 1;
                        Some(self.stray(bytes))
                    }
                }
            }
        }
    }

    /// Within a string, skips the bytes that neither end it nor escape anything.
    fn skip_plain(&mut self, bytes: &[u8]) {
        if let State::String {
            quote,
            escape: false,
        } = self.state
        {
            let rest = bytes.get(self.position..).unwrap_or_default();
            let plain = rest
                .iter()
                .position(|&byte| byte == quote || byte == b'\\' || !(0x20..0xFE).contains(&byte));
            self.position += plain.unwrap_or(rest.len());
        }
    }

    /// Counts a token that ends at the current position. `bracket` is the byte of a
    /// token that consists of a single one, and `None` for scalars.
    fn token(&mut self, bracket: Option<u8>, bytes: &[u8]) -> Option<Scan> {
        self.state = State::Start;
        let start = *self.message_start.get_or_insert(self.token_start);
        self.tokens += 1;
        match bracket {
            Some(b'{') => self.braces += 1,
            Some(b'}') => self.braces -= 1,
            Some(b'[') => self.brackets += 1,
            Some(b']') => self.brackets -= 1,
            _ => {}
        }
        if let Some(error) = self.check_size() {
            return Some(error);
        }
        if self.tokens > self.limits.tokens_max {
            return Some(self.invalid(SyntaxError::too_many_tokens()));
        }
        let nesting = self.braces.saturating_add(self.brackets);
        if usize::try_from(nesting).is_ok_and(|nesting| nesting > self.limits.nesting_max) {
            return Some(self.invalid(SyntaxError::too_deep()));
        }
        let open = self.braces > 0 || self.brackets > 0;
        if open && self.braces >= 0 && self.brackets >= 0 {
            return None;
        }
        debug_assert!(self.position <= bytes.len());
        let tokens = self.tokens;
        self.reset();
        Some(Scan::Message {
            start,
            end: self.position,
            tokens,
        })
    }

    fn check_size(&mut self) -> Option<Scan> {
        if self.position.saturating_sub(self.needed_from()) <= self.limits.message_bytes_max {
            return None;
        }
        let found = self.invalid(SyntaxError::too_long());
        self.state = State::Recovery;
        Some(found)
    }

    fn stray(&mut self, bytes: &[u8]) -> Scan {
        /// The maximum size of a token in an error: the peer knows the rest.
        const SHOWN_BYTES_MAX: usize = 200;
        let token = bytes
            .get(self.token_start..self.position)
            .unwrap_or_default();
        let shown = token.get(..SHOWN_BYTES_MAX).unwrap_or(token);
        let error = SyntaxError::parse(format_args!("stray '{}'", String::from_utf8_lossy(shown)));
        let found = self.invalid(error);
        self.state = State::Recovery;
        found
    }

    fn invalid(&mut self, error: SyntaxError) -> Scan {
        self.reset();
        Scan::Invalid {
            end: self.position,
            error,
        }
    }

    /// Restarts after an error of the caller's: the bytes that follow are skipped up
    /// to a byte that ends the recovery.
    pub(super) fn recover(&mut self) {
        self.reset();
        self.position = 0;
        self.state = State::Recovery;
    }

    fn reset(&mut self) {
        self.state = State::Start;
        self.message_start = None;
        self.tokens = 0;
        self.braces = 0;
        self.brackets = 0;
    }
}

/// Returns whether the byte is white space in JSON.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn ends_recovery(byte: u8) -> bool {
    match byte {
        b'\t' => false,
        0..=0x1F | 0xFE | 0xFF => true,
        b'[' | b']' | b'{' | b'}' | b':' | b',' => true,
        _ => false,
    }
}

/// The lexer's transition table, except for blanks and recovery.
fn step(state: State, byte: u8) -> Step {
    use State::{
        Digits, Exponent, ExponentDigits, ExponentSign, Keyword, Mantissa, MantissaDigits,
        Recovery, Sign, Start, String, Zero,
    };
    match (state, byte) {
        (Start, b'"' | b'\'') => Step::Continue(String {
            quote: byte,
            escape: false,
        }),
        (Start, b'0') | (Sign, b'0') => Step::Continue(Zero),
        (Start | Sign, b'1'..=b'9') => Step::Continue(Digits),
        (Start, b'-') => Step::Continue(Sign),
        (Start, b'a'..=b'z') => Step::Continue(Keyword),
        (Start, b'{' | b'}' | b'[' | b']' | b',' | b':') => Step::Last,

        (String { .. }, 0..=0x1F | 0xFE | 0xFF) => Step::Error,
        (
            String {
                quote,
                escape: true,
            },
            _,
        ) => Step::Continue(String {
            quote,
            escape: false,
        }),
        (String { quote, .. }, _) if byte == quote => Step::Last,
        (String { quote, .. }, b'\\') => Step::Continue(String {
            quote,
            escape: true,
        }),
        (String { .. }, _) => Step::Continue(state),

        (Zero, b'0'..=b'9') => Step::Error,
        (Zero | Digits, b'.') => Step::Continue(Mantissa),
        (Digits, b'0'..=b'9') => Step::Continue(Digits),
        (Digits | MantissaDigits, b'e' | b'E') => Step::Continue(Exponent),
        (Mantissa | MantissaDigits, b'0'..=b'9') => Step::Continue(MantissaDigits),
        (Exponent, b'+' | b'-') => Step::Continue(ExponentSign),
        (Exponent | ExponentSign | ExponentDigits, b'0'..=b'9') => Step::Continue(ExponentDigits),
        (Zero | Digits | MantissaDigits | ExponentDigits, _) => Step::Before,

        (Keyword, b'a'..=b'z') => Step::Continue(Keyword),
        (Keyword, _) => Step::Before,

        (Start | Sign | Mantissa | Exponent | ExponentSign | Recovery, _) => Step::Error,
    }
}
