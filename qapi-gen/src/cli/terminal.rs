//! Text of a schema on an output stream.
//!
//! In: text that quotes a schema. Out: the text as the stream must get it.

use qapi_gen::diag::printable;

/// Returns the text without control characters if the stream is a terminal,
/// and verbatim otherwise: programs compare the text byte by byte with that of
/// QEMU's generator, and a terminal would obey the characters.
pub(super) fn for_stream(text: String, is_terminal: bool) -> String {
    if is_terminal {
        printable(&text).into_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::for_stream;

    #[test]
    fn control_characters_are_escaped_for_a_terminal_only() {
        let text = "body=\u{202e}\u{9b}31m\n";
        assert_eq!(for_stream(text.to_owned(), false), text);
        let escaped = "body=\\u{202e}\\u{9b}31m\n";
        assert_eq!(for_stream(text.to_owned(), true), escaped);
    }
}
