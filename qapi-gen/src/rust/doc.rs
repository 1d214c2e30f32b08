//! From schema documentation to rustdoc text.
//!
//! In: a documentation block's parts. Out: lines of Markdown that rustdoc
//! takes without a warning and never mistakes for code to run. It knows
//! nothing of what is documented.

use crate::schema::{Doc, DocArg, DocText, Feature};

/// The documentation of a definition: its body, its sections, its features.
pub(crate) fn definition(doc: Option<&Doc>, features: &[Feature], wire_name: &str) -> Vec<String> {
    let mut text = Text::default();
    if let Some(doc) = doc {
        text.paragraph("", &doc.body().to_string());
        for section in doc.sections() {
            // Examples are written for readers of the schema, TODOs for its
            // authors.
            if !matches!(section.tag, "Todo" | "Example" | "Examples") {
                text.paragraph(section.tag, &section.text.to_string());
            }
        }
    }
    text.features(doc, features);
    if text.lines.is_empty() {
        text.paragraph("", &format!("``{wire_name}`` of the schema."));
    }
    text.lines
}

/// The documentation of one member or value.
pub(crate) fn member(doc: Option<&Doc>, wire_name: &str, features: &[Feature]) -> Vec<String> {
    let mut text = Text::default();
    // Older schemas may have spaces around the name.
    let is_meant = |arg: &DocArg<'_>| arg.name.trim() == wire_name;
    let described = doc.and_then(|doc| doc.members().find(is_meant));
    if let Some(described) = described {
        text.paragraph("", &described.text.to_string());
    }
    if text.lines.is_empty() {
        text.paragraph("", &format!("``{wire_name}`` of the schema."));
    }
    text.features(doc, features);
    text.lines
}

#[derive(Default)]
struct Text {
    lines: Vec<String>,
}

impl Text {
    fn paragraph(&mut self, tag: &str, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        if !self.lines.is_empty() {
            self.lines.push(String::new());
        }
        for (number, line) in text.lines().enumerate() {
            // Indentation would make a code block, and rustdoc runs those.
            let line = markdown(line.trim());
            let prefix = if number == 0 && !tag.is_empty() {
                format!("{tag}: ")
            } else {
                String::new()
            };
            self.lines.push(format!("{prefix}{line}"));
        }
    }

    fn features(&mut self, doc: Option<&Doc>, features: &[Feature]) {
        for feature in features {
            let described = doc
                .and_then(|doc| doc.features().find(|arg| feature.name == arg.name))
                .map_or(DocText::EMPTY, |arg| arg.text);
            self.paragraph("", &format!("Feature ``{}``: {described}", feature.name));
        }
    }
}

/// One line: `@name` and literals become code spans, and what Markdown or
/// rustdoc would take for markup is escaped.
fn markdown(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        if let Some(literal) = rest.strip_prefix("``")
            && let Some((code, tail)) = literal.split_once("``")
        {
            out.push('`');
            out.push_str(code);
            out.push('`');
            rest = tail;
            continue;
        }
        let at_word_start = !out.ends_with(|c: char| c.is_ascii_alphanumeric());
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
        if matches!(first, '<' | '>' | '[' | ']' | '`' | '\\' | '|') {
            out.push('\\');
        }
        out.push(first);
        rest = rest.strip_prefix(first).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::markdown;

    #[test]
    fn markup() {
        let rows = [
            ("see @bucket-size.", "see `bucket-size`."),
            ("``a <b>`` and <c>", r"`a <b>` and \<c\>"),
            ("me@example.org", "me@example.org"),
            ("an array [1]", r"an array \[1\]"),
            ("a lone ` and ``", r"a lone \` and \`\`"),
        ];
        for (line, expected) in rows {
            assert_eq!(markdown(line), expected);
        }
    }
}
