//! The words of a human monitor's line.
//!
//! In: a line. Out: its words: separated by blanks, or in double quotes with
//! the escapes of QEMU's `monitor/hmp.c`. It knows no command.

/// Cuts a line into words.
pub(super) struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    pub(super) fn new(line: &'a str) -> Self {
        Self { rest: line }
    }

    /// The next word; `None` at the end of the line, or where a quote is not
    /// closed.
    pub(super) fn next(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        if let Some(quoted) = self.rest.strip_prefix('"') {
            return self.quoted(quoted);
        }
        let end = self
            .rest
            .find(char::is_whitespace)
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        (!word.is_empty()).then(|| word.to_owned())
    }

    fn quoted(&mut self, quoted: &'a str) -> Option<String> {
        self.rest = "";
        let mut word = String::new();
        let mut characters = quoted.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => {
                    self.rest = characters.as_str();
                    return Some(word);
                }
                '\\' => match characters.next()? {
                    'n' => word.push('\n'),
                    'r' => word.push('\r'),
                    escaped @ ('\\' | '\'' | '"') => word.push(escaped),
                    _ => return None,
                },
                _ => word.push(character),
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::Words;

    fn check(line: &str, expected: &[&str]) {
        let mut words = Words::new(line);
        let found: Vec<String> = std::iter::from_fn(|| words.next()).collect();
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn words() {
        check("", &[]);
        check("  info   stats vm ", &["info", "stats", "vm"]);
        check(r#"a "b c" "" d"#, &["a", "b c", "", "d"]);
        check(r#""v\"m\\""#, &["v\"m\\"]);
        check(r#"a "b"#, &["a"]);
        check(r#""\q" b"#, &[]);
    }
}
