//! Documentation: everything is described, and what is described exists.
//!
//! In: a schema. Out: reports. How a block is written, the parser has
//! checked.

use rustc_hash::FxHashSet as HashSet;

use super::super::{Doc, DocArg, DocRef, Entity, Schema};
use super::describe::{self, Part};
use super::step::Step;
use crate::diag::{Diagnostics, Problem, Rank, Role, Site};
use crate::rules::Rules;
use crate::source::Span;

/// Checks every documentation block.
pub(super) fn check(schema: &Schema, diagnostics: &mut Diagnostics) {
    let mut parts = Vec::new();
    for (doc, index) in schema.docs.iter().zip(0u32..) {
        let DocRef::Definition(entity) = *doc else {
            continue;
        };
        if let Some(doc) = &schema.common(entity).doc {
            describe::parts(schema, entity, &mut parts);
            // Most blocks need no closer look.
            if !is_complete(doc, &parts) {
                block(schema, entity, doc, &parts, index, diagnostics);
            }
        }
    }
}

fn block(
    schema: &Schema,
    entity: Entity,
    doc: &Doc,
    parts: &[Part<'_>],
    index: u32,
    diagnostics: &mut Diagnostics,
) {
    let common = schema.common(entity);
    let old = schema.rules == Rules::V7_2;
    let exceptions = &schema.pragmas.documentation_exceptions;
    let members_optional = old || exceptions.contains(common.name.as_str());
    let described = Described::new(doc);
    let mut members = HashSet::default();
    let mut features = HashSet::default();
    for part in parts {
        let (role, span) = match part {
            Part::Member { name, role, span } => {
                members.insert(name.as_str());
                if members_optional || described.members.contains(name.as_str()) {
                    continue;
                }
                (role(name.to_string()), *span)
            }
            Part::Feature(feature) => {
                features.insert(feature.name.as_str());
                if described.features.contains(feature.name.as_str()) {
                    continue;
                }
                (Role::Feature(feature.name.to_string(), None), feature.span)
            }
        };
        let site = describe::site(schema, entity).map(|site| site.showing(span));
        let rank = Step::docs(entity).rank();
        diagnostics.report_ranked(Problem::Undocumented(role), site, rank);
    }
    // QEMU 7.2 does this definition by definition, and tells the block.
    let at = if old {
        (Some(doc.span()), Step::docs(entity).rank())
    } else {
        (None, Step::after_all(index))
    };
    missing(doc.members(), &members, false, at, diagnostics);
    missing(doc.features(), &features, true, at, diagnostics);
}

/// Whether a block describes everything, in order and nothing else, as most
/// do. This is quick to see.
fn is_complete(doc: &Doc, parts: &[Part<'_>]) -> bool {
    let members = parts.iter().filter_map(|part| match part {
        Part::Member { name, .. } => Some(name.as_str()),
        Part::Feature(_) => None,
    });
    let features = parts.iter().filter_map(|part| match part {
        Part::Member { .. } => None,
        Part::Feature(feature) => Some(feature.name.as_str()),
    });
    doc.undescribed.is_empty()
        && members.eq(doc.members().map(|arg| arg.name))
        && features.eq(doc.features().map(|arg| arg.name))
}

/// What a block describes.
struct Described<'a> {
    members: HashSet<&'a str>,
    features: HashSet<&'a str>,
}

impl<'a> Described<'a> {
    fn new(doc: &'a Doc) -> Self {
        let members = doc.members().filter(|arg| arg.span.is_some());
        Self {
            members: members.map(|arg| arg.name).collect(),
            features: doc.features().map(|arg| arg.name).collect(),
        }
    }
}

/// Reports what is described and does not exist: at the first description, or
/// at the given place.
fn missing<'a>(
    described: impl Iterator<Item = DocArg<'a>>,
    existing: &HashSet<&str>,
    features: bool,
    (span, rank): (Option<Span>, Rank),
    diagnostics: &mut Diagnostics,
) {
    let mut missing = described
        .filter(|arg| !existing.contains(arg.name))
        .peekable();
    let Some(first) = missing.peek().and_then(|arg| arg.span) else {
        return;
    };
    let names = missing.map(|arg| arg.name.to_owned()).collect();
    diagnostics.report_ranked(
        Problem::DocumentedMissing { features, names },
        Some(Site::line(span.unwrap_or(first)).showing(Some(first))),
        rank,
    );
}
