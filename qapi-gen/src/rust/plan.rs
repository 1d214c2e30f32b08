//! The plan: which Rust items there will be, with every name and type chosen.
//!
//! In: a `CheckedSchema` and `Options`. Out: a [`Plan`] that `emit/` only has
//! to write down. It decides all, and quotes nothing but names and types.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens as _;

use super::additions::Additions;
use super::cfg::{Cfg, Presence};
use super::graph::TypeGraph;
use super::named::Names;
use super::paths::ModulePaths;
use super::selection::Selection;
use super::ty::{Replacements, TypeNames};
use super::{Layout, Options, Prelude, doc};
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Common, Doc, Entity, Feature, ModuleId};

mod branches;
mod clashes;
mod commands;
mod types;

pub(crate) use commands::{Arguments, CommandPlan, EventPlan, Handler};
pub(crate) use types::{
    AlternateBranchPlan, AlternatePlan, BranchPlan, EnumPlan, FieldPlan, Head, StructPlan,
    UnionField, UnionPlan, ValuePlan,
};

/// Everything that will be generated.
pub(crate) struct Plan {
    /// The modules, in schema order, those without items left out.
    pub(crate) modules: Vec<ModulePlan>,
    pub(crate) layout: Layout,
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
    replaced: &'s Replacements,
    presence: Presence<'s>,
    selection: Selection,
    additions: Additions,
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
        let replaced = Replacements::new(schema, &options.replaced, diagnostics);
        report_names(schema, options, diagnostics);
        let planner = Planner {
            schema,
            options,
            graph: TypeGraph::new(schema, &options.open_enums, &replaced),
            names: TypeNames::new(schema, &paths, &replaced),
            replaced: &replaced,
            presence: Presence::new(schema, &options.conditions, diagnostics),
            selection: Selection::new(schema, options, &replaced, diagnostics),
            additions: Additions::new(schema, options, diagnostics),
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
            layout: options.layout,
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
        let entities = self.schema.module(id).entities.iter();
        for entity in entities.filter(|entity| self.selection.contains(**entity)) {
            match *entity {
                Entity::Type(ty) => plan.types.extend(self.ty(ty, id)),
                Entity::Command(command) => plan.commands.extend(self.command(command, id)),
                Entity::Event(event) => plan.events.extend(self.event(event, id)),
            }
        }
        clashes::report(&plan, diagnostics);
        plan
    }

    /// The traits that a definition's items derive, those that they have
    /// anyway first.
    fn derives(&self, entity: Entity, exact: bool, further: &[&str]) -> Vec<TokenStream> {
        let exact: &[&str] = if exact { &["Eq", "Hash"] } else { &[] };
        let anyway = [&["Clone", "Debug", "PartialEq"], exact, further].concat();
        let ident = |name: &&str| Ident::new(name, Span::call_site()).into_token_stream();
        self.additions
            .derives(entity, anyway.iter().map(ident).collect())
    }

    /// When something with these features is deprecated: when it has the
    /// special one that QEMU calls so.
    fn deprecated(&self, features: &[Feature]) -> Option<Cfg> {
        let mut deprecating = features
            .iter()
            .filter(|feature| feature.name == "deprecated");
        deprecating.find_map(|feature| self.presence.of(feature.cond.as_ref()))
    }

    fn docs(&self, common: &Common) -> Vec<String> {
        self.docs_if_wanted(|| {
            let features = self.present(&common.features);
            doc::definition(common.doc.as_ref(), &features, &common.name)
        })
    }

    fn member_docs(&self, doc: Option<&Doc>, wire: &str, features: &[Feature]) -> Vec<String> {
        self.docs_if_wanted(|| doc::member(doc, wire, &self.present(features)))
    }

    /// The features that some configuration has of those that are generated.
    fn present(&self, features: &[Feature]) -> Vec<Feature> {
        let is_present = |feature: &&Feature| self.presence.of(feature.cond.as_ref()).is_some();
        features.iter().filter(is_present).cloned().collect()
    }

    fn docs_if_wanted(&self, docs: impl FnOnce() -> Vec<String>) -> Vec<String> {
        if self.options.docs {
            docs()
        } else {
            Vec::new()
        }
    }
}

/// Reports what options name and the schema does not have.
fn report_names(schema: &CheckedSchema, options: &Options, diagnostics: &mut Diagnostics) {
    let mut names = Names {
        schema,
        option: "open-enum",
        diagnostics,
    };
    options
        .open_enums
        .iter()
        .for_each(|name| names.enumeration(name));
    names.option = "direct-reply";
    options
        .direct_replies
        .iter()
        .for_each(|name| names.command(name));
}
