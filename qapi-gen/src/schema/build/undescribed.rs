//! Members that documentation blocks do not describe.
//!
//! In: a schema with the blocks of its definitions. Out: the same schema, with
//! an empty description for every member that a block omits. Whether a block
//! may omit a member is for the checks to say.

use rustc_hash::FxHashSet as HashSet;

use crate::schema::doc_targets::{DocTarget, doc_targets};
use crate::schema::{Doc, DocRef, Schema};
use crate::source::Excerpt;

/// Adds an empty description for every member that a block omits.
pub(super) fn complete(schema: &mut Schema) {
    let mut targets = Vec::new();
    let mut incomplete = Vec::new();
    for doc in &schema.docs {
        let DocRef::Definition(entity) = *doc else {
            continue;
        };
        if let Some(doc) = &schema.common(entity).doc {
            doc_targets(schema, entity, &mut targets);
            let undescribed = undescribed(&targets, doc);
            if !undescribed.is_empty() {
                incomplete.push((entity, undescribed));
            }
        }
    }
    for (entity, undescribed) in incomplete {
        if let Some(doc) = &mut schema.common_mut(entity).doc {
            doc.undescribed = undescribed;
        }
    }
}

/// Returns the members that a block should describe and does not.
fn undescribed(targets: &[DocTarget<'_>], doc: &Doc) -> Box<[Excerpt]> {
    let names = targets.iter().filter_map(|target| match target {
        DocTarget::Member { name, .. } => Some(*name),
        DocTarget::Feature(_) => None,
    });
    let described = doc.members().map(|arg| arg.name);
    // Compare in order first, because most blocks describe everything in order;
    // a set is built only for the others.
    if names.clone().map(|name| &**name).eq(described.clone()) {
        return Box::default();
    }
    let described: HashSet<&str> = described.collect();
    names
        .filter(|name| !described.contains(&***name))
        .cloned()
        .collect()
}
