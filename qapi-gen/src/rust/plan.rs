//! The plan: which Rust items there will be, with every name and type chosen.
//!
//! In: a `CheckedSchema` and `Options`. Out: a [`Plan`] that `emit/` only has
//! to write down. It decides all, and quotes nothing but names and types.

use proc_macro2::{Ident, Span, TokenStream};
use quote::ToTokens as _;

use super::additions::Additions;
use super::cfg::Presence;
use super::generated::Generated;
use super::graph::TypeGraph;
use super::named::Names;
use super::paths::ModulePaths;
use super::selection::Selection;
use super::text::{TextRef, Texts};
use super::ty::{Replacements, TypeNames};
use super::{Layout, Options, Prelude, doc, nesting};
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Common, Doc, Entity, Feature, ModuleId};

mod branches;
mod clashes;
mod commands;
mod features;
mod introspection;
mod types;

pub(crate) use commands::{Arguments, CommandPlan, EventPlan, Handler};
pub(crate) use features::{FeaturePlan, FeatureTable, FeaturesPlan};
pub(crate) use introspection::{BranchTypePlan, EnumMemberPlan, InfoPlan, MemberPlan, MetaPlan};
pub(crate) use types::{
    AlternateBranchPlan, AlternatePlan, BranchPlan, EnumPlan, FieldPlan, Head, StructPlan,
    UnionField, UnionPlan, ValuePlan,
};

/// Everything that will be generated.
pub(crate) struct Plan {
    /// The modules, in schema order, those without items left out.
    pub(crate) modules: Vec<ModulePlan>,
    /// The items' documentation.
    pub(crate) texts: Texts,
    /// Everything that has features, by path.
    pub(crate) features: FeatureTable,
    /// The schema as data; `None`: not wanted.
    pub(crate) introspection: Option<Vec<InfoPlan>>,
    pub(crate) layout: Layout,
    /// Whether the schema's documentation goes with the items.
    pub(crate) docs: bool,
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
        let paths = ModulePaths::new(schema, options, diagnostics);
        let replaced = Replacements::new(schema, &options.replaced, &paths, diagnostics);
        let presence = Presence::new(schema, &options.conditions, diagnostics);
        let selection = Selection::new(schema, options, &replaced, diagnostics);
        let generated = Generated {
            schema,
            paths: &paths,
            replaced: &replaced,
            selection: &selection,
        };
        report_names(options, &generated, diagnostics);
        nesting::report(schema, diagnostics);
        let additions = Additions::new(schema, options, &generated, diagnostics);
        let planner = Planner {
            schema,
            options,
            graph: TypeGraph::new(schema, &options.open_enums, &paths, &replaced),
            names: TypeNames::new(schema, &paths, &replaced),
            texts: Texts::apart_from(options.rust()),
            replaced: &replaced,
            presence,
            selection,
            additions,
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
            layout: options.layout,
            docs: options.docs,
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
        let entities = self.schema.module(id).entities.iter();
        for entity in entities.filter(|entity| self.selection.contains(**entity)) {
            match *entity {
                Entity::Type(ty) => plan.types.extend(self.ty(ty, id)),
                Entity::Command(command) => plan.commands.extend(self.command(command, id)),
                Entity::Event(event) => plan.events.extend(self.event(event, id)),
            }
        }
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

    fn docs(&self, common: &Common) -> Option<TextRef> {
        self.docs_if_wanted(|| {
            let features = self.present(&common.features);
            doc::definition(common.doc.as_ref(), &features, &common.name)
        })
    }

    fn member_docs(&self, doc: Option<&Doc>, wire: &str, features: &[Feature]) -> Option<TextRef> {
        self.docs_if_wanted(|| doc::member(doc, wire, &self.present(features)))
    }

    /// The features that some configuration has of those that are generated.
    fn present(&self, features: &[Feature]) -> Vec<Feature> {
        let is_present = |feature: &&Feature| self.presence.of(feature.cond.as_ref()).is_some();
        features.iter().filter(is_present).cloned().collect()
    }

    fn docs_if_wanted(&self, docs: impl FnOnce() -> String) -> Option<TextRef> {
        self.options.docs.then(|| self.texts.add(docs()))
    }
}

/// Reports what options name and the schema does not have, or not so that they
/// could do anything to it.
fn report_names(options: &Options, generated: &Generated<'_>, diagnostics: &mut Diagnostics) {
    let schema = generated.schema;
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
    for name in &options.direct_replies {
        let Some(id) = names.command(name) else {
            continue;
        };
        generated.require(Entity::Command(id), name, &mut names);
        if !schema.command(id).gen_code {
            let why = "it is 'gen': false, so that its handler returns any value";
            names.report_idle(name, why.to_owned());
        }
    }
}
