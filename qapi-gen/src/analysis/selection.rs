//! The part of a schema that a caller selects.
//!
//! In: the files and definitions to include and to leave out. Out: the selected
//! definitions, with the types that they need. This module must not know what
//! is done with them.

use std::collections::BTreeSet;

use super::option_names::OptionNames;
use super::option_problem::OptionProblem;
use super::type_graph;
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, Entity, TypeId};

/// The selected definitions.
pub(crate) struct Selection {
    /// The definitions, or `None` if all are selected.
    chosen: Option<BTreeSet<Entity>>,
}

impl Selection {
    /// Selects what `only` names, or everything if it is empty, without what
    /// `except` names. Types for which `is_opaque` holds need no other type.
    ///
    /// Reports names that the schema does not have, and names in both sets.
    pub(crate) fn new(
        schema: &CheckedSchema,
        only: &BTreeSet<String>,
        except: &BTreeSet<String>,
        is_opaque: &dyn Fn(TypeId) -> bool,
        diagnostics: &mut Diagnostics,
    ) -> Self {
        if only.is_empty() && except.is_empty() {
            return Self { chosen: None };
        }
        let mut names = OptionNames {
            schema,
            option: "only",
            diagnostics,
        };
        for name in only.intersection(except) {
            let problem = OptionProblem::OnlyAndExcept { name: name.clone() };
            names.diagnostics.report(problem.into(), None);
        }
        let mut named = |option, list: &BTreeSet<String>| -> BTreeSet<Entity> {
            names.option = option;
            let entities = list.iter().map(|name| names.file_or_definition(name));
            entities.flatten().collect()
        };
        let candidates = match only.is_empty() {
            true => schema.entities().iter().copied().collect(),
            false => named("only", only),
        };
        let except = named("except", except);
        let needed = |roots: &BTreeSet<Entity>| {
            let types = roots.iter().flat_map(|root| types_of(schema, *root));
            type_graph::reachable(schema, types.collect(), is_opaque)
        };
        // A type that an omitted definition needs is omitted, too, unless a
        // remaining definition needs it.
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

    /// Returns whether a definition is selected.
    pub(crate) fn contains(&self, entity: Entity) -> bool {
        let chosen = self.chosen.as_ref();
        chosen.is_none_or(|chosen| chosen.contains(&entity))
    }
}

/// Returns the types that a definition refers to directly.
pub(crate) fn types_of(schema: &CheckedSchema, entity: Entity) -> Vec<TypeId> {
    match entity {
        Entity::Type(id) => vec![id],
        Entity::Command(id) => {
            let command = schema.command(id);
            command.arg.into_iter().chain(command.ret).collect()
        }
        Entity::Event(id) => schema.event(id).arg.into_iter().collect(),
    }
}
