//! The `pragma` directive.
//!
//! In: the value of a directive. Out: settings for the schema as a whole. A
//! later directive overrides an earlier one, in whatever file it stands, also
//! for what stands before it; QEMU's generator has it so.

use rustc_hash::FxHashSet as HashSet;

use crate::diag::{Diagnostics, Problem, Site};
use crate::rules::Rules;
use crate::syntax::{Value, ValueKind};

/// What the schema's pragmas say.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pragmas {
    /// Whether every definition needs documentation.
    pub(crate) doc_required: bool,
    /// The commands whose names may have `_`.
    pub(crate) command_name_exceptions: HashSet<String>,
    /// The commands that may return something else than objects.
    pub(crate) command_returns_exceptions: HashSet<String>,
    /// The definitions whose members need no documentation.
    pub(crate) documentation_exceptions: HashSet<String>,
    /// The definitions whose members' names are free.
    pub(crate) member_name_exceptions: HashSet<String>,
}

impl Pragmas {
    /// Takes one setting over.
    pub(super) fn set(
        &mut self,
        name: &str,
        value: &Value<'_>,
        site: &Site,
        rules: Rules,
        diagnostics: &mut Diagnostics,
    ) {
        let (known, list) = match name {
            "doc-required" => {
                match value.kind {
                    ValueKind::Bool(required) => self.doc_required = required,
                    _ => {
                        let site = site.clone().showing(Some(value.span));
                        diagnostics
                            .report_at(Problem::PragmaNotBoolean("doc-required"), Some(site));
                    }
                }
                return;
            }
            "command-name-exceptions" => {
                ("command-name-exceptions", &mut self.command_name_exceptions)
            }
            "command-returns-exceptions" => (
                "command-returns-exceptions",
                &mut self.command_returns_exceptions,
            ),
            "documentation-exceptions" if rules > Rules::V7_2 => (
                "documentation-exceptions",
                &mut self.documentation_exceptions,
            ),
            "member-name-exceptions" => {
                ("member-name-exceptions", &mut self.member_name_exceptions)
            }
            _ => {
                let problem = Problem::UnknownPragma(name.to_owned());
                diagnostics.report_at(problem, Some(site.clone()));
                return;
            }
        };
        match strings(value) {
            Some(names) => *list = names,
            None => {
                let site = site.clone().showing(Some(value.span));
                diagnostics.report_at(Problem::PragmaNotStrings(known), Some(site));
            }
        }
    }
}

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
