//! The plan: which Rust items there will be, with every name and type chosen.
//!
//! In: a `CheckedSchema` and `Options`. Out: a [`Plan`] that `emit/` only has
//! to write down. It decides all, and quotes nothing but names and types.

use std::collections::BTreeMap;

use proc_macro2::{Ident, TokenStream};

use super::doc;
use super::graph::TypeGraph;
use super::paths::ModulePaths;
use super::text::{TextRef, Texts};
use super::ty::TypeNames;
use super::{Options, Prelude};
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Common, Cond, Doc, Entity, Feature, ModuleId};

mod clashes;
mod commands;
mod features;
mod introspection;
mod types;

pub(crate) use commands::{Arguments, CommandPlan, EventPlan, Handler};
pub(crate) use features::FeaturesPlan;
pub(crate) use introspection::{EnumMemberPlan, InfoPlan, MemberPlan, MetaPlan};
pub(crate) use types::{
    AlternatePlan, EnumPlan, FieldPlan, Head, StructPlan, UnionField, UnionPlan, ValuePlan,
};

/// Everything that will be generated.
pub(crate) struct Plan {
    /// The modules, in schema order, those without items left out.
    pub(crate) modules: Vec<ModulePlan>,
    /// The items' documentation.
    pub(crate) texts: Texts,
    /// Everything that has features, by path.
    pub(crate) features: BTreeMap<String, Vec<String>>,
    /// The schema as data; `None`: not wanted.
    pub(crate) introspection: Option<Vec<InfoPlan>>,
}

/// One module: one schema file.
pub(crate) struct ModulePlan {
    /// The schema file, as the schema names it.
    pub(crate) file: String,
    pub(crate) ident: Ident,
    /// The module as the root sees it.
    pub(crate) path: TokenStream,
    /// Whether another crate has its code: then it is named, not generated.
    pub(crate) external: bool,
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
    texts: Texts,
}

impl Plan {
    /// Plans the Rust code for a schema. What has no spelling in Rust is
    /// reported.
    pub(crate) fn new(
        schema: &CheckedSchema,
        options: &Options,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let paths = ModulePaths::new(schema, options, diagnostics);
        let planner = Planner {
            schema,
            options,
            graph: TypeGraph::new(schema, &options.open_enums, &paths),
            names: TypeNames::new(schema, &paths),
            texts: Texts::default(),
        };
        let modules: Vec<ModulePlan> = schema
            .modules()
            .filter_map(|(id, module)| {
                let mut plan = ModulePlan {
                    file: module.name.clone(),
                    ident: paths.ident(id)?.clone(),
                    path: paths.root_path(id),
                    external: paths.is_external(id),
                    prelude: planner.names.prelude.clone(),
                    types: Vec::new(),
                    commands: Vec::new(),
                    events: Vec::new(),
                };
                planner.fill(id, &mut plan);
                Some(plan)
            })
            .filter(|module| !module.is_empty())
            .collect();
        for module in modules.iter().filter(|module| !module.external) {
            clashes::report(module, diagnostics);
        }
        let plan = Self {
            features: features::table(&modules),
            introspection: options.introspection.then(|| planner.introspection()),
            modules,
            texts: planner.texts,
        };
        clashes::report_root(&plan, diagnostics);
        plan
    }

    /// The modules to be generated.
    pub(crate) fn own_modules(&self) -> impl Iterator<Item = &ModulePlan> {
        self.modules.iter().filter(|module| !module.external)
    }

    /// The modules whose code another crate has.
    pub(crate) fn external_modules(&self) -> impl Iterator<Item = &ModulePlan> {
        self.modules.iter().filter(|module| module.external)
    }
}

impl ModulePlan {
    fn is_empty(&self) -> bool {
        self.types.is_empty() && self.commands.is_empty() && self.events.is_empty()
    }
}

impl Planner<'_> {
    /// Plans what a module defines.
    fn fill(&self, id: ModuleId, plan: &mut ModulePlan) {
        for entity in &self.schema.module(id).entities {
            match *entity {
                Entity::Type(ty) => plan.types.extend(self.ty(ty, id)),
                Entity::Command(command) => plan.commands.extend(self.command(command, id)),
                Entity::Event(event) => plan.events.extend(self.event(event, id)),
            }
        }
    }

    fn includes(&self, common: &Common) -> bool {
        self.options.includes(common.cond.as_ref())
    }

    fn includes_part(&self, cond: Option<&Cond>) -> bool {
        self.options.includes(cond)
    }

    fn docs(&self, common: &Common) -> Option<TextRef> {
        self.docs_if_wanted(|| doc::definition(common.doc.as_ref(), &common.features, &common.name))
    }

    fn member_docs(&self, doc: Option<&Doc>, wire: &str, features: &[Feature]) -> Option<TextRef> {
        self.docs_if_wanted(|| doc::member(doc, wire, features))
    }

    fn docs_if_wanted(&self, docs: impl FnOnce() -> String) -> Option<TextRef> {
        self.options.docs.then(|| self.texts.add(docs()))
    }
}
