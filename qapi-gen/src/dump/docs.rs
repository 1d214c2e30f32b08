//! The documentation part of the canonical text.
//!
//! In: a checked schema. Out: its documentation blocks, in the order in which
//! they were read. It knows nothing of what they document.

use super::text::Text;
use crate::rules::Rules;
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
                    text.line(0, &["doc freeform"]);
                    part("body", "", &doc.text, text);
                }
            }
        }
    }
}

fn definition(symbol: &str, doc: &Doc, rules: Rules, text: &mut Text) {
    text.line(0, &["doc symbol=", symbol]);
    part("body", "", &doc.body, text);
    for member in &doc.members {
        part("arg", &member.name, &member.text, text);
    }
    for feature in &doc.features {
        part("feature", &feature.name, &feature.text, text);
    }
    for section in &doc.sections {
        let tag = match section.tag.as_str() {
            "" if rules == Rules::V7_2 => "None",
            "" => "Plain",
            "Todo" if rules == Rules::V7_2 => "TODO",
            tag => tag,
        };
        part("section", tag, &section.text, text);
    }
}

/// A part of a block: a line that names it, then its text as it is.
fn part(what: &str, name: &str, content: &str, text: &mut Text) {
    text.line(4, &[what, "=", name]);
    text.line(0, &[content]);
}
