//! Lists.
//!
//! In: the lines of a text, one after the other. Out: the indentation of each
//! line in Markdown. The markers of list items are the only markup that matters
//! here.

/// The list items that are open at a line.
///
/// In Markdown, the text of an item should be aligned with the first line of the
/// item. Less indentation is bad style. Much more makes a block of code, which
/// rustdoc would run.
pub(super) struct List {
    /// The indentation of text that belongs to no item.
    base: usize,
    /// For each open item, the column of the item in the schema and the column
    /// of its text in Markdown.
    items: Vec<(usize, usize)>,
    /// A flag that the previous line was text.
    after_text: bool,
}

/// The position of a line in Markdown.
pub(super) struct Layout {
    /// The column of the line.
    pub(super) indent: usize,
    /// Whether the line needs a blank line before it, which ends a list.
    pub(super) ends_list: bool,
}

impl List {
    /// Creates a state without open items for a text at column `base`.
    pub(super) fn new(base: usize) -> Self {
        Self {
            base,
            items: Vec::new(),
            after_text: false,
        }
    }

    /// Notes a blank line, or a block that is not text.
    pub(super) fn interrupt(&mut self) {
        self.after_text = false;
    }

    /// Returns the column in Markdown for a block at column `at` of the schema,
    /// and closes the items that end before it.
    pub(super) fn indent(&mut self, at: usize) -> usize {
        while self.items.pop_if(|(begin, _)| at <= *begin).is_some() {}
        self.items.last().map_or(self.base, |(_, text)| *text)
    }

    /// Returns the position of a line of text. `is_first` says whether the line
    /// is the first of the text.
    pub(super) fn lay_out(&mut self, line: &str, is_first: bool) -> Layout {
        let content = line.trim();
        let open = self.items.len();
        let at = indentation(line);
        let indent = self.indent(at);
        let marker = marker_width(content)
            .filter(|_| is_first || open > 0 || !self.after_text || !content.starts_with(digit));
        let ends_list = marker.is_none() && self.items.len() < open && self.after_text;
        if let Some(width) = marker {
            self.items.push((at, indent + width));
        }
        self.after_text = true;
        Layout { indent, ends_list }
    }
}

/// Returns the column at which a line begins.
pub(super) fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Returns the width of the marker of a list item, including its space, or `None`
/// if the line is not a list item.
pub(super) fn marker_width(line: &str) -> Option<usize> {
    let number = line.trim_start_matches(digit);
    let digits = line.len() - number.len();
    let is_item = match digits {
        0 => line.starts_with(['-', '*', '+']),
        _ => digits <= 9 && number.starts_with(['.', ')']),
    };
    let width = digits + 2;
    (is_item && line.get(width - 1..width) == Some(" ")).then_some(width)
}

fn digit(c: char) -> bool {
    c.is_ascii_digit()
}
