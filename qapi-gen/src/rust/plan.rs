//! The plan: which Rust items there will be, with every name and type chosen.
//!
//! In: a `CheckedSchema` and `Options`. Out: a [`Plan`] that `emit/` only has
//! to write down. It decides all, and quotes nothing but names and types.

use proc_macro2::Ident;

use super::doc::{DocRef, DocTable};
use super::graph::TypeGraph;
use super::paths::ModulePaths;
use super::ty::TypeNames;
use super::{Options, Prelude};
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Common, Cond, Doc, Entity, Feature, ModuleId};

mod clashes;
mod commands;
mod types;

pub(crate) use commands::{Arguments, CommandPlan, EventPlan, Handler};
pub(crate) use types::{
    AlternatePlan, EnumPlan, FieldPlan, Head, StructPlan, UnionField, UnionPlan,
};

/// Everything that will be generated.
pub(crate) struct Plan {
    /// The modules, in schema order, those without items left out.
    pub(crate) modules: Vec<ModulePlan>,
    /// What the items' documentation refers to.
    pub(crate) docs: DocTable,
}

/// One generated module: one schema file.
pub(crate) struct ModulePlan {
    /// The schema file, as the schema names it.
    pub(crate) file: String,
    pub(crate) ident: Ident,
    pub(crate) prelude: Prelude,
    pub(crate) types: Vec<TypePlan>,
    pub(crate) commands: Vec<CommandPlan>,
    pub(crate) events: Vec<EventPlan>,
}

/// One generated type.
pub(crate) enum TypePlan {
    Enum(EnumPlan),
    Struct(StructPlan),
    Union(UnionPlan),
    Alternate(AlternatePlan),
}

impl TypePlan {
    /// What every type has.
    pub(crate) fn head(&self) -> &Head {
        match self {
            Self::Enum(plan) => &plan.head,
            Self::Struct(plan) => &plan.head,
            Self::Union(plan) => &plan.head,
            Self::Alternate(plan) => &plan.head,
        }
    }
}

/// What the planning of every item needs.
struct Planner<'s> {
    schema: &'s CheckedSchema,
    options: &'s Options,
    graph: TypeGraph,
    names: TypeNames<'s>,
    docs: DocTable,
}

impl Plan {
    /// Plans the Rust code for a schema. What has no spelling in Rust is
    /// reported.
    pub(crate) fn new(
        schema: &CheckedSchema,
        options: &Options,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let paths = ModulePaths::new(schema);
        let planner = Planner {
            schema,
            options,
            graph: TypeGraph::new(schema, &options.open_enums),
            names: TypeNames::new(schema, &paths),
            docs: DocTable::default(),
        };
        let modules: Vec<ModulePlan> = schema
            .modules()
            .filter_map(|(id, module)| {
                let ident = paths.ident(id)?.clone();
                Some(planner.module(id, &module.name, ident, diagnostics))
            })
            .filter(|module| !module.is_empty())
            .collect();
        clashes::report_root(&modules, diagnostics);
        Self {
            modules,
            docs: planner.docs,
        }
    }
}

impl ModulePlan {
    fn is_empty(&self) -> bool {
        self.types.is_empty() && self.commands.is_empty() && self.events.is_empty()
    }
}

impl Planner<'_> {
    fn module(
        &self,
        id: ModuleId,
        file: &str,
        ident: Ident,
        diagnostics: &mut Diagnostics,
    ) -> ModulePlan {
        let mut plan = ModulePlan {
            file: file.to_owned(),
            ident,
            prelude: self.names.prelude.clone(),
            types: Vec::new(),
            commands: Vec::new(),
            events: Vec::new(),
        };
        for entity in &self.schema.module(id).entities {
            match *entity {
                Entity::Type(ty) => plan.types.extend(self.ty(ty, id)),
                Entity::Command(command) => plan.commands.extend(self.command(command, id)),
                Entity::Event(event) => plan.events.extend(self.event(event, id)),
            }
        }
        clashes::report(&plan, diagnostics);
        plan
    }

    fn includes(&self, common: &Common) -> bool {
        self.options.includes(common.cond.as_ref())
    }

    fn includes_part(&self, cond: Option<&Cond>) -> bool {
        self.options.includes(cond)
    }

    fn docs(&self, common: &Common) -> DocRef {
        self.docs_if_wanted(|table| {
            table.definition(common.doc.as_ref(), &common.features, &common.name)
        })
    }

    fn member_docs(&self, doc: Option<&Doc>, wire: &str, features: &[Feature]) -> DocRef {
        self.docs_if_wanted(|table| table.member(doc, wire, features))
    }

    fn docs_if_wanted(&self, add: impl FnOnce(&DocTable) -> DocRef) -> DocRef {
        if self.options.docs {
            add(&self.docs)
        } else {
            DocRef::default()
        }
    }
}

/// Whether one of the features is the special one that QEMU calls
/// `deprecated`.
fn is_deprecated(features: &[Feature]) -> bool {
    features.iter().any(|feature| feature.name == "deprecated")
}
