//! Lists.
//!
//! In: the columns of the lines of a text, one after the other. Out: the
//! indentation of each block in Markdown. The markers of list items are the only
//! markup that matters here.

/// The list items that are open at a line.
///
/// In Markdown, the text of an item must be aligned with the first line of the
/// item. Less indentation ends the item. Much more makes a block of code, which
/// rustdoc would run.
pub(super) struct List {
    /// The indentation of text that belongs to no item.
    base: usize,
    /// For each open item, the column of the item in the schema and the column
    /// of its text in Markdown.
    items: Vec<(usize, usize)>,
}

impl List {
    /// Creates a state without open items for a text at column `base`.
    pub(super) fn new(base: usize) -> Self {
        Self {
            base,
            items: Vec::new(),
        }
    }

    /// Returns the column in Markdown for a block at column `at` of the schema,
    /// and closes the items that end before it.
    pub(super) fn indent(&mut self, at: usize) -> usize {
        while !self.contains(at) {
            self.close();
        }
        self.items.last().map_or(self.base, |(_, text)| *text)
    }

    /// Opens an item at column `at` of the schema, whose text is at column `text`
    /// in Markdown.
    pub(super) fn open(&mut self, at: usize, text: usize) {
        self.items.push((at, text));
    }

    /// Closes the innermost open item.
    pub(super) fn close(&mut self) {
        self.items.pop();
    }

    /// Returns whether a line at column `at` of the schema belongs to the innermost
    /// open item.
    pub(super) fn contains(&self, at: usize) -> bool {
        self.items.last().is_none_or(|(begin, _)| at > *begin)
    }
}

/// The first line of a list item.
pub(super) struct Item<'t> {
    /// The hyphen, the number with its full stop, and so on.
    pub(super) marker: &'t str,
    /// The text after the marker.
    pub(super) text: &'t str,
    /// `true` if the marker is a number.
    pub(super) is_numbered: bool,
}

impl<'t> Item<'t> {
    /// Splits a line without blanks at its ends. Returns `None` if the line begins
    /// no list item, or one without text.
    pub(super) fn new(line: &'t str) -> Option<Self> {
        let (marker, text) = line.split_once(char::is_whitespace)?;
        is_marker(marker).then(|| Self {
            marker,
            text: text.trim_start(),
            is_numbered: marker.len() > 1,
        })
    }

    /// Returns the number of columns between the marker and the text in Markdown.
    pub(super) fn width(&self) -> usize {
        self.marker.len() + 1
    }
}

/// Returns whether Markdown takes a word for the marker of a list item.
pub(super) fn is_marker(word: &str) -> bool {
    let number = word.trim_start_matches(|c: char| c.is_ascii_digit());
    match word.len() - number.len() {
        0 => matches!(number, "-" | "*" | "+"),
        digits => digits <= 9 && matches!(number, "." | ")"),
    }
}

/// Returns the column at which a line begins.
pub(super) fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}
