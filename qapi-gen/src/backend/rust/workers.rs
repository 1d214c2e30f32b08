//! The back end, on as many processors as help.
//!
//! In: a checked schema. Out: the text of files, the same however many work on
//! it. Tokens cannot leave the thread that made them, so each worker plans the
//! modules that it prints; of the others it knows nothing but their names.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};

use super::emit;
use crate::backend::rust::plan::{Choices, Plan, Planner};
use crate::backend::rust::{Layout, Options};
use crate::diag::Diagnostics;
use crate::output_dir::GeneratedFile;
use crate::schema::{CheckedSchema, ModuleId};

/// More find too little to do.
const WORKERS_MAX: usize = 4;

/// How many definitions a schema has to have to be worth another worker.
const DEFINITIONS_PER_WORKER: usize = 200;

/// Plans and prints every file; `None`: something has no spelling in Rust.
pub(crate) fn files(
    schema: &CheckedSchema,
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> Option<Vec<GeneratedFile>> {
    let back_end = BackEnd {
        schema,
        options,
        modules: schema.modules().map(|(id, _)| id).collect(),
        next: AtomicUsize::new(0),
    };
    thread::scope(|scope| {
        let helpers: Vec<_> = (1..back_end.workers())
            // Where there is no thread, there is a worker less.
            .map_while(|_| spawn(scope, || back_end.help()))
            .collect();
        let (mut root, plan, mut modules) = back_end.lead(diagnostics)?;
        for helper in helpers {
            match helper.join() {
                Ok(more) => modules.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        let modules = modules.into_values().map(|(file, problems)| {
            diagnostics.append(problems);
            file
        });
        let modules: Vec<_> = modules.collect();
        plan.report_clashes(diagnostics);
        if diagnostics.has_errors() {
            return None;
        }
        // `mod.rs` comes first, and what else is about all modules last.
        let further = root.split_off(root.len().min(1));
        root.extend(modules);
        root.extend(further);
        Some(root)
    })
}

fn spawn<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Option<ScopedJoinHandle<'scope, T>> {
    thread::Builder::new().spawn_scoped(scope, work).ok()
}

/// The modules' files, and what is wrong with each.
type ModuleFiles = BTreeMap<ModuleId, (GeneratedFile, Diagnostics)>;

/// What the workers share.
struct BackEnd<'s> {
    schema: &'s CheckedSchema,
    options: &'s Options,
    modules: Vec<ModuleId>,
    /// The module that nobody prints yet.
    next: AtomicUsize,
}

impl BackEnd<'_> {
    fn workers(&self) -> usize {
        if self.options.layout == Layout::OneFile {
            return 1;
        }
        let definitions: usize = self
            .schema
            .modules()
            .map(|(_, module)| module.entities.len())
            .sum();
        let processors = thread::available_parallelism().map_or(1, usize::from);
        let helpers = definitions / DEFINITIONS_PER_WORKER;
        processors.min(WORKERS_MAX).min(1 + helpers)
    }

    /// Plans and prints what is about all modules, and then does as the
    /// helpers do. The only one to report what is about no module.
    fn lead(
        &self,
        diagnostics: &mut Diagnostics,
    ) -> Option<(Vec<GeneratedFile>, Plan, ModuleFiles)> {
        let choices = Choices::new(self.schema, self.options, diagnostics);
        let planner = Planner::new(self.schema, self.options, &choices, diagnostics);
        let plan = planner.plan(diagnostics);
        if diagnostics.has_errors() {
            // Nobody prints anything more.
            self.next.store(self.modules.len(), Ordering::Relaxed);
            return None;
        }
        let mut inline = Vec::new();
        if self.options.layout == Layout::OneFile {
            while let Some(module) = self.take() {
                inline.extend(planner.module(module));
            }
        }
        for module in &inline {
            module.report_clashes(diagnostics);
        }
        let root = emit::root(&plan, &inline, planner.texts());
        let root = root.into_iter().map(|file| self.print(file, &planner));
        let root = root.collect();
        let modules = self.work(&planner);
        Some((root, plan, modules))
    }

    /// Prints modules for as long as there are any that nobody prints.
    fn help(&self) -> ModuleFiles {
        let mut diagnostics = Diagnostics::default();
        let choices = Choices::new(self.schema, self.options, &mut diagnostics);
        let planner = Planner::new(self.schema, self.options, &choices, &mut diagnostics);
        match diagnostics.has_errors() {
            true => ModuleFiles::new(),
            false => self.work(&planner),
        }
    }

    fn work(&self, planner: &Planner<'_, '_>) -> ModuleFiles {
        let mut modules = ModuleFiles::new();
        while let Some(id) = self.take() {
            if let Some(module) = planner.module(id) {
                let mut problems = Diagnostics::default();
                module.report_clashes(&mut problems);
                let file = emit::module_file(&module, planner.texts());
                modules.insert(id, (self.print(file, planner), problems));
            }
        }
        modules
    }

    fn take(&self) -> Option<ModuleId> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.modules.get(next).copied()
    }

    fn print(&self, file: emit::File<'_>, planner: &Planner<'_, '_>) -> GeneratedFile {
        emit::print(file, planner.texts(), self.options.is_formatted())
    }
}
