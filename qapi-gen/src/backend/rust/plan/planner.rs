//! The planner, and the decisions that all kinds of definitions share.
//!
//! In: a schema, and the caller's choices. Out: the plan of everything that
//! concerns all modules, and of each module. The other files of this folder add
//! a method for each kind of definition.

use proc_macro2::{Ident, TokenStream};

use super::feature_table;
use super::items::{Head, ModulePlan, Plan};
use crate::analysis::option_names::OptionNames;
use crate::analysis::schema_info::{self, Info};
use crate::analysis::selection::Selection;
use crate::analysis::type_graph::{Overrides, TypeGraph};
use crate::backend::rust::cfg::{CondResolver, Presence};
use crate::backend::rust::omission::Omissions;
use crate::backend::rust::options::Options;
use crate::backend::rust::paths::ModulePaths;
use crate::backend::rust::placeholder::{Placeholder, Placeholders};
use crate::backend::rust::rustdoc::Docs;
use crate::backend::rust::ty::{Replacements, TypeNames};
use crate::backend::rust::user_attributes::UserAttributes;
use crate::backend::rust::{name, recursion_limit};
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Cond, Doc, Entity, Feature, ModuleId};

/// The caller's choices, resolved against the schema.
pub(crate) struct Choices {
    pub(super) paths: ModulePaths,
    pub(super) replaced: Replacements,
    pub(super) selection: Selection,
}

impl Choices {
    /// Resolves the choices, and reports those that do not fit the schema.
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
        report_names(options, &choices.omissions(schema), diagnostics);
        choices
    }

    fn omissions<'a>(&'a self, schema: &'a CheckedSchema) -> Omissions<'a> {
        Omissions {
            schema,
            paths: &self.paths,
            replaced: &self.replaced,
            selection: &self.selection,
        }
    }
}

/// Makes all decisions about the Rust code of a schema.
pub(crate) struct Planner<'p, 's> {
    pub(super) schema: &'s CheckedSchema,
    pub(super) options: &'p Options,
    pub(super) choices: &'p Choices,
    pub(super) graph: TypeGraph,
    pub(super) names: TypeNames<'p>,
    pub(super) placeholders: Placeholders<'s>,
    pub(super) conditions: CondResolver<'p>,
    pub(super) additions: UserAttributes,
}

impl<'p, 's: 'p> Planner<'p, 's> {
    /// Creates a planner. Reports choices that do not fit the schema.
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
            placeholders: Placeholders::default(),
            conditions: CondResolver::new(schema, &options.conditions, diagnostics),
            additions: UserAttributes::new(
                schema,
                options,
                &choices.omissions(schema),
                diagnostics,
            ),
        }
    }

    /// Returns the texts of the placeholders in the plans made so far.
    pub(crate) fn placeholders(&self) -> &Placeholders<'s> {
        &self.placeholders
    }

    /// Plans everything that concerns all modules, and reports types that nest
    /// too deeply for rustc.
    pub(crate) fn plan(&self, diagnostics: &mut Diagnostics) -> Plan<'s> {
        recursion_limit::report(self.schema, diagnostics);
        let ids = || self.schema.modules().map(|(id, _)| id);
        Plan {
            modules: ids().filter_map(|id| self.outline(id)).collect(),
            features: feature_table::table(ids().filter_map(|id| self.featured(id))),
            introspection: self.options.introspection.then(|| self.introspection()),
            layout: self.options.layout,
            docs: self.options.docs,
        }
    }

    /// Plans the schema as data: the table of the selected part of the schema, with
    /// types numbered over all modules, also those whose code is in another crate.
    fn introspection(&self) -> Vec<Info<'s, Presence>> {
        schema_info::table(
            self.schema,
            &schema_info::Choices {
                unmask: false,
                contains: &|entity| self.choices.selection.contains(entity),
                is_open: &|id| self.graph.is_open(id),
                presence: &|cond| self.presence(cond),
            },
        )
    }

    /// Plans a module. Returns `None` if its code is in another crate, or if
    /// nothing in it is selected.
    pub(crate) fn module(&self, id: ModuleId) -> Option<ModulePlan> {
        let is_external = self.choices.paths.is_external(id);
        let plan = self.part_of(id, |_| true).filter(|_| !is_external)?;
        (!plan.is_empty()).then_some(plan)
    }

    /// Plans the selected definitions of a module for which `chosen` holds.
    pub(super) fn part_of(
        &self,
        id: ModuleId,
        chosen: impl Fn(Entity) -> bool,
    ) -> Option<ModulePlan> {
        let entities: Vec<Entity> = self.wanted(id).filter(|entity| chosen(*entity)).collect();
        // Reserve the exact capacity, because a plan is large and a growing
        // vector allocates twice what it needs.
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

    /// Returns the selected definitions of a module.
    pub(super) fn wanted(&self, id: ModuleId) -> impl Iterator<Item = Entity> {
        let entities = self.schema.module(id).entities.iter().copied();
        entities.filter(|entity| self.choices.selection.contains(*entity))
    }
}

