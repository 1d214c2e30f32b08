//! The lists in a text.
//!
//! In: a text's lines, one after the other. Out: where each has to stand. It
//! knows no markup but the markers of items.

/// The list items that are open at a line. Markdown wants what belongs to an
/// item to stand exactly under its text: less is bad style, and much more is a
/// block of code, which rustdoc runs.
pub(super) struct List {
    /// Where what belongs to no item stands.
    base: usize,
    /// For every open item: where it stands in the schema, and where its text
    /// stands here.
    items: Vec<(usize, usize)>,
    after_text: bool,
}

/// How a line is to stand.
pub(super) struct Layout {
    pub(super) indent: usize,
    /// Whether a blank line has to end the list before it.
    pub(super) ends_list: bool,
}

impl List {
    /// The lists of a text that stands `base` columns from the margin.
    pub(super) fn new(base: usize) -> Self {
        Self {
            base,
            items: Vec::new(),
            after_text: false,
        }
    }

    /// Takes a blank line, or what is no text.
    pub(super) fn interrupt(&mut self) {
        self.after_text = false;
    }

    /// Where that stands which begins at a column of the schema.
    pub(super) fn indent(&mut self, at: usize) -> usize {
        while self.items.pop_if(|(begin, _)| at <= *begin).is_some() {}
        self.items.last().map_or(self.base, |(_, text)| *text)
    }

    /// Takes a line of text.
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

/// The column at which a line begins.
pub(super) fn indentation(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// How wide the marker at the beginning of a list item is, its blank included.
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
