//! Documentation: every member and feature is described, and every description
//! is of a member or feature.
//!
//! In: a schema. Out: reports. The parser has checked the form of the blocks.

use rustc_hash::FxHashSet as HashSet;

use crate::diag::{DefinitionPart, Diagnostics, Problem, Rank, Site};
use crate::rules::Fact;
use crate::schema::doc_targets::{DocTarget, doc_targets};
use crate::schema::provenance::ResolvedSchema;
use crate::schema::qemu_order::CheckPoint;
use crate::schema::{Doc, DocArg, DocRef, Entity};
use crate::source::Span;

/// Checks every documentation block.
pub(super) fn check(schema: &ResolvedSchema, diagnostics: &mut Diagnostics) {
    let mut targets = Vec::new();
    for (doc, index) in schema.docs.iter().zip(0u32..) {
        let DocRef::Definition(entity) = *doc else {
            continue;
        };
        if let Some(doc) = &schema.common(entity).doc {
            doc_targets(schema, entity, &mut targets);
            // Skip complete blocks, because most blocks are complete and that is
            // cheap to detect.
            if !is_complete(doc, &targets) {
                block(schema, entity, doc, &targets, index, diagnostics);
            }
        }
    }
}

/// Checks one block.
fn block(
    schema: &ResolvedSchema,
    entity: Entity,
    doc: &Doc,
    targets: &[DocTarget<'_>],
    index: u32,
    diagnostics: &mut Diagnostics,
) {
    let common = schema.common(entity);
    let exceptions = &schema.pragmas.documentation_exceptions;
    let members_optional =
        !schema.rules.have(Fact::MembersDescribed) || exceptions.contains(common.name.as_str());
    let described = Described::new(doc);
    let mut members = HashSet::default();
    let mut features = HashSet::default();
    for target in targets {
        let (part, span) = match target {
            DocTarget::Member { name, part, span } => {
                members.insert(name.as_str());
                if members_optional || described.members.contains(name.as_str()) {
                    continue;
                }
                (part(name.to_string()), *span)
            }
            DocTarget::Feature(feature) => {
                features.insert(feature.name.as_str());
                if described.features.contains(feature.name.as_str()) {
                    continue;
                }
                (
                    DefinitionPart::Feature(feature.name.to_string(), None),
                    feature.span,
                )
            }
        };
        let site = schema.site(entity).map(|site| site.showing(span));
        let rank = CheckPoint::documentation(entity).rank();
        diagnostics.report_ranked(Problem::Undocumented(part), site, rank);
    }
    let at = if schema.rules.have(Fact::DescriptionsCheckedLate) {
        (None, CheckPoint::after_all(index))
    } else {
        (Some(doc.span()), CheckPoint::documentation(entity).rank())
    };
    missing(doc.members(), &members, false, at, diagnostics);
    missing(doc.features(), &features, true, at, diagnostics);
}

/// Returns whether a block describes all targets in order, and nothing else.
fn is_complete(doc: &Doc, targets: &[DocTarget<'_>]) -> bool {
    let members = targets.iter().filter_map(|part| match part {
        DocTarget::Member { name, .. } => Some(name.as_str()),
        DocTarget::Feature(_) => None,
    });
    let features = targets.iter().filter_map(|part| match part {
        DocTarget::Member { .. } => None,
        DocTarget::Feature(feature) => Some(feature.name.as_str()),
    });
    doc.undescribed.is_empty()
        && members.eq(doc.members().map(|arg| arg.name))
        && features.eq(doc.features().map(|arg| arg.name))
}

/// The names that a block describes.
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

/// Reports described members or features that do not exist, at the given span
/// or, without one, at the first of their descriptions.
fn missing<'a>(
    described: impl Iterator<Item = DocArg<'a>>,
    existing: &HashSet<&str>,
    features: bool,
    (span, rank): (Option<Span>, Rank),
    diagnostics: &mut Diagnostics,
) {
    let mut seen = HashSet::default();
    let mut missing = described
        // Skip what the parser has reported already: empty and repeated names.
        .filter(|arg| !arg.name.is_empty() && seen.insert(arg.name))
        .filter(|arg| !existing.contains(arg.name))
        .peekable();
    let Some(first) = missing.peek().and_then(|arg| arg.span) else {
        return;
    };
    let names: Vec<String> = missing.map(|arg| arg.name.to_owned()).collect();
    let similar = names
        .iter()
        .find_map(|name| diagnostics.similar(name, existing.iter().copied()));
    diagnostics.report_ranked(
        Problem::DocumentedMissing {
            features,
            names,
            similar,
        },
        Some(Site::line(span.unwrap_or(first)).showing(Some(first))),
        rank,
    );
}
