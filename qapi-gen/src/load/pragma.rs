//! The `pragma` directive.
//!
//! In: the settings of a directive. Out: settings for the schema as a whole.
//! As in QEMU's generator, a later directive overrides an earlier one in
//! whatever file, even for definitions before it.

use rustc_hash::FxHashSet as HashSet;

use crate::diag::{Diagnostics, Problem, Reported, Site};
use crate::pragmas::Pragmas;
use crate::rules::{Fact, Rules};
use crate::syntax::{Value, ValueKind};

/// Applies one setting of a directive. A later setting replaces an earlier
/// one. Returns an error if the value of a known setting is wrong.
pub(super) fn apply(
    pragmas: &mut Pragmas,
    name: &str,
    value: &Value<'_>,
    site: &Site,
    rules: Rules,
    diagnostics: &mut Diagnostics,
) -> Result<(), Reported> {
    if rules.have(Fact::PragmasIgnored) {
        return Ok(());
    }
    let (known, list) = match name {
        "doc-required" => {
            match value.kind {
                ValueKind::Bool(required) => pragmas.doc_required = required,
                _ => {
                    let site = site.clone().showing(Some(value.span));
                    diagnostics.report_at(Problem::PragmaNotBoolean("doc-required"), Some(site));
                    return Err(Reported);
                }
            }
            return Ok(());
        }
        "command-name-exceptions" => (
            "command-name-exceptions",
            &mut pragmas.command_name_exceptions,
        ),
        "command-returns-exceptions" => (
            "command-returns-exceptions",
            &mut pragmas.command_returns_exceptions,
        ),
        "documentation-exceptions" if rules.have(Fact::DocumentationExceptions) => (
            "documentation-exceptions",
            &mut pragmas.documentation_exceptions,
        ),
        "member-name-exceptions" => (
            "member-name-exceptions",
            &mut pragmas.member_name_exceptions,
        ),
        _ => {
            let problem = Problem::UnknownPragma(name.to_owned());
            diagnostics.report_at(problem, Some(site.clone()));
            return Ok(());
        }
    };
    match strings(value) {
        Some(names) => {
            *list = names;
            Ok(())
        }
        None => {
            let site = site.clone().showing(Some(value.span));
            diagnostics.report_at(Problem::PragmaNotStrings(known), Some(site));
            Err(Reported)
        }
    }
}

/// Returns the strings of a list, or `None` if the value is not a list of
/// strings.
fn strings(value: &Value<'_>) -> Option<HashSet<String>> {
    let ValueKind::List(elements) = &value.kind else {
        return None;
    };
    elements
        .iter()
        .map(|element| match &element.kind {
            ValueKind::Str(name) => Some(name.to_string()),
            _ => None,
        })
        .collect()
}
