//! A definition and the documentation block before it.
//!
//! In: a definition and the block. Out: reports, if they do not match. The
//! members of the definition are not compared here.

use super::definition::Name;
use super::scope::{Lowered, Scope};
use crate::diag::{DefinitionKind, Problem, Reported, Severity, Site};
use crate::pragmas::Pragmas;
use crate::rules::Fact;
use crate::source::Span;
use crate::syntax::{DocBlock, Object, SectionKind};

/// Checks that a definition has the documentation that it needs, and that the
/// documentation is for this definition and its kind.
pub(super) fn check(
    doc: Option<&DocBlock>,
    name: &Name<'_>,
    object: &Object<'_>,
    scope: &mut Scope<'_>,
    pragmas: &Pragmas,
) -> Lowered<()> {
    let Some(doc) = doc else {
        if !pragmas.doc_required {
            return Ok(());
        }
        let site = scope.site.clone().showing(Some(name.span));
        return report(Problem::DocMissing, site, scope);
    };
    if let Some(symbol) = doc.symbol().filter(|&symbol| symbol != name.text) {
        let problem = Problem::DocForOther(symbol.to_owned());
        return Err(scope.report(problem, name.span));
    }
    let mut checked = Ok(());
    for (problem, span) in sections(doc, object, scope) {
        // Use a site without a definition, because QEMU's message names only
        // the line in the block.
        checked = checked.and(report(problem, Site::line(span), scope));
    }
    checked
}

/// Reports a problem. Returns an error unless the problem is only a warning.
fn report(problem: Problem, site: Site, scope: &mut Scope<'_>) -> Lowered<()> {
    match scope.diagnostics.report_at(problem, Some(site)) {
        Severity::Warning => Ok(()),
        Severity::Error => Err(Reported),
    }
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
