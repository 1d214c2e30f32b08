//! The stages of the Rust back end, joined.
//!
//! In: a checked schema and options. Out: the text of each file. One module is
//! planned, checked for clashes and printed before the next is planned, because
//! plans and tokens take many times the memory of their text.

use super::emit;
use super::options::{Layout, Options};
use super::plan::{Choices, ModulePlan, Planner, report_module_clashes, report_root_clashes};
use crate::diag::Diagnostics;
use crate::output_dir::GeneratedFile;
use crate::schema::CheckedSchema;

/// Generates every file, `mod.rs` first. Returns `None` if something has no
/// spelling in Rust, and reports it.
pub(crate) fn generate_files(
    schema: &CheckedSchema,
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<GeneratedFile>> {
    let choices = Choices::new(schema, options, diagnostics);
    let planner = Planner::new(schema, options, &choices, diagnostics);
    let plan = planner.plan(diagnostics);
    if diagnostics.has_errors() {
        return None;
    }
    let mut modules = schema.modules().filter_map(|(id, _)| planner.module(id));
    let inline: Vec<ModulePlan> = match options.layout {
        Layout::OneFile => modules.by_ref().collect(),
        Layout::FilePerModule => Vec::new(),
    };
    for module in &inline {
        report_module_clashes(module, diagnostics);
    }
    let print =
        |file: emit::File<'_>| emit::print(file, planner.placeholders(), options.is_formatted());
    let mut root = emit::root(&plan, &inline, planner.placeholders()).into_iter();
    let mut files: Vec<GeneratedFile> = root.next().map(print).into_iter().collect();
    for module in modules {
        report_module_clashes(&module, diagnostics);
        files.push(print(emit::module_file(&module, planner.placeholders())));
    }
    files.extend(root.map(print));
    report_root_clashes(&plan, diagnostics);
    (!diagnostics.has_errors()).then_some(files)
}
