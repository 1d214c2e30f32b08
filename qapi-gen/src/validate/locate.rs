//! The line of a value in JSON text.
//!
//! In: text that has been parsed before, and a path. Out: the line of the value, or of
//! the innermost one that contains it.

use super::Step;

/// Returns the number of lines before a value. For a missing value, returns the line of
/// the object or array that lacks it.
#[must_use]
pub fn line_of(text: &[u8], path: &[Step]) -> usize {
    let mut cursor = Cursor { text, at: 0 };
    let mut found = 0;
    cursor.blanks();
    for step in path {
        found = cursor.at;
        let entered = match step {
            Step::Member(name) => cursor.enter_member(name.as_bytes()),
            Step::Element(index) => cursor.enter_element(*index),
        };
        if entered.is_none() {
            return lines_before(text, found);
        }
        found = cursor.at;
    }
    lines_before(text, found)
}

fn lines_before(text: &[u8], at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.iter().filter(|byte| **byte == b'\n').count()
}

struct Cursor<'t> {
    text: &'t [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn blanks(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    /// Moves past a byte and the blanks after it.
    fn expect(&mut self, byte: u8) -> Option<()> {
        if self.peek() != Some(byte) {
            return None;
        }
        self.at += 1;
        self.blanks();
        Some(())
    }

    fn enter_member(&mut self, name: &[u8]) -> Option<()> {
        self.expect(b'{')?;
        loop {
            let start = self.at;
            self.string()?;
            // A name with escapes is not found, and the object's line is near enough.
            let key = self.text.get(start + 1..self.at - 1)?;
            self.blanks();
            self.expect(b':')?;
            if key == name {
                return Some(());
            }
            self.value()?;
            self.expect(b',')?;
        }
    }

    fn enter_element(&mut self, index: usize) -> Option<()> {
        self.expect(b'[')?;
        for _ in 0..index {
            self.value()?;
            self.expect(b',')?;
        }
        Some(())
    }

    /// Moves past a string.
    fn string(&mut self) -> Option<()> {
        let quote = self.peek().filter(|byte| matches!(byte, b'"' | b'\''))?;
        self.at += 1;
        loop {
            match self.peek()? {
                b'\\' => self.at += 2,
                byte => {
                    self.at += 1;
                    if byte == quote {
                        return Some(());
                    }
                }
            }
        }
    }

    /// Moves past a value and the blanks after it.
    fn value(&mut self) -> Option<()> {
        let mut depth = 0_usize;
        loop {
            match self.peek()? {
                b'"' | b'\'' => self.string()?,
                b'{' | b'[' => {
                    depth += 1;
                    self.at += 1;
                }
                b'}' | b']' | b',' if depth == 0 => return Some(()),
                b'}' | b']' => {
                    depth -= 1;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_of_a_value_is_found() {
        let text = b"{\n \"a\": {\"x\": [1, 2]},\n \"b\": [\n  \"]}\",\n  {\"c\":\n 3}\n ]\n}";
        let member = |name: &str| Step::Member(name.to_owned());
        assert_eq!(line_of(text, &[]), 0);
        assert_eq!(line_of(text, &[member("a")]), 1);
        assert_eq!(
            line_of(text, &[member("b"), Step::Element(1), member("c")]),
            5
        );
        // The member d is missing, and its object begins in line 4.
        assert_eq!(
            line_of(text, &[member("b"), Step::Element(1), member("d")]),
            4
        );
        assert_eq!(line_of(b"", &[member("d")]), 0);
    }
}
