//! Names that differ in the schema and would not in Rust.
//!
//! In: a module's plan. Out: a diagnostic for each clash.

use std::collections::hash_map::Entry;
use std::fmt::Display;

use rustc_hash::FxHashMap as HashMap;

use super::commands::Arguments;
use super::types::{AlternatePlan, EnumPlan, Head, StructPlan, UnionField, UnionPlan};
use super::{ModulePlan, Plan, TypePlan};
use crate::diag::{Diagnostics, Problem};
use crate::source::Span;

/// Reports every clash among the modules, and among the events of all.
pub(super) fn report_root(plan: &Plan, diagnostics: &mut Diagnostics) {
    let mut names = Names::default();
    let mut events = Names::default();
    // The root's own items.
    if plan.introspection.is_some() {
        names.add("schema_info", "the schema as data", None, diagnostics);
    }
    events.add("Unlisted", "events of newer peers", None, diagnostics);
    for module in plan.own_modules() {
        names.add(&module.ident, &module.file, None, diagnostics);
    }
    for event in plan.modules.iter().flat_map(|module| &module.events) {
        events.add(&event.ident, &event.wire, event.span, diagnostics);
    }
}

/// Reports every clash among a module's items, and among the parts of each.
pub(super) fn report(module: &ModulePlan, diagnostics: &mut Diagnostics) {
    let mut items = Names::default();
    // The generated module's own items.
    for reserved in ["Commands", "commands", "events"] {
        items.add(reserved, reserved, None, diagnostics);
    }
    for ty in &module.types {
        let Head {
            ident, wire, span, ..
        } = ty.head();
        items.add(ident, wire, *span, diagnostics);
        if let TypePlan::Union(union) = ty {
            items.add(&union.branch_ident, wire, *span, diagnostics);
        }
        parts(ty, diagnostics);
    }
    let mut requests = Names::default();
    let mut methods = Names::default();
    for command in &module.commands {
        requests.add(&command.request, &command.wire, command.span, diagnostics);
        methods.add(&command.method, &command.wire, command.span, diagnostics);
        arguments(&command.arguments, command.span, diagnostics);
    }
    let mut events = Names::default();
    for event in &module.events {
        events.add(&event.ident, &event.wire, event.span, diagnostics);
        arguments(&event.data, event.span, diagnostics);
    }
}

fn arguments(arguments: &Arguments, span: Option<Span>, diagnostics: &mut Diagnostics) {
    let mut names = Names::default();
    if let Arguments::Inline { fields, .. } = arguments {
        for field in fields {
            names.add(&field.ident, &field.wire, span, diagnostics);
        }
    }
}

fn parts(ty: &TypePlan, diagnostics: &mut Diagnostics) {
    let mut names = Names::default();
    let span = ty.head().span;
    match ty {
        TypePlan::Enum(EnumPlan {
            values, unknown, ..
        }) => {
            if let Some(unknown) = unknown {
                names.add(unknown, "values of newer peers", span, diagnostics);
            }
            for value in values {
                names.add(&value.ident, &value.wire, span, diagnostics);
            }
        }
        TypePlan::Struct(StructPlan { fields, .. }) => {
            for field in fields {
                names.add(&field.ident, &field.wire, span, diagnostics);
            }
        }
        TypePlan::Union(UnionPlan { fields, .. }) => {
            for field in fields {
                let (ident, wire) = match field {
                    UnionField::Plain(field) => (&field.ident, &field.wire),
                    UnionField::Tag { ident, wire, .. } => (ident, wire),
                };
                names.add(ident, wire, span, diagnostics);
            }
        }
        TypePlan::Alternate(AlternatePlan { branches, .. }) => {
            for branch in branches {
                names.add(&branch.ident, &branch.wire, span, diagnostics);
            }
        }
    }
}

#[derive(Default)]
struct Names<'p> {
    by_ident: HashMap<String, &'p str>,
}

impl<'p> Names<'p> {
    fn add(
        &mut self,
        ident: impl Display,
        wire: &'p str,
        span: Option<Span>,
        diagnostics: &mut Diagnostics,
    ) {
        match self.by_ident.entry(ident.to_string()) {
            Entry::Vacant(place) => {
                place.insert(wire);
            }
            Entry::Occupied(other) => {
                let problem = Problem::RustNameClash {
                    name: wire.to_owned(),
                    other: (*other.get()).to_owned(),
                    ident: other.key().clone(),
                };
                diagnostics.report(problem, span);
            }
        }
    }
}
