//! A writer of JSON text.
//!
//! In: objects, arrays and strings, begun and ended in order. Out: text with
//! commas where JSON needs them.

/// JSON text under construction.
#[derive(Debug, Default)]
pub(crate) struct Json {
    text: String,
}

impl Json {
    /// Begins an object, as an element of an array or the value of a key.
    pub(crate) fn begin_object(&mut self) {
        self.separate();
        self.text.push('{');
    }

    /// Ends an object.
    pub(crate) fn end_object(&mut self) {
        self.text.push('}');
    }

    /// Begins an array, as an element of an array or the value of a key.
    pub(crate) fn begin_array(&mut self) {
        self.separate();
        self.text.push('[');
    }

    /// Ends an array.
    pub(crate) fn end_array(&mut self) {
        self.text.push(']');
    }

    /// Adds a key, whose value comes next.
    pub(crate) fn key(&mut self, key: &str) {
        self.string(key);
        self.text.push(':');
    }

    /// Adds a string.
    pub(crate) fn string(&mut self, value: &str) {
        self.separate();
        self.text.push('"');
        for c in value.chars() {
            match c {
                '"' | '\\' => self.text.extend(['\\', c]),
                ' '..='~' => self.text.push(c),
                // Names in a schema are plain ASCII, but an invalid text would be
                // worse than a long one.
                _ => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        self.text.push_str(&format!("\\u{unit:04x}"));
                    }
                }
            }
        }
        self.text.push('"');
    }

    /// Adds a key and a string.
    pub(crate) fn member(&mut self, key: &str, value: &str) {
        self.key(key);
        self.string(value);
    }

    /// Adds a word: `null`, `true` or `false`.
    pub(crate) fn word(&mut self, word: &str) {
        self.separate();
        self.text.push_str(word);
    }

    /// Begins a line for the next element of an array.
    pub(crate) fn begin_line(&mut self) {
        self.separate();
        self.text.push('\n');
    }

    /// Ends the last line of an array, if it has any.
    pub(crate) fn end_lines(&mut self) {
        if !self.is_separated() {
            self.text.push('\n');
        }
    }

    /// Returns the text.
    pub(crate) fn finish(mut self) -> String {
        self.text.push('\n');
        self.text
    }

    fn separate(&mut self) {
        if !self.is_separated() {
            self.text.push(',');
        }
    }

    /// Returns whether the next value needs no comma before it.
    fn is_separated(&self) -> bool {
        self.text.is_empty() || self.text.ends_with(['[', '{', ':', ',', '\n'])
    }
}
