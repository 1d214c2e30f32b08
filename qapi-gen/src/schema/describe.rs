//! Parts of a schema, as messages name them.
//!
//! In: ids. Out: names for people. Nothing is checked here.

use super::provenance::ResolvedSchema;
use super::{Member, ObjectOrigin, Schema, Type, TypeId, TypeKind};
use crate::diag::{DefinitionKind, DefinitionPart, Owner, Site, TypeName};

/// Returns a type, as messages name it.
pub(super) fn type_name(schema: &Schema, id: TypeId) -> TypeName {
    let Type { common, kind } = schema.ty(id);
    let name = common.name.to_string();
    match kind {
        TypeKind::Builtin(_) => TypeName::Builtin(name),
        TypeKind::Array(element) => TypeName::Array(schema.ty(*element).common.name.to_string()),
        TypeKind::Enum(_) => TypeName::Defined(DefinitionKind::Enum, name),
        TypeKind::Alternate(_) => TypeName::Defined(DefinitionKind::Alternate, name),
        TypeKind::Object(object) if object.branches.is_some() => {
            TypeName::Defined(DefinitionKind::Union, name)
        }
        TypeKind::Object(_) => TypeName::Defined(DefinitionKind::Struct, name),
    }
}

/// Returns a member, as messages name it.
pub(super) fn member_part(
    origin: ObjectOrigin,
    name: String,
    owner_if_other: Option<Owner>,
) -> DefinitionPart {
    match origin {
        ObjectOrigin::InlineArguments => DefinitionPart::Parameter(name, owner_if_other),
        ObjectOrigin::InlineBase => DefinitionPart::BaseMember(name, owner_if_other),
        ObjectOrigin::Struct | ObjectOrigin::Union | ObjectOrigin::Empty => {
            DefinitionPart::Member(name, owner_if_other)
        }
    }
}

/// Returns a member of an object, as messages name it that are about the
/// definition of `site`.
pub(super) fn member_part_of(
    schema: &ResolvedSchema,
    object: TypeId,
    member: &Member,
    site: Option<&Site>,
) -> DefinitionPart {
    let TypeKind::Object(kind) = &schema.ty(object).kind else {
        return DefinitionPart::Member(member.name.to_string(), None);
    };
    // Messages name the definition that contains an implicit object, not the
    // object.
    let owner = match kind.origin {
        ObjectOrigin::InlineArguments | ObjectOrigin::InlineBase => {
            let header = schema.provenance.header_of(object);
            header.map(|header| header.name.as_str())
        }
        _ => None,
    };
    let owner = owner.unwrap_or(&schema.ty(object).common.name);
    let here = site.and_then(|site| site.definition.as_ref());
    let owner_if_other = here
        .is_none_or(|(_, here)| **here != *owner)
        .then(|| Owner {
            kind: if kind.origin == ObjectOrigin::InlineArguments {
                "command"
            } else {
                "type"
            },
            name: owner.to_owned(),
        });
    member_part(kind.origin, member.name.to_string(), owner_if_other)
}
