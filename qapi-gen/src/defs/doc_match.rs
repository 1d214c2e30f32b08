//! A definition and the documentation block before it.
//!
//! In: a definition and the block. Out: the block if they match, and reports. The
//! members of the definition are not compared here.

use super::definition::Name;
use super::scope::Scope;
use crate::diag::{DefinitionKind, Problem, Site};
use crate::load::ExpressionDoc;
use crate::pragmas::Pragmas;
use crate::rules::Fact;
use crate::source::Span;
use crate::syntax::{DocBlock, Object, SectionKind};

/// Checks that a definition has the documentation that it needs, and that the
/// documentation is for this definition and its kind. Returns the block, if it
/// documents the definition.
pub(super) fn check(
    doc: ExpressionDoc,
    name: &Name<'_>,
    object: &Object<'_>,
    scope: &mut Scope<'_>,
    pragmas: &Pragmas,
) -> Option<DocBlock> {
    let doc = match doc {
        ExpressionDoc::Block(doc) => doc,
        ExpressionDoc::Absent if pragmas.doc_required => {
            scope.report(Problem::DocMissing, name.span);
            return None;
        }
        ExpressionDoc::Absent | ExpressionDoc::Wrong => return None,
    };
    if let Some(symbol) = doc.symbol().filter(|&symbol| symbol != name.text) {
        let problem = Problem::DocForOther(symbol.to_owned());
        scope.report(problem, name.span);
        return None;
    }
    for (problem, span) in sections(&doc, object, scope) {
        // Use a site without a definition, because QEMU's message names only
        // the line in the block.
        let site = Site::line(span);
        scope.diagnostics.report_at(problem, Some(site));
    }
    Some(doc)
}

/// Returns the problems with sections that do not suit the definition.
fn sections(doc: &DocBlock, object: &Object<'_>, scope: &Scope<'_>) -> Vec<(Problem, Span)> {
    let returns = doc.section(SectionKind::Returns);
    let is_command = scope.kind == DefinitionKind::Command;
    if !scope.rules.have(Fact::ReplySectionsChecked) {
        let misplaced = returns.filter(|_| !is_command);
        return misplaced
            .map(|_| (Problem::OldDocReturns, doc.span))
            .into_iter()
            .collect();
    }
    if is_command {
        let idle = returns.filter(|_| object.get("returns").is_none());
        return idle
            .map(|returns| (Problem::DocReturnsNothing, returns.span))
            .into_iter()
            .collect();
    }
    [returns, doc.section(SectionKind::Errors)]
        .into_iter()
        .flatten()
        .map(|section| {
            let problem = Problem::DocOnlyForCommands(section.kind.tag());
            (problem, section.span)
        })
        .collect()
}
