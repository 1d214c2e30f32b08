//! The plan: which Rust items there will be, with every name and type chosen.
//!
//! In: a `CheckedSchema` and `Options`. Out: a [`Plan`] that `emit/` only has
//! to write down. It decides all, and quotes nothing but names and types.

use proc_macro2::{Ident, TokenStream};

use super::cfg::CondResolver;
use super::omission::Generated;
use super::options::{Layout, Options};
use super::paths::ModulePaths;
use super::placeholder::{TextRef, Texts};
use super::rustdoc::Docs;
use super::ty::Prelude;
use super::ty::{Replacements, TypeNames};
use super::user_attributes::Additions;
use super::{name, recursion_limit};
use crate::analysis::option_names::OptionNames;
use crate::analysis::selection::Selection;
use crate::analysis::type_graph::{Overrides, TypeGraph};
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Common, Doc, Entity, Feature, ModuleId};

mod branches;
mod clashes;
mod commands;
mod features;
mod introspection;
mod outline;
mod types;

pub(crate) use commands::{Arguments, CommandPlan, EventPlan, Handler};
pub(crate) use features::{FeaturePlan, FeatureTable, FeaturesPlan};
pub(crate) use introspection::{BranchTypePlan, EnumMemberPlan, InfoPlan, MemberPlan, MetaPlan};
pub(crate) use outline::{CommandOutline, ModuleOutline};
pub(crate) use types::{
    AlternateBranchPlan, AlternatePlan, BranchPlan, EnumPlan, FieldPlan, Head, StructPlan,
    UnionField, UnionPlan, ValuePlan,
};

/// Everything that is about all modules.
pub(crate) struct Plan {
    /// The modules, in schema order, those without items left out.
    pub(crate) modules: Vec<ModuleOutline>,
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
    pub(crate) id: ModuleId,
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

/// What a caller chose, brought into the schema's terms.
pub(crate) struct Choices {
    paths: ModulePaths,
    replaced: Replacements,
    selection: Selection,
}

impl Choices {
    /// Choices of what the schema does not have are reported.
    pub(crate) fn new(
        schema: &CheckedSchema,
        options: &Options,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let paths = ModulePaths::new(schema, options, diagnostics);
        let replaced = Replacements::new(schema, &options.replaced, &paths, diagnostics);
        let selection = Selection::new(
            schema,
            &options.only,
            &options.except,
            &|ty| replaced.contains(ty),
            diagnostics,
        );
        let choices = Self {
            paths,
            replaced,
            selection,
        };
        report_names(options, &choices.generated(schema), diagnostics);
        choices
    }

    fn generated<'a>(&'a self, schema: &'a CheckedSchema) -> Generated<'a> {
        Generated {
            schema,
            paths: &self.paths,
            replaced: &self.replaced,
            selection: &self.selection,
        }
    }
}

/// Plans modules, one at a time or all.
pub(crate) struct Planner<'p, 's> {
    schema: &'s CheckedSchema,
    options: &'p Options,
    choices: &'p Choices,
    graph: TypeGraph,
    names: TypeNames<'p>,
    texts: Texts<'s>,
    conditions: CondResolver<'p>,
    additions: Additions,
}

impl<'p, 's: 'p> Planner<'p, 's> {
    /// A planner of a schema's Rust code. Choices of what the schema does not
    /// have are reported.
    pub(crate) fn new(
        schema: &'s CheckedSchema,
        options: &'p Options,
        choices: &'p Choices,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        let Choices {
            paths, replaced, ..
        } = choices;
        Self {
            schema,
            options,
            choices,
            graph: TypeGraph::new(
                schema,
                &Overrides {
                    open_enums: &options.open_enums,
                    is_external: &|module| paths.is_external(module),
                    is_opaque: &|ty| replaced.contains(ty),
                },
            ),
            names: TypeNames::new(schema, paths, replaced),
            texts: Texts::apart_from(options.rust()),
            conditions: CondResolver::new(schema, &options.conditions, diagnostics),
            additions: Additions::new(schema, options, &choices.generated(schema), diagnostics),
        }
    }

    /// The texts of what has been planned.
    pub(crate) fn texts(&self) -> &Texts<'s> {
        &self.texts
    }

    /// Plans what is about all modules. What has no spelling in Rust is
    /// reported, but for [clashes](Plan::report_clashes).
    pub(crate) fn plan(&self, diagnostics: &mut Diagnostics) -> Plan {
        recursion_limit::report(self.schema, diagnostics);
        let ids = || self.schema.modules().map(|(id, _)| id);
        Plan {
            modules: ids().filter_map(|id| self.outline(id)).collect(),
            features: features::table(ids().filter_map(|id| self.featured(id))),
            introspection: self.options.introspection.then(|| self.introspection()),
            layout: self.options.layout,
            docs: self.options.docs,
        }
    }

    /// Plans a module that is generated; `None`: another crate has it, or
    /// there is nothing in it that is wanted.
    pub(crate) fn module(&self, id: ModuleId) -> Option<ModulePlan> {
        let is_external = self.choices.paths.is_external(id);
        let plan = self.part_of(id, |_| true).filter(|_| !is_external)?;
        (!plan.is_empty()).then_some(plan)
    }

    /// Plans what a module defines, as far as it is chosen.
    fn part_of(&self, id: ModuleId, chosen: impl Fn(Entity) -> bool) -> Option<ModulePlan> {
        let entities: Vec<Entity> = self.wanted(id).filter(|entity| chosen(*entity)).collect();
        // A plan is large: room is made for those that there can be.
        let room = |of: fn(&&Entity) -> bool| entities.iter().filter(of).count();
        let mut plan = ModulePlan {
            id,
            file: name::shown_file(&self.schema.module(id).name),
            ident: self.choices.paths.ident(id)?.clone(),
            prelude: self.names.prelude.clone(),
            types: Vec::with_capacity(room(|entity| matches!(entity, Entity::Type(_)))),
            commands: Vec::with_capacity(room(|entity| matches!(entity, Entity::Command(_)))),
            events: Vec::with_capacity(room(|entity| matches!(entity, Entity::Event(_)))),
        };
        for entity in entities {
            match entity {
                Entity::Type(ty) => plan.types.extend(self.ty(ty, id)),
                Entity::Command(command) => plan.commands.extend(self.command(command, id)),
                Entity::Event(event) => plan.events.extend(self.event(event, id)),
            }
        }
        Some(plan)
    }

    /// What the caller wants of what a module defines.
    fn wanted(&self, id: ModuleId) -> impl Iterator<Item = Entity> {
        let entities = self.schema.module(id).entities.iter().copied();
        entities.filter(|entity| self.choices.selection.contains(*entity))
    }
}

