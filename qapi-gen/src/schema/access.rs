//! Lookups in a schema.
//!
//! In: ids and names. Out: the items that they identify, and facts that follow
//! directly. Nothing is added or checked. An id must be used only with the
//! schema that it comes from.

use super::{
    Branch, CONTAINMENT_DEPTH_MAX, Command, CommandId, Common, DocRef, Entity, Enum, Event,
    EventId, Feature, Member, Module, ModuleId, ObjectOrigin, Schema, Type, TypeId, TypeKind,
};
use crate::cond::Cond;

macro_rules! arena {
    ($(
        $(#[$all_doc:meta])* $all:ident,
        $(#[$one_doc:meta])* $one:ident, $one_mut:ident: $id:ident => $item:ident;
    )*) => {
        impl Schema {$(
            $(#[$all_doc])*
            pub fn $all(&self) -> impl ExactSizeIterator<Item = ($id, &$item)> + Clone {
                self.$all.iter().enumerate().map(|(index, item)| ($id::at(index), item))
            }

            $(#[$one_doc])*
            #[must_use]
            #[expect(clippy::indexing_slicing, reason = "an id is made together with its item")]
            pub fn $one(&self, id: $id) -> &$item {
                &self.$all[id.0 as usize]
            }

            #[expect(clippy::indexing_slicing, reason = "an id is made together with its item")]
            pub(super) fn $one_mut(&mut self, id: $id) -> &mut $item {
                &mut self.$all[id.0 as usize]
            }
        )*}

        $(impl $id {
            /// Returns the id of the item at an index of the arena.
            #[expect(clippy::cast_possible_truncation, reason = "all source text has fewer bytes")]
            pub(crate) fn at(index: usize) -> Self {
                Self(index as u32)
            }
        })*
    };
}

arena! {
    /// Iterates over the modules: the built-in one, then the files in inclusion
    /// order.
    modules,
    /// Returns a module.
    module, module_mut: ModuleId => Module;
    /// Iterates over the types in schema order, built-in and implicit types
    /// included.
    types,
    /// Returns a type.
    ty, ty_mut: TypeId => Type;
    /// Iterates over the commands in schema order.
    commands,
    /// Returns a command.
    command, command_mut: CommandId => Command;
    /// Iterates over the events in schema order.
    events,
    /// Returns an event.
    event, event_mut: EventId => Event;
}

impl Type {
    /// Returns whether the schema defines the type under its name, as it does not
    /// for built-in types, arrays and implicit types.
    pub(crate) fn is_written(&self) -> bool {
        let is_named = match &self.kind {
            TypeKind::Builtin(_) | TypeKind::Array(_) => false,
            TypeKind::Object(object) => {
                matches!(object.origin, ObjectOrigin::Struct | ObjectOrigin::Union)
            }
            TypeKind::Enum(_) | TypeKind::Alternate(_) => true,
        };
        is_named && self.common.span.is_some()
    }
}

impl Schema {
    /// Returns all definitions in schema order. An implicit type comes directly
    /// before the first definition that needs it.
    #[must_use]
    pub fn entities(&self) -> &[Entity] {
        &self.entities
    }

    /// Returns the type of a name, which may be a built-in or implicit type, or
    /// `None` if no type has the name.
    #[must_use]
    pub fn type_named(&self, name: &str) -> Option<TypeId> {
        match self.entity_named(name) {
            Some(Entity::Type(id)) => Some(id),
            _ => None,
        }
    }

    /// Returns the type of a name that every schema has: a built-in type, an
    /// array of one, or the empty object.
    #[expect(
        clippy::expect_used,
        reason = "a default would silently be another type"
    )]
    pub(crate) fn predefined(&self, name: &str) -> TypeId {
        self.type_named(name)
            .expect("every schema declares the predefined types")
    }

    /// Returns an object type and its bases, the root first. The list ends
    /// early where objects contain each other too deeply, which is an error
    /// that is reported elsewhere.
    pub(crate) fn lineage(&self, id: TypeId) -> Vec<TypeId> {
        let base = |id: &TypeId| match &self.ty(*id).kind {
            TypeKind::Object(object) => object.base,
            _ => None,
        };
        let mut lineage: Vec<TypeId> = std::iter::successors(Some(id), base)
            .take(CONTAINMENT_DEPTH_MAX + 2)
            .collect();
        lineage.reverse();
        lineage
    }

    /// Returns the members that an object type adds to its base. Types that
    /// are not objects have none.
    pub(crate) fn own_members(&self, id: TypeId) -> &[Member] {
        match &self.ty(id).kind {
            TypeKind::Object(object) => &object.members,
            _ => &[],
        }
    }

    /// Returns the definition of a name, or `None` if the name is unknown. Types,
    /// commands and events share one name space.
    #[must_use]
    pub fn entity_named(&self, name: &str) -> Option<Entity> {
        let index = *self.by_name.get(name)?;
        self.entities.get(index as usize).copied()
    }

    pub(super) fn common_mut(&mut self, entity: Entity) -> &mut Common {
        match entity {
            Entity::Type(id) => &mut self.ty_mut(id).common,
            Entity::Command(id) => &mut self.command_mut(id).common,
            Entity::Event(id) => &mut self.event_mut(id).common,
        }
    }

    /// Returns the properties of a definition that all kinds have.
    #[must_use]
    pub fn common(&self, entity: Entity) -> &Common {
        match entity {
            Entity::Type(id) => &self.ty(id).common,
            Entity::Command(id) => &self.command(id).common,
            Entity::Event(id) => &self.event(id).common,
        }
    }

    /// Returns all documentation blocks in the order in which they were read.
    #[must_use]
    pub fn docs(&self) -> &[DocRef] {
        &self.docs
    }

    /// Iterates over all conditions in the schema: those of definitions,
    /// members, values, branches and features.
    pub fn conditions(&self) -> impl Iterator<Item = &Cond> {
        let definitions = self.entities().iter().flat_map(|entity| {
            let common = self.common(*entity);
            common.cond.iter().chain(features(&common.features))
        });
        let parts = self.types().flat_map(|(_, ty)| match &ty.kind {
            TypeKind::Enum(Enum { values, .. }) => values
                .iter()
                .flat_map(|value| value.cond.iter().chain(features(&value.features)))
                .collect(),
            TypeKind::Object(object) => {
                let members = object
                    .members
                    .iter()
                    .flat_map(|member| member.cond.iter().chain(features(&member.features)));
                let branches = object.branches.iter().flat_map(|branches| &branches.list);
                members.chain(branches.filter_map(condition)).collect()
            }
            TypeKind::Alternate(alternate) => {
                alternate.branches.iter().filter_map(condition).collect()
            }
            TypeKind::Builtin(_) | TypeKind::Array(_) => Vec::new(),
        });
        definitions.chain(parts)
    }
}

/// Returns the condition of a branch.
fn condition(branch: &Branch) -> Option<&Cond> {
    branch.cond.as_ref()
}

/// Iterates over the conditions of features.
fn features(features: &[Feature]) -> impl Iterator<Item = &Cond> {
    features.iter().filter_map(|feature| feature.cond.as_ref())
}
