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
        if self.is_member {
            text = Text(text.or_name(self.wire_name));
        }
        text.features(self.block, &self.features);
        text.or_name(self.wire_name)
    }
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
    fn definition(&mut self, doc: &Doc) {
        self.paragraph("", doc.body().lines());
        for section in doc.sections() {
            let lines = section.text.lines();
            match section.tag {
                // They are written for the schema's authors.
                "Todo" => {}
                // Older markup has such a section for examples: all of it is one.
                tag @ ("Example" | "Examples") => blocks::write_literal(tag, lines, &mut self.0),
                tag => self.paragraph(tag, lines),
            }
        }
    }

    fn member(&mut self, doc: &Doc, wire_name: &str) {
        // Older schemas may have spaces around the name.
        let is_meant = |arg: &DocArg<'_>| arg.name.trim() == wire_name;
        if let Some(described) = doc.members().find(is_meant) {
            self.paragraph("", described.text.lines());
        }
    }

    fn paragraph<'t>(&mut self, tag: &str, lines: impl Iterator<Item = &'t str>) {
        blocks::write(tag, lines, &mut self.0);
    }

    fn features(&mut self, doc: Option<&Doc>, features: &[&Feature]) {
        for feature in features {
            let described = doc
                .and_then(|doc| doc.features().find(|arg| feature.name == arg.name))
                .map_or(DocText::EMPTY, |arg| arg.text);
            if described.lines().all(|line| line.trim().is_empty()) {
                let named = format!("Feature ``{}``.", feature.name);
                self.paragraph("", named.lines());
            } else {
                self.paragraph(&format!("Feature `{}`", feature.name), described.lines());
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
