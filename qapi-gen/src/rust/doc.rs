//! From schema documentation to rustdoc text.
//!
//! In: a documentation block's parts. Out: lines of Markdown that rustdoc
//! takes without a warning and never mistakes for code to run. It knows
//! nothing of what is documented.

mod blocks;
mod directive;
mod inline;
mod list;

use crate::schema::{Doc, DocArg, DocText, Feature};

/// The documentation of a definition: its body, its sections, its features.
pub(crate) fn definition(doc: Option<&Doc>, features: &[Feature], wire_name: &str) -> String {
    let mut text = Text::default();
    if let Some(doc) = doc {
        text.paragraph("", &doc.body().to_string());
        for section in doc.sections() {
            let words = section.text.to_string();
            match section.tag {
                // They are written for the schema's authors.
                "Todo" => {}
                tag @ ("Example" | "Examples") => text.example(tag, &words),
                tag => text.paragraph(tag, &words),
            }
        }
    }
    text.features(doc, features);
    text.or_name(wire_name)
}

/// The documentation of one member or value.
pub(crate) fn member(doc: Option<&Doc>, wire_name: &str, features: &[Feature]) -> String {
    let mut text = Text::default();
    // Older schemas may have spaces around the name.
    let is_meant = |arg: &DocArg<'_>| arg.name.trim() == wire_name;
    let described = doc.and_then(|doc| doc.members().find(is_meant));
    if let Some(described) = described {
        text.paragraph("", &described.text.to_string());
    }
    let mut text = Text(text.or_name(wire_name));
    text.features(doc, features);
    text.or_name(wire_name)
}

/// What the documentation says of a deprecation, on one line.
pub(crate) fn deprecation(doc: &Doc) -> Option<String> {
    let described = doc.features().find(|arg| arg.name == "deprecated")?;
    let text = described.text.to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut note = String::new();
    inline::plain(&words.join(" "), &mut note);
    (!note.is_empty()).then_some(note)
}

/// Text that grows paragraph by paragraph.
#[derive(Default)]
struct Text(String);

impl Text {
    fn paragraph(&mut self, tag: &str, text: &str) {
        blocks::write(tag, text, &mut self.0);
    }

    /// A section that older markup has for examples: all of it is one.
    fn example(&mut self, tag: &str, text: &str) {
        blocks::write_literal(tag, text, &mut self.0);
    }

    fn features(&mut self, doc: Option<&Doc>, features: &[Feature]) {
        for feature in features {
            let described = doc
                .and_then(|doc| doc.features().find(|arg| feature.name == arg.name))
                .map_or(DocText::EMPTY, |arg| arg.text);
            match described.to_string() {
                text if text.trim().is_empty() => {
                    self.paragraph("", &format!("Feature ``{}``.", feature.name));
                }
                text => self.paragraph(&format!("Feature `{}`", feature.name), &text),
            }
        }
    }

    /// The text; the name of what it is about if there is none.
    fn or_name(mut self, wire_name: &str) -> String {
        self.0.truncate(self.0.trim_end().len());
        if self.0.is_empty() {
            self.0.extend(["`", wire_name, "` of the schema."]);
        }
        self.0
    }
}
