//! The documentation part of the canonical text.
//!
//! In: a checked schema. Out: its documentation blocks, in the order in which
//! they were read.

use super::lines::Text;
use crate::rules::{Fact, Rules};
use crate::schema::{Doc, DocRef, Schema};

/// Writes all documentation blocks.
pub(super) fn write(schema: &Schema, text: &mut Text) {
    for &doc in schema.docs() {
        match doc {
            DocRef::Definition(entity) => {
                let common = schema.common(entity);
                if let Some(doc) = &common.doc {
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

/// Writes a block that belongs to no definition. For QEMU 7.2, every heading
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
        part("body", "", block, rules, text);
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
        let tag = match (section.tag, rules.have(Fact::TagsVerbatim)) {
            ("", true) => "None",
            ("", false) => "Plain",
            ("Todo", true) => "TODO",
            (tag, _) => tag,
        };
        part("section", tag, section.text, rules, text);
    }
}

/// Writes a part of a block: a line with its name, then its text verbatim. QEMU
/// 7.2 drops the indentation of the first line.
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
