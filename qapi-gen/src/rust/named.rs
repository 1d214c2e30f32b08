//! What options name, looked up in the schema.
//!
//! In: names as the caller wrote them. Out: what they stand for; a diagnostic
//! for each that stands for nothing. It does not know what options mean.

use crate::diag::{Diagnostics, Problem};
use crate::schema::{CheckedSchema, CommandId, Entity, ObjectOrigin, TypeId, TypeKind};

/// Looks names up, and reports those that the schema does not have.
pub(super) struct Names<'a> {
    pub(super) schema: &'a CheckedSchema,
    /// The option that names them.
    pub(super) option: &'static str,
    pub(super) diagnostics: &'a mut Diagnostics,
}

impl Names<'_> {
    /// What a name defines.
    pub(super) fn definition(&mut self, name: &str) -> Option<Entity> {
        self.known(name, "definition", definition(self.schema, name))
    }

    /// Reports that an option does nothing to what it names.
    pub(super) fn report_idle(&mut self, name: &str, why: String) {
        let problem = Problem::OptionIdle {
            option: self.option,
            name: name.to_owned(),
            why,
        };
        self.diagnostics.report(problem, None);
    }

    /// The type of a name.
    pub(super) fn ty(&mut self, name: &str) -> Option<TypeId> {
        let found = match definition(self.schema, name) {
            Some(Entity::Type(id)) => Some(id),
            _ => None,
        };
        self.known(name, "type", found)
    }

    /// Reports the name if it is no enumeration.
    pub(super) fn enumeration(&mut self, name: &str) {
        let found = definition(self.schema, name).filter(|entity| match entity {
            Entity::Type(id) => matches!(self.schema.ty(*id).kind, TypeKind::Enum(_)),
            _ => false,
        });
        self.known(name, "enum", found);
    }

    /// The command of a name.
    pub(super) fn command(&mut self, name: &str) -> Option<CommandId> {
        let found = match definition(self.schema, name) {
            Some(Entity::Command(id)) => Some(id),
            _ => None,
        };
        self.known(name, "command", found)
    }

    /// The definitions of a schema file, or the one of a name.
    pub(super) fn file_or_definition(&mut self, name: &str) -> Vec<Entity> {
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

    /// What `DEFINITION` or `DEFINITION.MEMBER` stands for. Either name may
    /// have dots of its own.
    pub(super) fn definition_or_member<'n>(
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

    /// Reports something that is not what it has to be in Rust.
    pub(super) fn report_syntax(&mut self, text: &str, what: &'static str, error: &syn::Error) {
        let problem = Problem::OptionSyntax {
            option: self.option,
            text: text.to_owned(),
            what,
            reason: error.to_string(),
        };
        self.diagnostics.report(problem, None);
    }

    fn known<T>(&mut self, name: &str, what: &'static str, found: Option<T>) -> Option<T> {
        if found.is_none() {
            let problem = Problem::OptionUnknown {
                option: self.option,
                name: name.to_owned(),
                what,
            };
            self.diagnostics.report(problem, None);
        }
        found
    }
}

/// What the schema defines under a name; built-in and implicit types are not
/// defined.
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

/// Whether a definition has a member, a value or a branch of this name. Those
/// of a command or an event are the ones that are written in place.
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
