//! Names in a caller's options, looked up in the schema.
//!
//! In: names as the caller wrote them. Out: the definitions that they denote,
//! and a diagnostic for each name that denotes nothing. This module must not
//! know what an option does.

use std::fmt::Display;

use super::option_problem::OptionProblem;
use crate::diag::Diagnostics;
use crate::schema::{CheckedSchema, CommandId, Entity, ObjectOrigin, TypeId, TypeKind};

/// The names in one option. Looks names up, and reports unknown names.
pub(crate) struct OptionNames<'a> {
    pub(crate) schema: &'a CheckedSchema,
    /// The name of the option, for diagnostics.
    pub(crate) option: &'static str,
    pub(crate) diagnostics: &'a mut Diagnostics,
}

impl OptionNames<'_> {
    /// Returns the definition of a name.
    pub(crate) fn definition(&mut self, name: &str) -> Option<Entity> {
        self.known(name, "definition", definition(self.schema, name))
    }

    /// Reports that the option has no effect on the definition `name`.
    pub(crate) fn report_idle(&mut self, name: &str, why: String) {
        let problem = OptionProblem::OptionIdle {
            option: self.option,
            name: name.to_owned(),
            why,
        };
        self.diagnostics.report(problem.into(), None);
    }

    /// Returns the type of a name.
    pub(crate) fn ty(&mut self, name: &str) -> Option<TypeId> {
        let found = match definition(self.schema, name) {
            Some(Entity::Type(id)) => Some(id),
            _ => None,
        };
        self.known(name, "type", found)
    }

    /// Reports the name unless it is the name of an enumeration.
    pub(crate) fn enumeration(&mut self, name: &str) {
        let found = definition(self.schema, name).filter(|entity| match entity {
            Entity::Type(id) => matches!(self.schema.ty(*id).kind, TypeKind::Enum(_)),
            _ => false,
        });
        self.known(name, "enum", found);
    }

    /// Returns the command of a name.
    pub(crate) fn command(&mut self, name: &str) -> Option<CommandId> {
        let found = match definition(self.schema, name) {
            Some(Entity::Command(id)) => Some(id),
            _ => None,
        };
        self.known(name, "command", found)
    }

    /// Returns the definitions of the schema file `name`, or the definition of
    /// that name.
    pub(crate) fn file_or_definition(&mut self, name: &str) -> Vec<Entity> {
        let file = self
            .schema
            .modules()
            .find(|(_, module)| module.name == name);
        match file {
            Some((_, module)) => module.entities.clone(),
            None => {
                let found = definition(self.schema, name);
                let found = self.known(name, "file or definition", found);
                found.into_iter().collect()
            }
        }
    }

    /// Returns the definition and the member, if any, that `DEFINITION` or
    /// `DEFINITION.MEMBER` denotes. Both names may contain dots.
    pub(crate) fn definition_or_member<'n>(
        &mut self,
        name: &'n str,
    ) -> Option<(Entity, Option<&'n str>)> {
        if let Some(entity) = definition(self.schema, name) {
            return Some((entity, None));
        }
        let found = name.match_indices('.').find_map(|(dot, _)| {
            let (of, member) = (name.get(..dot)?, name.get(dot + 1..)?);
            let entity = definition(self.schema, of)?;
            has_part(self.schema, entity, member).then_some((entity, Some(member)))
        });
        self.known(name, "definition or member", found)
    }

    /// Reports that `text` is not a valid `what` of the output language.
    pub(crate) fn report_syntax(&mut self, text: &str, what: &'static str, error: &dyn Display) {
        let problem = OptionProblem::OptionSyntax {
            option: self.option,
            text: text.to_owned(),
            what,
            reason: error.to_string(),
        };
        self.diagnostics.report(problem.into(), None);
    }

    /// Reports the name unless something was found.
    fn known<T>(&mut self, name: &str, what: &'static str, found: Option<T>) -> Option<T> {
        if found.is_none() {
            let problem = OptionProblem::OptionUnknown {
                option: self.option,
                name: name.to_owned(),
                what,
            };
            self.diagnostics.report(problem.into(), None);
        }
        found
    }
}

/// Returns the definition of a name, but not a built-in or implicit type.
fn definition(schema: &CheckedSchema, name: &str) -> Option<Entity> {
    schema.entity_named(name).filter(|entity| match entity {
        Entity::Type(id) => {
            let ty = schema.ty(*id);
            let is_written = match &ty.kind {
                TypeKind::Builtin(_) | TypeKind::Array(_) => false,
                TypeKind::Object(object) => {
                    matches!(object.origin, ObjectOrigin::Struct | ObjectOrigin::Union)
                }
                TypeKind::Enum(_) | TypeKind::Alternate(_) => true,
            };
            is_written && ty.common.span.is_some()
        }
        Entity::Command(_) | Entity::Event(_) => true,
    })
}

/// Returns whether a definition has a member, a value or a branch of this name.
/// The members of a command or an event are its inline arguments or data.
fn has_part(schema: &CheckedSchema, entity: Entity, part: &str) -> bool {
    let arguments = match entity {
        Entity::Type(id) => Some(id),
        Entity::Command(id) => schema.command(id).arg,
        Entity::Event(id) => schema.event(id).arg,
    };
    let mut next = arguments.filter(|id| match (&schema.ty(*id).kind, entity) {
        (_, Entity::Type(_)) => true,
        (TypeKind::Object(object), _) => object.origin == ObjectOrigin::InlineArguments,
        _ => false,
    });
    while let Some(id) = next.take() {
        let found = match &schema.ty(id).kind {
            TypeKind::Enum(enumeration) => {
                enumeration.values.iter().any(|value| value.name == part)
            }
            TypeKind::Alternate(alternate) => {
                alternate.branches.iter().any(|branch| branch.name == part)
            }
            TypeKind::Object(object) => {
                next = object.base;
                let cases = object.branches.iter().flat_map(|b| schema.cases(b));
                object.members.iter().any(|member| member.name == part)
                    || cases.into_iter().any(|case| case.name == part)
            }
            TypeKind::Builtin(_) | TypeKind::Array(_) => false,
        };
        if found {
            return true;
        }
    }
    false
}
