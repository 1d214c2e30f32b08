//! Converts schema documentation to rustdoc.
//!
//! In: the parts of a documentation block. Out: lines of Markdown that cause no
//! warning of rustdoc and no doctest. This room must not know what is
//! documented.

mod blocks;
#[cfg(test)]
mod commonmark_tests;
mod directive;
mod inline;
mod list;

use crate::schema::{Doc, DocArg, DocText, Feature};

/// The documentation of an item before its conversion.
#[derive(Debug)]
pub(crate) struct Docs<'s> {
    /// The documentation block of the definition.
    pub(super) block: Option<&'s Doc>,
    /// The name of the item in the schema.
    pub(super) wire_name: &'s str,
    /// `true` if the item is a member or value of the definition.
    pub(super) is_member: bool,
    /// The features of the item.
    pub(super) features: Vec<&'s Feature>,
}

impl<'s> Docs<'s> {
    /// Creates the documentation of a member without a block.
    #[cfg(test)]
    pub(crate) fn of_member(wire_name: &'s str) -> Self {
        Self {
            block: None,
            wire_name,
            is_member: true,
            features: Vec::new(),
        }
    }

    /// Returns the text: for a definition the body, the sections and the features;
    /// for a member its description and its features.
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

/// Returns the description of the feature `deprecated` on one line.
pub(crate) fn deprecation(doc: &Doc) -> Option<String> {
    let described = doc.features().find(|arg| arg.name == "deprecated")?;
    let text = described.text.to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    let mut note = String::new();
    inline::plain(&words.join(" "), &mut note);
    (!note.is_empty()).then_some(note)
}

/// Markdown under construction.
#[derive(Default)]
struct Text(String);

impl Text {
    /// Adds the body and the sections of a definition.
    fn definition(&mut self, doc: &Doc) {
        self.paragraph("", doc.body().lines());
        for section in doc.sections() {
            let lines = section.text.lines();
            match section.tag {
                // Such sections address the authors of the schema.
                "Todo" => {}
                // In older markup, the whole section is an example.
                tag @ ("Example" | "Examples") => blocks::write_literal(tag, lines, &mut self.0),
                tag => self.paragraph(tag, lines),
            }
        }
    }

    /// Adds the description of a member.
    fn member(&mut self, doc: &Doc, wire_name: &str) {
        // Trim, because older schemas may have spaces around the name.
        let is_meant = |arg: &DocArg<'_>| arg.name.trim() == wire_name;
        if let Some(described) = doc.members().find(is_meant) {
            self.paragraph("", described.text.lines());
        }
    }

    /// Adds text with a tag in front of it.
    fn paragraph<'t>(&mut self, tag: &str, lines: impl Iterator<Item = &'t str>) {
        blocks::write(tag, lines, &mut self.0);
    }

    /// Adds the descriptions of features.
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

    /// Returns the text, or a sentence with the name of the item if the text is
    /// empty.
    fn or_name(mut self, wire_name: &str) -> String {
        self.0.truncate(self.0.trim_end().len());
        if self.0.is_empty() {
            self.0.extend(["`", wire_name, "` of the schema."]);
        }
        self.0
    }
}
