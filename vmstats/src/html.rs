//! Text for HTML.
//!
//! In: any text, also a monitor's. Out: the same text as the content of an element or of a
//! quoted attribute.

use crate::printable::printable;

/// Escapes a text, and makes control characters visible.
#[must_use]
pub fn escaped(text: &str) -> String {
    let text = printable(text);
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn markup_is_text_when_it_is_escaped() {
        let hostile = "<script>a('\"&')</script>\u{202e}\n";
        let expected = "&lt;script&gt;a(&#39;&quot;&amp;&#39;)&lt;/script&gt;\\u{202e}\\n";
        assert_eq!(escaped(hostile), expected);
    }
}