impl Plan {
    /// The modules to be generated.
    pub(crate) fn own_modules(&self) -> impl Iterator<Item = &ModuleOutline> {
        self.modules.iter().filter(|module| !module.external)
    }

    /// The modules whose code another crate has.
    pub(crate) fn external_modules(&self) -> impl Iterator<Item = &ModuleOutline> {
        self.modules.iter().filter(|module| module.external)
    }

    /// Reports every clash among the modules, and among the events of all.
    pub(crate) fn report_clashes(&self, diagnostics: &mut Diagnostics) {
        clashes::report_root(self, diagnostics);
    }
}

impl ModulePlan {
    /// Reports every clash among its items, and among the parts of each.
    pub(crate) fn report_clashes(&self, diagnostics: &mut Diagnostics) {
        clashes::report(self, diagnostics);
    }

    fn is_empty(&self) -> bool {
        self.types.is_empty() && self.commands.is_empty() && self.events.is_empty()
    }
}

impl<'s> Planner<'_, 's> {
    /// The attribute that derives the traits of a definition's items, those
    /// that they have anyway first.
    fn derives(&self, entity: Entity, exact: bool, further: &[&str]) -> TokenStream {
        let exact: &[&str] = if exact { &["Eq", "Hash"] } else { &[] };
        let anyway = [&["Clone", "Debug", "PartialEq"], exact, further].concat();
        self.additions.derives(entity, &anyway)
    }

    fn docs(&self, common: &'s Common) -> Option<TextRef> {
        self.keep_docs(Docs {
            block: common.doc.as_ref(),
            wire_name: &common.name,
            is_member: false,
            features: self.present(&common.features),
        })
    }

    fn member_docs(
        &self,
        block: Option<&'s Doc>,
        wire_name: &'s str,
        features: &'s [Feature],
    ) -> Option<TextRef> {
        self.keep_docs(Docs {
            block,
            wire_name,
            is_member: true,
            features: self.present(features),
        })
    }

    /// The features that some configuration has of those that are generated.
    fn present(&self, features: &'s [Feature]) -> Vec<&'s Feature> {
        let is_present =
            |feature: &&Feature| !self.conditions.presence(feature.cond.as_ref()).is_never();
        features.iter().filter(is_present).collect()
    }

    fn keep_docs(&self, docs: Docs<'s>) -> Option<TextRef> {
        self.options.docs.then(|| self.texts.docs(docs))
    }
}

/// Reports what options name and the schema does not have, or not so that they
/// could do anything to it.
fn report_names(options: &Options, generated: &Generated<'_>, diagnostics: &mut Diagnostics) {
    let schema = generated.schema;
    let mut names = OptionNames {
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
