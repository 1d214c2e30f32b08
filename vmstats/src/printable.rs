//! Text of others, fit for a terminal.
//!
//! In: names and messages that a peer or a file chose. Out: the same with
//! control characters escaped, so that they neither break a line nor command
//! the terminal.

use std::borrow::Cow;
use std::fmt::Write;

/// Escapes the control characters in a text.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            // Writing to a string does not fail.
            let _ = write!(escaped, "{}", character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    Cow::Owned(escaped)
}

/// A text as a JSON string for people: nothing is escaped but what JSON wants
/// escaped, and control characters.
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
            // Those are U+0000 to U+001F and U+007F to U+009F.
            _ if character.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(character));
            }
            _ => json.push(character),
        }
    }
    json.push('"');
    json
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn only_control_characters_are_escaped() {
        assert_eq!(printable("é [x]"), "é [x]");
        assert_eq!(printable("a\nb\u{1b}[31m\u{9b}"), "a\\nb\\u{1b}[31m\\u{9b}");
    }
}
