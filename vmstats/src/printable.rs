//! Text of a peer or a file, made fit for a terminal.
//!
//! In: names and messages that somebody else chose. Out: the same text with
//! control characters escaped, so that they neither break a line nor control the
//! terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes the characters in a text that could deceive the reader of a terminal.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_unsafe(character) {
            // Writing to a string does not fail.
            let _ = write!(escaped, "{}", character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// Returns a text as a JSON string for people. Only control characters, those
/// that change the direction of writing, quotation marks and backslashes are
/// escaped.
#[must_use]
pub fn json_string(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 2);
    json.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => json.extend(['\\', character]),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            // JSON has no shorter escape for an unsafe character. All of them are
            // below U+10000, so one escape suffices.
            _ if is_unsafe(character) => {
                let _ = write!(json, "\\u{:04x}", u32::from(character));
            }
            _ => json.push(character),
        }
    }
    json.push('"');
    json
}

/// Returns whether a character could deceive the reader of a terminal: a control
/// character, one without a width, a separator of lines, or one that changes the direction
/// of writing.
#[must_use]
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{2069}' | '\u{feff}'
        )
}

#[cfg(test)]
mod tests {
    use super::{json_string, printable};

    #[test]
    fn text_is_escaped_only_where_it_could_deceive() {
        assert_eq!(printable("é [x]"), "é [x]");
        assert_eq!(printable("a\nb\u{1b}[31m\u{9b}"), "a\\nb\\u{1b}[31m\\u{9b}");
        assert_eq!(printable("a\u{202e}b"), "a\\u{202e}b");
        assert_eq!(printable("a\u{200b}b\u{feff}"), "a\\u{200b}b\\u{feff}");
        assert_eq!(json_string("é\u{202e}\u{1}"), "\"é\\u202e\\u0001\"");
    }
}
