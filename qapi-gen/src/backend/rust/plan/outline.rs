//! Plans the parts of a module that the root must know.
//!
//! In: a module of the schema. Out: the names and conditions of its commands and
//! events. An outline costs little compared with the plan of the module, which
//! is made later.

use super::items::{EntityOutline, ModuleOutline};
use super::planner::Planner;
use crate::backend::rust::name;
use crate::schema::{Entity, ModuleId, ObjectOrigin, TypeId, TypeKind};

impl Planner<'_, '_> {
    /// Outlines a module. Returns `None` if nothing in it is selected.
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
                Entity::Command(_) => outline.commands.extend(self.entity_outline(entity)),
                Entity::Event(_) => outline.events.extend(self.entity_outline(entity)),
            }
        }
        let is_empty = !has_types && outline.commands.is_empty() && outline.events.is_empty();
        (!is_empty).then_some(outline)
    }

    fn entity_outline(&self, entity: Entity) -> Option<EntityOutline> {
        let common = self.schema.common(entity);
        Some(EntityOutline {
            wire: common.name.to_string(),
            span: common.span,
            cfg: self.presence(common.cond.as_ref())?,
            ident: name::camel(&common.name),
        })
    }

    /// Returns whether a Rust type is generated for a type. Built-in, array and
    /// implicit types have none, nor have types that the caller replaces or the
    /// configuration leaves out.
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

    /// Returns whether a member or a list has this type.
    fn is_used(&self, id: TypeId) -> bool {
        self.schema.types().any(|(_, ty)| match &ty.kind {
            TypeKind::Object(object) => object.members.iter().any(|member| member.ty == id),
            TypeKind::Array(element) => *element == id,
            _ => false,
        })
    }
}
