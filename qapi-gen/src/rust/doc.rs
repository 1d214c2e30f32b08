//! From schema documentation to rustdoc text.
//!
//! In: a documentation block's parts. Out: lines of Markdown that rustdoc
//! takes without a warning and never mistakes for code to run. It knows
//! nothing of what is documented.

use crate::schema::{Doc, DocArg, DocText, Feature};

/// The documentation of one item, not yet written.
#[derive(Debug)]
pub(crate) struct Docs<'s> {
    /// The block of the definition.
    pub(super) block: Option<&'s Doc>,
    /// What the item is called in the schema.
    pub(super) wire_name: &'s str,
    /// Whether it is a member, or a value, of what the block documents.
    pub(super) is_member: bool,
    /// Its features.
    pub(super) features: Vec<&'s Feature>,
}

impl<'s> Docs<'s> {
    /// Those of a member that nothing documents.
    #[cfg(test)]
    pub(crate) fn of_member(wire_name: &'s str) -> Self {
        Self {
            block: None,
            wire_name,
            is_member: true,
            features: Vec::new(),
        }
    }

    /// The text: of a definition its body, its sections, its features; of a
    /// member what is said of it.
    pub(super) fn text(&self) -> String {
        let mut text = Text::default();
        match self.block {
            Some(doc) if self.is_member => text.member(doc, self.wire_name),
            Some(doc) => text.definition(doc),
            None => {}
        }
        if text.0.is_empty() && self.is_member {
            text.name(self.wire_name);
        }
        text.features(self.block, &self.features);
        if text.0.is_empty() {
            text.name(self.wire_name);
        }
        text.0
    }
}

/// What the documentation says of a deprecation, on one line.
pub(crate) fn deprecation(doc: &Doc) -> Option<String> {
    let described = doc.features().find(|arg| arg.name == "deprecated")?;
    let text = described.text.to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut note = String::new();
    spans(&words.join(" "), Shown::AsItIs, &mut note);
    (!note.is_empty()).then_some(note)
}

/// Text that grows line by line.
#[derive(Default)]
struct Text(String);

impl Text {
    fn definition(&mut self, doc: &Doc) {
        self.paragraph("", &doc.body().to_string());
        for section in doc.sections() {
            // Examples are written for readers of the schema, TODOs for its
            // authors.
            if !matches!(section.tag, "Todo" | "Example" | "Examples") {
                self.paragraph(section.tag, &section.text.to_string());
            }
        }
    }

    fn member(&mut self, doc: &Doc, wire_name: &str) {
        // Older schemas may have spaces around the name.
        let is_meant = |arg: &DocArg<'_>| arg.name.trim() == wire_name;
        if let Some(described) = doc.members().find(is_meant) {
            self.paragraph("", &described.text.to_string());
        }
    }

    fn paragraph(&mut self, tag: &str, text: &str) {
        let text = text.trim_end().trim_start_matches('\n');
        if text.is_empty() {
            return;
        }
        if !self.0.is_empty() {
            self.0.push_str("\n\n");
        }
        if !tag.is_empty() {
            self.0.extend([tag, ": "]);
        }
        let mut list = List::default();
        for (number, line) in text.lines().enumerate() {
            if number > 0 {
                self.0.push('\n');
            }
            let layout = list.lay_out(line, number == 0);
            if layout.ends_list {
                self.0.push('\n');
            }
            // More indentation would make a code block, and rustdoc runs those.
            if !line.trim().is_empty() {
                self.0.extend(std::iter::repeat_n(' ', layout.indent));
            }
            markdown(line.trim(), &mut self.0);
        }
    }

    fn name(&mut self, wire_name: &str) {
        self.0.extend(["`", wire_name, "` of the schema."]);
    }

    fn features(&mut self, doc: Option<&Doc>, features: &[&Feature]) {
        for feature in features {
            let described = doc
                .and_then(|doc| doc.features().find(|arg| feature.name == arg.name))
                .map_or(DocText::EMPTY, |arg| arg.text);
            self.paragraph("", &format!("Feature ``{}``: {described}", feature.name));
        }
    }
}

/// The list items that are open at a line. Markdown wants what belongs to an
/// item to stand exactly under its text: less is bad style, and much more is a
/// block of code, which rustdoc runs.
#[derive(Default)]
struct List {
    /// For every open item: where it stands in the schema, and where its text
    /// stands here.
    items: Vec<(usize, usize)>,
    after_text: bool,
}

/// How a line is to stand.
struct Layout {
    indent: usize,
    /// Whether a blank line has to end the list before it.
    ends_list: bool,
}

