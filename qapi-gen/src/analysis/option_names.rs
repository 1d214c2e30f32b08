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
        self.known(name, Looked::Definition, definition(self.schema, name))
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
        self.known(name, Looked::Type, found)
    }

    /// Reports the name unless it is the name of an enumeration.
    pub(crate) fn enumeration(&mut self, name: &str) {
        let found = definition(self.schema, name);
        let found = found.filter(|entity| Looked::Enum.includes(self.schema, *entity));
        self.known(name, Looked::Enum, found);
    }

    /// Returns the command of a name.
    pub(crate) fn command(&mut self, name: &str) -> Option<CommandId> {
        let found = match definition(self.schema, name) {
            Some(Entity::Command(id)) => Some(id),
            _ => None,
        };
        self.known(name, Looked::Command, found)
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
                let found = self.known(name, Looked::FileOrDefinition, found);
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
            parts(self.schema, entity)
                .contains(&member)
                .then_some((entity, Some(member)))
        });
        self.known(name, Looked::DefinitionOrMember, found)
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

    /// Returns the name of the schema that was probably meant by an unknown name.
    fn similar(&mut self, name: &str, what: Looked) -> Option<String> {
        let schema = self.schema;
        if what == Looked::DefinitionOrMember
            && let Some((of, part)) = name.rsplit_once('.')
            && let Some(entity) = definition(schema, of)
        {
            let parts = parts(schema, entity).into_iter();
            let part = self.diagnostics.similar(part, parts)?;
            return Some(format!("{of}.{part}"));
        }
        let files = schema.modules().map(|(_, module)| module.name.as_str());
        let files = files.filter(|_| what == Looked::FileOrDefinition);
        let entities = schema.entities().iter();
        let names = entities.map(|entity| schema.common(*entity).name.as_str());
        let names = names.filter(|name| {
            definition(schema, name).is_some_and(|entity| what.includes(schema, entity))
        });
        self.diagnostics.similar(name, files.chain(names))
    }

    /// Reports the name unless something was found.
    fn known<T>(&mut self, name: &str, what: Looked, found: Option<T>) -> Option<T> {
        if found.is_none() {
            let problem = OptionProblem::OptionUnknown {
                option: self.option,
                name: name.to_owned(),
                what: what.noun(),
                similar: self.similar(name, what),
            };
            self.diagnostics.report(problem.into(), None);
        }
        found
    }
}

/// The kinds of things that an option can name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Looked {
    Definition,
    Type,
    Enum,
    Command,
    FileOrDefinition,
    DefinitionOrMember,
}

impl Looked {
    fn noun(self) -> &'static str {
        match self {
            Self::Definition => "definition",
            Self::Type => "type",
            Self::Enum => "enum",
            Self::Command => "command",
            Self::FileOrDefinition => "file or definition",
            Self::DefinitionOrMember => "definition or member",
        }
    }

    /// Returns whether a definition is of the kind.
    fn includes(self, schema: &CheckedSchema, entity: Entity) -> bool {
        match (self, entity) {
            (Self::Definition | Self::FileOrDefinition | Self::DefinitionOrMember, _) => true,
            (Self::Type, Entity::Type(_)) | (Self::Command, Entity::Command(_)) => true,
            (Self::Enum, Entity::Type(id)) => matches!(schema.ty(id).kind, TypeKind::Enum(_)),
            _ => false,
        }
    }
}

/// Returns the definition of a name, but not a built-in or implicit type.
fn definition(schema: &CheckedSchema, name: &str) -> Option<Entity> {
    schema.entity_named(name).filter(|entity| match entity {
        Entity::Type(id) => schema.ty(*id).is_written(),
        Entity::Command(_) | Entity::Event(_) => true,
    })
}

/// Returns the names of a definition's members, values and branches. The members of
/// a command or an event are its inline arguments or data.
fn parts(schema: &CheckedSchema, entity: Entity) -> Vec<&str> {
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
    let mut parts = Vec::new();
    while let Some(id) = next.take() {
        match &schema.ty(id).kind {
            TypeKind::Enum(enumeration) => {
                parts.extend(enumeration.values.iter().map(|value| value.name.as_str()));
            }
            TypeKind::Alternate(alternate) => {
                parts.extend(alternate.branches.iter().map(|branch| branch.name.as_str()));
            }
            TypeKind::Object(object) => {
                next = object.base;
                parts.extend(object.members.iter().map(|member| member.name.as_str()));
                let cases = object.branches.iter().flat_map(|b| schema.cases(b));
                parts.extend(cases.map(|case| case.name));
            }
            TypeKind::Builtin(_) | TypeKind::Array(_) => {}
        }
    }
    parts
}
