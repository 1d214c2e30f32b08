//! The documentation part of the canonical text.
//!
//! In: a checked schema. Out: its documentation blocks, in the order in which
//! they were read.

use super::lines::Text;
use crate::rules::{Fact, Rules};
use crate::schema::{Doc, DocRef, Entity, Schema, SectionKind};

/// Writes all documentation blocks.
pub(super) fn write(schema: &Schema, text: &mut Text) {
    for &doc in schema.docs() {
        match doc {
            DocRef::Definition(entity) => {
                let common = schema.common(entity);
                let Some(doc) = &common.doc else {
                    continue;
                };
                if schema.rules.have(Fact::SectionsInOrder) {
                    let has_reply = match entity {
                        Entity::Command(id) => schema.command(id).ret.is_some(),
                        Entity::Type(_) | Entity::Event(_) => false,
                    };
                    in_order(&common.name, doc, has_reply, schema.rules, text);
                } else {
                    definition(&common.name, doc, schema.rules, text);
                }
            }
            DocRef::FreeForm(module, index) => {
                if let Some(doc) = schema.module(module).docs.get(index) {
                    free_form(&doc.text().to_string(), schema.rules, text);
                }
            }
        }
    }
}

/// Writes a block that belongs to no definition. In older releases every heading
/// begins another block.
fn free_form(content: &str, rules: Rules, text: &mut Text) {
    let mut rest = content;
    loop {
        let splits = rules.have(Fact::HeadingsBeginBlocks);
        let heading = rest.find("\n=").filter(|_| splits);
        let (block, more) = match heading.and_then(|at| rest.split_at_checked(at)) {
            Some((block, more)) => (block.trim_end(), more.strip_prefix('\n')),
            None => (rest, None),
        };
        text.line(0, &["doc freeform"]);
        if rules.have(Fact::SectionsInOrder) {
            text.line(4, &["Plain"]);
            text.line(0, &[block]);
        } else {
            part("body", "", block, rules, text);
        }
        match more {
            Some(more) => rest = more,
            None => break,
        }
    }
}

/// Writes the block of a definition.
fn definition(symbol: &str, doc: &Doc, rules: Rules, text: &mut Text) {
    text.line(0, &["doc symbol=", symbol]);
    part("body", "", doc.body(), rules, text);
    for member in doc.members() {
        part("arg", member.name, member.text, rules, text);
    }
    for feature in doc.features() {
        part("feature", feature.name, feature.text, rules, text);
    }
    for section in doc.sections() {
        let title = section.kind.title("", rules);
        part("section", &title, section.text, rules, text);
    }
}

/// Writes the block of a definition as its sections in order.
fn in_order(symbol: &str, doc: &Doc, has_reply: bool, rules: Rules, text: &mut Text) {
    text.line(0, &["doc symbol=", symbol]);
    for (kind, name, content) in doc.in_order(has_reply) {
        let title = kind.title(name, rules);
        match kind {
            SectionKind::Member | SectionKind::Feature => text.line(4, &[&title, "=", name]),
            _ => text.line(4, &[&title]),
        }
        text.line(0, &[&content.to_string()]);
    }
}

/// Writes a part of a block: a line with its name, then its text verbatim. Older
/// releases drop the indentation of the first line.
fn part(what: &str, name: &str, content: impl ToString, rules: Rules, text: &mut Text) {
    let content = content.to_string();
    let content = if rules.have(Fact::SectionTextTrimmed) {
        content.trim()
    } else {
        &content
    };
    text.line(4, &[what, "=", name]);
    text.line(0, &[content]);
}
