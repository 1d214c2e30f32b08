//! Documentation blocks and what they document.
//!
//! In: a schema with the blocks of its definitions. Out: the same, with an
//! empty description for every member that a block leaves out. Whether it may
//! leave it out, the checks say.

use rustc_hash::FxHashSet as HashSet;

use super::super::check::describe::{self, Part};
use super::super::{Common, Doc, DocRef, Entity, Schema};
use crate::source::Excerpt;

/// Adds what blocks leave out.
pub(super) fn complete(schema: &mut Schema) {
    let mut parts = Vec::new();
    let mut incomplete = Vec::new();
    for doc in &schema.docs {
        let DocRef::Definition(entity) = *doc else {
            continue;
        };
        if let Some(doc) = &schema.common(entity).doc {
            describe::parts(schema, entity, &mut parts);
            let undescribed = undescribed(&parts, doc);
            if !undescribed.is_empty() {
                incomplete.push((entity, undescribed));
            }
        }
    }
    for (entity, undescribed) in incomplete {
        if let Some(doc) = common_mut(schema, entity).and_then(|common| common.doc.as_mut()) {
            doc.undescribed = undescribed;
        }
    }
}

fn common_mut(schema: &mut Schema, entity: Entity) -> Option<&mut Common> {
    Some(match entity {
        Entity::Type(id) => &mut schema.types.get_mut(id.0 as usize)?.common,
        Entity::Command(id) => &mut schema.commands.get_mut(id.0 as usize)?.common,
        Entity::Event(id) => &mut schema.events.get_mut(id.0 as usize)?.common,
    })
}

/// The members that a block should describe and does not.
fn undescribed(parts: &[Part<'_>], doc: &Doc) -> Box<[Excerpt]> {
    let names = parts.iter().filter_map(|part| match part {
        Part::Member { name, .. } => Some(*name),
        Part::Feature(_) => None,
    });
    let described = doc.members().map(|arg| arg.name);
    // Most blocks describe everything, in order.
    if names.clone().map(|name| &**name).eq(described.clone()) {
        return Box::default();
    }
    let described: HashSet<&str> = described.collect();
    names
        .filter(|name| !described.contains(&***name))
        .cloned()
        .collect()
}
