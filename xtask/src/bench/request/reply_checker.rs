//! Checks replies against the statistics files.
//!
//! In: a reply, and reads of the files before and after it. Out: whether every
//! value of the reply lies between the two reads, so that a constant is equal
//! and a counter is current. Checking is not part of the measured time.

use super::minimal::Content;
use crate::tools::Failure;

pub(super) struct ReplyChecker {
    content: Content,
    before: Vec<u8>,
    after: Vec<u8>,
    first: Vec<u8>,
}

impl ReplyChecker {
    pub(super) fn new(mut content: Content) -> Self {
        let mut first = Vec::new();
        content.write(&mut first);
        Self {
            content,
            before: Vec::new(),
            after: Vec::new(),
            first,
        }
    }

    /// Sends a request and checks the reply.
    pub(super) fn check<'r>(
        &mut self,
        ask: impl FnOnce() -> Result<&'r [u8], Failure>,
    ) -> Result<(), Failure> {
        self.content.write(&mut self.before);
        let reply = ask()?;
        self.content.write(&mut self.after);
        if is_between(reply, &self.before, &self.after) {
            Ok(())
        } else {
            Err("a reply is not what the statistics files say".to_owned())
        }
    }

    /// Returns whether any value has changed since `new`.
    pub(super) fn has_seen_change(&self) -> bool {
        self.first != self.after
    }
}

/// Returns whether the three texts are equal except for flags, and for numbers
/// of which the first text's lies between the others'.
fn is_between(mut text: &[u8], mut before: &[u8], mut after: &[u8]) -> bool {
    loop {
        let tokens = (token(&mut text), token(&mut before), token(&mut after));
        match tokens {
            (Some(text), Some(before), Some(after)) => {
                if !is_token_between(text, before, after) {
                    return false;
                }
            }
            (None, None, None) => return true,
            _ => return false,
        }
    }
}

fn is_token_between(text: Token<'_>, before: Token<'_>, after: Token<'_>) -> bool {
    match (text, before, after) {
        (Token::Number(value), Token::Number(before), Token::Number(after)) => {
            (before.min(after)..=before.max(after)).contains(&value)
        }
        (Token::Flag, Token::Flag, Token::Flag) => true,
        (Token::Text(text), Token::Text(before), Token::Text(after)) => {
            text == before && text == after
        }
        _ => false,
    }
}

/// A piece of a reply.
#[derive(Clone, Copy)]
enum Token<'t> {
    Number(u64),
    Flag,
    Text(&'t [u8]),
}

fn token<'t>(rest: &mut &'t [u8]) -> Option<Token<'t>> {
    // A value follows a space; digits within a name are text.
    for flag in [&b" true"[..], b" false"] {
        if let Some(after) = rest.strip_prefix(flag) {
            *rest = after;
            return Some(Token::Flag);
        }
    }
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let digits = rest.iter().take_while(|byte| is_digit(byte)).count();
    if digits > 0 {
        let (number, after) = rest.split_at_checked(digits)?;
        *rest = after;
        let number = str::from_utf8(number).ok()?.parse();
        return Some(number.map_or(Token::Text(b"too large"), Token::Number));
    }
    let is_end = |(index, byte): &(usize, &u8)| is_digit(byte) || (*index > 0 && **byte == b' ');
    let end = rest.iter().enumerate().find(is_end);
    let (text, after) = rest.split_at_checked(end.map_or(rest.len(), |(index, _)| index))?;
    *rest = after;
    (!text.is_empty()).then_some(Token::Text(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, before: &str, after: &str, expected: bool) {
        let outcome = is_between(text.as_bytes(), before.as_bytes(), after.as_bytes());
        assert_eq!(outcome, expected, "{text} {before} {after}");
    }

    #[test]
    fn reply_is_accepted_when_its_values_lie_between_two_reads() {
        let exits = |value: &str| format!("{{\"name\": \"l1d_exits\", \"value\": {value}}}");
        let between = |value: &str, expected| {
            check(&exits(value), &exits("99"), &exits("101"), expected);
        };
        between("99", true);
        between("101", true);
        between("98", false);
        between("102", false);
        between("[99]", false);
        between("true", false);
        check(&exits("7"), &exits("7"), &exits("7"), true);
        check(&exits("8"), &exits("7"), &exits("7"), false);
        check(&exits("true"), &exits("false"), &exits("false"), true);
        check("[1, 2]", "[1, 2]", "[1, 2, 3]", false);
        check("[1, 2] ", "[1, 2]", "[1, 2]", false);
        check("\"a\": 1", "\"b\": 1", "\"b\": 1", false);
    }
}
