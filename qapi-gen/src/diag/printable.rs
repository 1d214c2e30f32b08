//! Characters that a terminal obeys instead of showing.
//!
//! In: text that quotes a schema. Out: the same text, safe to print. It does
//! not know what the text is about.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns whether a terminal shows the character, rather than being
/// controlled by it.
///
/// Control characters move the cursor and begin escape sequences;
/// bidirectional controls and line separators make a line read differently
/// from what it says. Tabs do neither.
#[must_use]
pub fn is_printable(c: char) -> bool {
    match c {
        '\t' => true,
        // The controls of the bidirectional algorithm (Unicode Annex 9).
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            false
        }
        '\u{2028}' | '\u{2029}' => false,
        _ => !c.is_control(),
    }
}

/// Returns a message with an escape, such as `\u{202e}`, in the place of each
/// character that is not [printable](is_printable). Line ends remain.
#[must_use]
pub fn printable(message: &str) -> Cow<'_, str> {
    let is_kept = |c| c == '\n' || is_printable(c);
    if message.chars().all(is_kept) {
        return message.into();
    }
    let mut escaped = String::with_capacity(message.len() + 8);
    for c in message.chars() {
        if is_kept(c) {
            escaped.push(c);
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, "{}", c.escape_unicode());
        }
    }
    escaped.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_escaped_and_all_other_text_is_kept() {
        for text in ["", "two\nlines\tä", "\u{5d0}\u{1f600}"] {
            assert!(matches!(printable(text), Cow::Borrowed(same) if same == text));
        }
        assert_eq!(printable("a\u{1b}[31m\nb"), "a\\u{1b}[31m\nb");
        assert_eq!(printable("\u{9b}\u{202e}\r"), "\\u{9b}\\u{202e}\\u{d}");
    }
}
