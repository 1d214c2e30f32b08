//! The outline of a module: what all modules together have to know of it.
//!
//! In: one module of the schema. Out: what its commands and events are called,
//! and when they are there. It costs little beside the module's plan, which
//! only who writes the module needs.

use proc_macro2::{Ident, TokenStream};

use super::Planner;
use crate::backend::rust::cfg::Presence;
use crate::backend::rust::name;
use crate::schema::{Entity, ModuleId, ObjectOrigin, TypeId, TypeKind};
use crate::source::Span;

/// What is in a module.
pub(crate) struct ModuleOutline {
    pub(crate) id: ModuleId,
    /// The schema file, as the schema names it.
    pub(crate) file: String,
    pub(crate) ident: Ident,
    /// The module as the root sees it.
    pub(crate) path: TokenStream,
    /// Whether another crate has its code: then it is named, not generated.
    pub(crate) external: bool,
    pub(crate) commands: Vec<CommandOutline>,
    pub(crate) events: Vec<EventOutline>,
}

/// A command.
pub(crate) struct CommandOutline {
    pub(crate) wire: String,
    pub(crate) cfg: Presence,
    /// The request's name, in module `commands`.
    pub(crate) request: Ident,
}

/// An event.
pub(crate) struct EventOutline {
    pub(crate) wire: String,
    pub(crate) span: Option<Span>,
    pub(crate) cfg: Presence,
    /// Its name, in module `events` and in the enum of all.
    pub(crate) ident: Ident,
}

impl Planner<'_, '_> {
    /// Outlines a module; `None`: there is nothing in it that is wanted.
    pub(super) fn outline(&self, id: ModuleId) -> Option<ModuleOutline> {
        let paths = &self.choices.paths;
        let mut outline = ModuleOutline {
            id,
            file: name::shown_file(&self.schema.module(id).name),
            ident: paths.ident(id)?.clone(),
            path: paths.root_path(id),
            external: paths.is_external(id),
            commands: Vec::new(),
            events: Vec::new(),
        };
        let mut has_types = false;
        for entity in self.wanted(id) {
            match entity {
                Entity::Type(ty) => has_types = has_types || self.is_generated(ty),
                Entity::Command(_) => outline.commands.extend(self.command_outline(entity)),
                Entity::Event(_) => outline.events.extend(self.event_outline(entity)),
            }
        }
        let is_empty = !has_types && outline.commands.is_empty() && outline.events.is_empty();
        (!is_empty).then_some(outline)
    }

    fn command_outline(&self, entity: Entity) -> Option<CommandOutline> {
        let common = self.schema.common(entity);
        Some(CommandOutline {
            wire: common.name.to_string(),
            cfg: self
                .conditions
                .presence(common.cond.as_ref())
                .unless_never()?,
            request: name::camel(&common.name),
        })
    }

    fn event_outline(&self, entity: Entity) -> Option<EventOutline> {
        let common = self.schema.common(entity);
        Some(EventOutline {
            wire: common.name.to_string(),
            span: common.span,
            cfg: self
                .conditions
                .presence(common.cond.as_ref())
                .unless_never()?,
            ident: name::camel(&common.name),
        })
    }

    /// Whether a type becomes one of Rust: built-in, array and implicit types
    /// do not, nor what the caller replaces or the configuration leaves out.
    pub(super) fn is_generated(&self, id: TypeId) -> bool {
        let ty = self.schema.ty(id);
        let is_named = match &ty.kind {
            TypeKind::Builtin(_) | TypeKind::Array(_) => false,
            TypeKind::Enum(_) => ty.common.name != "QType" || self.is_used(id),
            TypeKind::Object(object) => match object.origin {
                ObjectOrigin::Struct | ObjectOrigin::Union => true,
                ObjectOrigin::InlineBase | ObjectOrigin::InlineArguments | ObjectOrigin::Empty => {
                    false
                }
            },
            TypeKind::Alternate(_) => true,
        };
        is_named
            && !self.choices.replaced.contains(id)
            && !self.conditions.presence(ty.common.cond.as_ref()).is_never()
    }

    /// Whether any member or branch has this type.
    fn is_used(&self, id: TypeId) -> bool {
        self.schema.types().any(|(_, ty)| match &ty.kind {
            TypeKind::Object(object) => object.members.iter().any(|member| member.ty == id),
            TypeKind::Array(element) => *element == id,
            _ => false,
        })
    }
}
