//! The origin of a schema's parts, for messages about them.
//!
//! In: definitions as they are written. Out: the sites of messages. [`Schema`]
//! says what a schema *is*; nothing of this file outlives the checks.

use std::ops::Deref;

use super::{Entity, Schema, TypeId};
use crate::diag::{DefinitionKind, QemuAttribution, Site};
use crate::source::{Excerpt, Span};

/// A schema whose names are resolved, but whose rules are not yet known to
/// hold.
#[derive(Debug)]
pub(crate) struct ResolvedSchema {
    pub(crate) schema: Schema,
    pub(crate) provenance: Provenance,
}

impl Deref for ResolvedSchema {
    type Target = Schema;

    fn deref(&self) -> &Schema {
        &self.schema
    }
}

impl ResolvedSchema {
    /// Returns the site of a definition. An implicit type's site is that of the
    /// first definition that needs the type.
    pub(crate) fn site(&self, entity: Entity) -> Option<Site> {
        let attribution = &self.provenance.attribution;
        let kind = match entity {
            Entity::Type(id) => {
                let header = self.provenance.header_of(id)?;
                return Some(header.site(attribution));
            }
            Entity::Command(_) => DefinitionKind::Command,
            Entity::Event(_) => DefinitionKind::Event,
        };
        let common = self.common(entity);
        Some(attribution.site(common.span?, kind, &common.name))
    }

    /// Returns whether a type is the substitute for unknown names, which have
    /// already been reported.
    pub(crate) fn is_unresolved(&self, id: TypeId) -> bool {
        self.provenance.unresolved == Some(id)
    }
}

/// The facts about a schema's text that messages and checks need.
#[derive(Debug, Default)]
pub(crate) struct Provenance {
    /// The headers of all definitions, in schema order.
    pub(crate) headers: Vec<DefinitionHeader>,
    /// The definition that messages name, for each that shares its line.
    pub(crate) attribution: QemuAttribution,
    /// For each type the index in `headers` of the definition that it belongs
    /// to, or `None` for a built-in type.
    pub(crate) type_origins: Vec<Option<u32>>,
    /// The substitute for all unknown type names, or `None` if all names are
    /// known. Unknown names are errors, so a `CheckedSchema` does not contain
    /// this type.
    pub(crate) unresolved: Option<TypeId>,
}

impl Provenance {
    /// Returns the header of the definition that a type belongs to, or `None`
    /// for a built-in type.
    pub(crate) fn header_of(&self, id: TypeId) -> Option<&DefinitionHeader> {
        let origin = (*self.type_origins.get(id.0 as usize)?)?;
        self.headers.get(origin as usize)
    }
}

/// The kind, name and place of a definition.
#[derive(Clone, Debug)]
pub(crate) struct DefinitionHeader {
    pub(crate) kind: DefinitionKind,
    pub(crate) name: Excerpt,
    pub(crate) span: Span,
}

impl DefinitionHeader {
    /// Returns the site of a message about the definition.
    pub(crate) fn site(&self, attribution: &QemuAttribution) -> Site {
        attribution.site(self.span, self.kind, &self.name)
    }
}
