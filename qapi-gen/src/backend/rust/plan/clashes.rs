//! Finds names that differ in the schema but not in Rust.
//!
//! In: plans. Out: a diagnostic for each clash, which names both definitions.

use std::fmt::{self, Display};

use rustc_hash::FxHashMap as HashMap;

use super::items::{Head, ModulePlan, Plan, TypePlan};
use crate::backend::rust::problem::RustProblem;
use crate::diag::{Diagnostics, Site};
use crate::source::Span;

/// Reports every clash among the modules, and among the events of all modules.
pub(crate) fn report_root_clashes(plan: &Plan, diagnostics: &mut Diagnostics) {
    let mut names = Names::default();
    let mut events = Names::default();
    // The root has items without a counterpart in the schema.
    if plan.introspection.is_some() {
        names.add("schema_info", What::Own("the schema as data"), diagnostics);
    }
    events.add(
        "Unlisted",
        What::Own("what stands for other events"),
        diagnostics,
    );
    for module in plan.own_modules() {
        names.add(&module.ident, What::File(&module.file), diagnostics);
    }
    for event in plan.modules.iter().flat_map(|module| &module.events) {
        let owner = Owner::new("event", &event.wire, event.span);
        events.add(&event.ident, What::Whole(owner), diagnostics);
    }
}

/// Reports every clash among the items of a module, and among the parts of each
/// item.
pub(crate) fn report_module_clashes(module: &ModulePlan, diagnostics: &mut Diagnostics) {
    let mut items = Names::default();
    // A module has items without a counterpart in the schema.
    for (ident, what) in [
        ("Commands", "the trait of the module's commands"),
        ("commands", "the module of the requests"),
        ("events", "the module of the events"),
    ] {
        items.add(ident, What::Own(what), diagnostics);
    }
    for ty in &module.types {
        let owner = Owner::of(ty);
        items.add(&ty.head().ident, What::Whole(owner), diagnostics);
        if let TypePlan::Union(union) = ty {
            items.add(&union.branch_ident, What::Branches(owner), diagnostics);
        }
        let mut names = Names::default();
        let kind = match ty {
            TypePlan::Enum(plan) => {
                if let Some(unknown) = &plan.unknown {
                    let what = What::Own("what stands for other values");
                    names.add(unknown, what, diagnostics);
                }
                "value"
            }
            TypePlan::Struct(_) | TypePlan::Union(_) => "member",
            TypePlan::Alternate(_) => "branch",
        };
        parts(names, kind, &ty.parts(), owner, diagnostics);
    }
    let mut requests = Names::default();
    let mut methods = Names::default();
    for command in &module.commands {
        let Head {
            ident, wire, span, ..
        } = &command.head;
        let owner = Owner::new("command", wire, *span);
        requests.add(ident, What::Whole(owner), diagnostics);
        methods.add(&command.method, What::Whole(owner), diagnostics);
        let members = command.arguments.parts();
        parts(Names::default(), "member", &members, owner, diagnostics);
    }
    let mut events = Names::default();
    for event in &module.events {
        let Head {
            ident, wire, span, ..
        } = &event.head;
        let owner = Owner::new("event", wire, *span);
        events.add(ident, What::Whole(owner), diagnostics);
        parts(
            Names::default(),
            "member",
            &event.data.parts(),
            owner,
            diagnostics,
        );
    }
}

/// Reports every clash among the members, values or branches of a definition.
/// The names of items without a counterpart in the schema are in `names`.
fn parts<'p>(
    mut names: Names<'p>,
    kind: &'static str,
    parts: &[&'p Head],
    owner: Owner<'p>,
    diagnostics: &mut Diagnostics,
) {
    names.by_ident.reserve(parts.len());
    for part in parts {
        let what = What::Part(kind, &part.wire, owner);
        names.add(&part.ident, what, diagnostics);
    }
}

/// A definition of the schema.
#[derive(Clone, Copy)]
struct Owner<'p> {
    kind: &'static str,
    name: &'p str,
    span: Option<Span>,
}

impl<'p> Owner<'p> {
    fn new(kind: &'static str, name: &'p str, span: Option<Span>) -> Self {
        Self { kind, name, span }
    }

    fn of(ty: &'p TypePlan) -> Self {
        let kind = match ty {
            TypePlan::Enum(_) => "enum",
            TypePlan::Struct(_) => "struct",
            TypePlan::Union(_) => "union",
            TypePlan::Alternate(_) => "alternate",
        };
        let Head { wire, span, .. } = ty.head();
        Self::new(kind, wire, *span)
    }
}

/// The origin of a name in Rust.
#[derive(Clone, Copy)]
enum What<'p> {
    /// An item without a counterpart in the schema.
    Own(&'static str),
    /// A schema file.
    File(&'p str),
    /// A definition.
    Whole(Owner<'p>),
    /// The branches of a union.
    Branches(Owner<'p>),
    /// A member, value or branch, which the first word says.
    Part(&'static str, &'p str, Owner<'p>),
}

impl What<'_> {
    fn span(&self) -> Option<Span> {
        match self {
            Self::Own(_) | Self::File(_) => None,
            Self::Whole(owner) | Self::Branches(owner) | Self::Part(_, _, owner) => owner.span,
        }
    }
}

impl Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(what) => f.write_str(what),
            Self::File(name) => write!(f, "file '{name}'"),
            Self::Whole(Owner { kind, name, .. }) => write!(f, "{kind} '{name}'"),
            Self::Branches(Owner { kind, name, .. }) => {
                write!(f, "the branches of {kind} '{name}'")
            }
            Self::Part(part, name, owner) => {
                write!(f, "{part} '{name}' of {} '{}'", owner.kind, owner.name)
            }
        }
    }
}

/// The names in one scope.
#[derive(Default)]
struct Names<'p> {
    by_ident: HashMap<String, What<'p>>,
}

impl<'p> Names<'p> {
    /// Adds a name, and reports a clash with an earlier one.
    fn add(&mut self, ident: impl Display, what: What<'p>, diagnostics: &mut Diagnostics) {
        let ident = ident.to_string();
        let Some(other) = self.by_ident.get(&ident) else {
            self.by_ident.insert(ident, what);
            return;
        };
        // An item without a counterpart in the schema has no place to show.
        let span = what.span().or(other.span());
        let previous = other.span().filter(|other| Some(*other) != span);
        let problem = RustProblem::RustNameClash {
            name: what.to_string(),
            other: other.to_string(),
            ident,
            previous: previous.map(Site::line),
        };
        diagnostics.report(problem.into(), span);
    }
}
