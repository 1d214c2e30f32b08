//! Which part of a schema is generated.
//!
//! In: the files and definitions that the caller wants, or does not. Out: the
//! definitions to generate, those that they need included.

use std::collections::BTreeSet;

use super::Options;
use super::graph;
use super::named::Names;
use super::ty::Replacements;
use crate::diag::{Diagnostics, Problem};
use crate::schema::{CheckedSchema, Entity, TypeId};

/// The definitions to generate.
pub(super) struct Selection {
    /// `None`: all.
    chosen: Option<BTreeSet<Entity>>,
}

impl Selection {
    pub(super) fn new(
        schema: &CheckedSchema,
        options: &Options,
        replaced: &Replacements,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        if options.only.is_empty() && options.except.is_empty() {
            return Self { chosen: None };
        }
        let mut names = Names {
            schema,
            option: "only",
            diagnostics,
        };
        for name in options.only.intersection(&options.except) {
            let problem = Problem::OnlyAndExcept(name.clone());
            names.diagnostics.report(problem, None);
        }
        let mut named = |option, list: &BTreeSet<String>| -> BTreeSet<Entity> {
            names.option = option;
            let entities = list.iter().map(|name| names.file_or_definition(name));
            entities.flatten().collect()
        };
        let only = named("only", &options.only);
        let except = named("except", &options.except);
        let candidates = if options.only.is_empty() {
            schema.entities().iter().copied().collect()
        } else {
            only
        };
        let needed = |roots: &BTreeSet<Entity>| {
            let types = roots.iter().flat_map(|root| types_of(schema, *root));
            graph::reachable(schema, types.collect(), replaced)
        };
        // A type goes with what is left out, unless something else needs it.
        let dropped = needed(&except);
        let roots: BTreeSet<Entity> = candidates
            .into_iter()
            .filter(|entity| match entity {
                Entity::Type(id) => !dropped.contains(id),
                _ => !except.contains(entity),
            })
            .collect();
        let types = needed(&roots).into_iter().map(Entity::Type);
        Self {
            chosen: Some(types.chain(roots.iter().copied()).collect()),
        }
    }

    /// Whether a definition is generated.
    pub(super) fn contains(&self, entity: Entity) -> bool {
        let chosen = self.chosen.as_ref();
        chosen.is_none_or(|chosen| chosen.contains(&entity))
    }
}

/// The types that a definition names.
fn types_of(schema: &CheckedSchema, entity: Entity) -> Vec<TypeId> {
    match entity {
        Entity::Type(id) => vec![id],
        Entity::Command(id) => {
            let command = schema.command(id);
            command.arg.into_iter().chain(command.ret).collect()
        }
        Entity::Event(id) => schema.event(id).arg.into_iter().collect(),
    }
}
