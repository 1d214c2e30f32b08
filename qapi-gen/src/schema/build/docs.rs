//! Documentation blocks, attached to what they document.
//!
//! In: a block and the definition that it belongs to. Out: the definition's
//! documentation, with an empty description for what the block leaves out.
//! Whether it may leave it out, the checks say.

use std::collections::HashSet;

use super::super::check::describe::{self, Part};
use super::super::{Doc, DocArg, DocSection, Entity, Schema};
use crate::syntax::{DocBlock, SectionKind};

/// Attaches a block to a definition.
pub(super) fn attach(schema: &mut Schema, entity: Entity, block: DocBlock<'_>) {
    let mut doc = doc(block);
    add_undescribed(schema, entity, &mut doc);
    let common = match entity {
        Entity::Type(id) => schema.types.get_mut(id.0 as usize).map(|ty| &mut ty.common),
        Entity::Command(id) => schema
            .commands
            .get_mut(id.0 as usize)
            .map(|command| &mut command.common),
        Entity::Event(id) => schema
            .events
            .get_mut(id.0 as usize)
            .map(|event| &mut event.common),
    };
    if let Some(common) = common {
        common.doc = Some(doc);
    }
}

fn doc(block: DocBlock<'_>) -> Doc {
    let mut doc = Doc {
        span: Some(block.span),
        ..Doc::default()
    };
    for (index, section) in block.sections.into_iter().enumerate() {
        let arg = |name: &str, text| DocArg {
            name: name.to_owned(),
            text,
            span: Some(section.span),
        };
        match section.kind {
            // The overview is always the first.
            SectionKind::Plain if index == 0 => doc.body = section.text,
            SectionKind::Member(name) => doc.members.push(arg(name, section.text)),
            SectionKind::Feature(name) => doc.features.push(arg(name, section.text)),
            _ => doc.sections.push(DocSection {
                tag: section.kind.tag().to_owned(),
                text: section.text,
                span: section.span,
            }),
        }
    }
    doc
}

fn add_undescribed(schema: &Schema, entity: Entity, doc: &mut Doc) {
    let parts = describe::parts(schema, entity);
    let names = parts.iter().filter_map(|part| match part {
        Part::Member { name, .. } => Some(*name),
        Part::Feature(_) => None,
    });
    // Most blocks describe everything, in order.
    if names
        .clone()
        .eq(doc.members.iter().map(|arg| arg.name.as_str()))
    {
        return;
    }
    let described: HashSet<&str> = doc.members.iter().map(|arg| arg.name.as_str()).collect();
    let missing: Vec<DocArg> = names
        .filter(|name| !described.contains(name))
        .map(|name| DocArg {
            name: name.to_owned(),
            text: String::new(),
            span: None,
        })
        .collect();
    doc.members.extend(missing);
}
