//! The tokens of a schema.
//!
//! In: text. Out: pieces of the text. Any text has tokens, also a wrong schema.

/// Cuts a schema into strings, words, comments, blanks and single characters.
/// The tokens together are the whole text.
pub(crate) fn cut(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let run = |belongs: fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
        let end = match first {
            '\'' => string_bytes(rest),
            '#' => rest.find('\n').unwrap_or(rest.len()),
            ' ' => run(|c| c == ' '),
            _ if first.is_ascii_alphanumeric() => run(|c| c.is_ascii_alphanumeric()),
            _ => first.len_utf8(),
        };
        let (token, tail) = rest.split_at_checked(end).unwrap_or((rest, ""));
        rest = tail;
        Some(token)
    })
}

/// Returns the length of the string at the beginning of a text, or of its quote
/// alone if the string does not end in its line.
fn string_bytes(text: &str) -> usize {
    let tail = text.get(1..).unwrap_or_default();
    match tail.find(['\'', '\n']) {
        Some(end) if tail.get(end..=end) == Some("'") => end + 2,
        _ => 1,
    }
}