impl List {
    fn lay_out(&mut self, line: &str, is_first: bool) -> Layout {
        let content = line.trim();
        if content.is_empty() {
            self.after_text = false;
            return Layout {
                indent: 0,
                ends_list: false,
            };
        }
        let at = line.len() - line.trim_start().len();
        let open = self.items.len();
        while self.items.pop_if(|(begin, _)| at <= *begin).is_some() {}
        let indent = self.items.last().map_or(0, |(_, text)| *text);
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

/// How wide the marker at the beginning of a list item is, its blank included.
fn marker_width(line: &str) -> Option<usize> {
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

/// One line, of which Markdown and rustdoc take nothing for markup but the code
/// spans.
fn markdown(line: &str, out: &mut String) {
    spans(line, Shown::ByRustdoc, out);
}

/// Who shows a text: rustdoc, which takes it for Markdown, or the compiler.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    ByRustdoc,
    AsItIs,
}

/// One line: `@name` and literals become code spans; for rustdoc addresses
/// become links, and what it would take for markup is escaped.
fn spans(line: &str, shown: Shown, out: &mut String) {
    let start = out.len();
    let mut rest = line;
    loop {
        // Most of a text is plain: it is taken as far as it goes.
        let (plain, marked) = rest.split_at(rest.find(may_begin_span).unwrap_or(rest.len()));
        out.push_str(plain);
        rest = marked;
        let Some(first) = rest.chars().next() else {
            break;
        };
        if let Some(literal) = rest.strip_prefix("``")
            && let Some((code, tail)) = literal.split_once("``")
        {
            out.push('`');
            out.push_str(code);
            out.push('`');
            rest = tail;
            continue;
        }
        let before = out.get(start..).unwrap_or_default();
        let at_word_start = !before.ends_with(|c: char| c.is_ascii_alphanumeric());
        if let Some(named) = rest.strip_prefix('@')
            && at_word_start
        {
            let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
            let end = named.find(|c| !is_name(c)).unwrap_or(named.len());
            let (name, _) = named.split_at(end);
            let name = name.trim_end_matches('.');
            if !name.is_empty() {
                out.push('`');
                out.push_str(name);
                out.push('`');
                rest = named.strip_prefix(name).unwrap_or_default();
                continue;
            }
        }
        if shown == Shown::ByRustdoc {
            if at_word_start && let Some((address, tail)) = address(rest) {
                out.extend(["<", address, ">"]);
                rest = tail;
                continue;
            }
            if matches!(first, '<' | '>' | '[' | ']' | '`' | '\\' | '|') {
                out.push('\\');
            }
        }
        out.push(first);
        rest = rest.strip_prefix(first).unwrap_or_default();
    }
}

/// Whether a character may be markup, or begin what becomes such: `http`.
fn may_begin_span(c: char) -> bool {
    matches!(c, '`' | '@' | '<' | '>' | '[' | ']' | '\\' | '|' | 'h')
}

/// The web address that a text begins with, and what follows it.
fn address(text: &str) -> Option<(&str, &str)> {
    let scheme = ["https://", "http://"]
        .into_iter()
        .find(|scheme| text.starts_with(scheme))?;
    let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '`' | '"' | '\'' | ')');
    let (address, _) = text.split_at(text.find(ends).unwrap_or(text.len()));
    // What a sentence ends with is not part of it.
    let address = address.trim_end_matches(['.', ',', ';', ':', '!', '?']);
    (address.len() > scheme.len()).then_some((address, text.strip_prefix(address)?))
}

#[cfg(test)]
mod tests {
    use super::{Text, markdown};

    #[test]
    fn markup() {
        let rows = [
            ("see @bucket-size.", "see `bucket-size`."),
            ("``a <b>`` and <c>", r"`a <b>` and \<c\>"),
            ("me@example.org", "me@example.org"),
            ("an array [1]", r"an array \[1\]"),
            ("see https://a.org/b.", "see <https://a.org/b>."),
            ("(http://a.org)", "(<http://a.org>)"),
            ("a lone ` and ``", r"a lone \` and \`\`"),
            (
                "(see https://example.org/a.html#b).",
                "(see <https://example.org/a.html#b>).",
            ),
            (
                "`x <http://example.org>`_",
                r"\`x \<<http://example.org>\>\`_",
            ),
        ];
        for (line, expected) in rows {
            let mut out = "word".to_owned();
            markdown(line, &mut out);
            assert_eq!(out.strip_prefix("word"), Some(expected));
        }
    }

    #[test]
    fn what_belongs_to_a_list_item_stands_under_its_text() {
        let rows = [
            ("a\n    b", "a\nb"),
            ("- one\n  two\nthree", "- one\n  two\n\nthree"),
            ("- one\n     two\n\n     three", "- one\n  two\n\n  three"),
            ("- one\n    - two\n      three", "- one\n  - two\n    three"),
            ("10. one\n    two\n11. three", "10. one\n    two\n11. three"),
            ("in\n10. that is\n -1", "in\n10. that is\n-1"),
        ];
        for (text, expected) in rows {
            let mut out = Text::default();
            out.paragraph("", text);
            assert_eq!(out.0, expected);
        }
    }
}