impl<'s> Planner<'_, 's> {
    /// Returns the presence of an item, or `None` if the configuration leaves it
    /// out.
    pub(super) fn presence(&self, cond: Option<&Cond>) -> Option<Presence> {
        self.conditions.presence(cond).unless_never()
    }

    /// Plans the properties of a definition, which derives the traits in
    /// `further` too. Returns `None` if the configuration leaves it out.
    pub(super) fn head(&self, entity: Entity, exact: bool, further: &[&str]) -> Option<Head> {
        let common = self.schema.common(entity);
        Some(Head {
            ident: name::camel(&common.name),
            wire: common.name.to_string(),
            cfg: self.presence(common.cond.as_ref())?,
            docs: self.keep_docs(Docs {
                block: common.doc.as_ref(),
                wire_name: &common.name,
                is_member: false,
                features: self.present(&common.features),
            }),
            features: self.features(&common.features, common.doc.as_ref()),
            derives: self.derives(entity, exact, further),
            attributes: self.additions.attributes(entity),
            span: common.span,
        })
    }

    /// Plans the properties of a member, value or branch of a definition. Returns
    /// `None` if the configuration leaves it out.
    pub(super) fn part(
        &self,
        entity: Entity,
        ident: Ident,
        wire_name: &'s str,
        cond: Option<&Cond>,
        features: &'s [Feature],
        block: Option<&'s Doc>,
    ) -> Option<Head> {
        Some(Head {
            ident,
            wire: wire_name.to_owned(),
            cfg: self.presence(cond)?,
            docs: self.keep_docs(Docs {
                block,
                wire_name,
                is_member: true,
                features: self.present(features),
            }),
            features: self.features(features, block),
            derives: TokenStream::new(),
            attributes: self.additions.member(entity, wire_name),
            span: None,
        })
    }

    /// Returns the attribute that derives the default traits of a definition,
    /// the traits in `further`, and those that the caller adds.
    fn derives(&self, entity: Entity, exact: bool, further: &[&str]) -> TokenStream {
        let exact: &[&str] = if exact { &["Eq", "Hash"] } else { &[] };
        let anyway = [&["Clone", "Debug", "PartialEq"], exact, further].concat();
        self.additions.derives(entity, &anyway)
    }

    /// Returns the features that exist in some configuration.
    fn present(&self, features: &'s [Feature]) -> Vec<&'s Feature> {
        let is_present =
            |feature: &&Feature| !self.conditions.presence(feature.cond.as_ref()).is_never();
        features.iter().filter(is_present).collect()
    }

    fn keep_docs(&self, docs: Docs<'s>) -> Option<Placeholder> {
        self.options.docs.then(|| self.placeholders.docs(docs))
    }
}

/// Reports names in `open_enums` and `direct_replies` that do not fit the
/// schema, or for which the option has no effect.
fn report_names(options: &Options, omissions: &Omissions<'_>, diagnostics: &mut Diagnostics) {
    let schema = omissions.schema;
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
        omissions.require(Entity::Command(id), name, &mut names);
        if !schema.command(id).gen_code {
            let why = "it is 'gen': false, so that its handler returns any value";
            names.report_idle(name, why.to_owned());
        }
    }
}
