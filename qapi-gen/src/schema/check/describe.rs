//! What the passes want to know of a schema, and how messages name its parts.
//!
//! In: ids. Out: members, ancestors, places, names for people. It checks
//! nothing.

use std::borrow::Cow;

use super::super::{
    Entity, Feature, Member, ObjectOrigin, Schema, Type, TypeId, TypeKind, Written,
};
use super::recursion::DEPTH_MAX;
use crate::diag::{DefinitionKind, Role, Site, TypeName, Whose};
use crate::source::{Excerpt, Span};

/// The C identifier of a name, up to what C's keywords add: names that differ
/// only in this clash in QEMU's generated code.
pub(super) fn c_name(name: &str) -> Cow<'_, str> {
    if name
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        return name.into();
    }
    name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")
        .into()
}

/// Whether two names clash.
pub(super) fn is_same_c_name(a: &str, b: &str) -> bool {
    let same =
        |(a, b): (u8, u8)| a == b || !(a.is_ascii_alphanumeric() || b.is_ascii_alphanumeric());
    a.len() == b.len() && a.bytes().zip(b.bytes()).all(same)
}

/// A type, as messages name it.
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

/// A member, as messages name it.
pub(crate) fn member_role(origin: ObjectOrigin, name: String, whose: Option<Whose>) -> Role {
    match origin {
        ObjectOrigin::InlineArguments => Role::Parameter(name, whose),
        ObjectOrigin::InlineBase => Role::BaseMember(name, whose),
        ObjectOrigin::Struct | ObjectOrigin::Union | ObjectOrigin::Empty => {
            Role::Member(name, whose)
        }
    }
}

/// A member of an object, as messages about the definition that `site` is in
/// name it.
pub(super) fn member_of(
    schema: &Schema,
    object: TypeId,
    member: &Member,
    site: Option<&Site>,
) -> Role {
    let TypeKind::Object(kind) = &schema.ty(object).kind else {
        return Role::Member(member.name.to_string(), None);
    };
    // An implicit object is named for the definition that has it.
    let owner = match kind.origin {
        ObjectOrigin::InlineArguments | ObjectOrigin::InlineBase => {
            written(schema, object).map(|written| written.name.as_str())
        }
        _ => None,
    };
    let owner = owner.unwrap_or(&schema.ty(object).common.name);
    let here = site.and_then(|site| site.definition.as_ref());
    let whose = here
        .is_none_or(|(_, here)| **here != *owner)
        .then(|| Whose {
            kind: if kind.origin == ObjectOrigin::InlineArguments {
                "command"
            } else {
                "type"
            },
            name: owner.to_owned(),
        });
    member_role(kind.origin, member.name.to_string(), whose)
}

fn written(schema: &Schema, id: TypeId) -> Option<&Written> {
    let origin = (*schema.type_origins.get(id.0 as usize)?)?;
    schema.written.get(origin as usize)
}

/// The place of a definition; an implicit one is where it is first needed.
pub(super) fn site(schema: &Schema, entity: Entity) -> Option<Site> {
    let kind = match entity {
        Entity::Type(id) => {
            return written(schema, id).map(|written| written.site(&schema.shared_lines));
        }
        Entity::Command(_) => DefinitionKind::Command,
        Entity::Event(_) => DefinitionKind::Event,
    };
    let common = schema.common(entity);
    Some(schema.shared_lines.site(common.span?, kind, &common.name))
}

/// An object and what it is based on, the farthest base first. It stops where
/// objects contain each other too deeply, which is reported elsewhere.
pub(crate) fn lineage(schema: &Schema, id: TypeId) -> Vec<TypeId> {
    let base = |id: &TypeId| match &schema.ty(*id).kind {
        TypeKind::Object(object) => object.base.filter(|base| Some(*base) != schema.unresolved),
        _ => None,
    };
    let mut lineage: Vec<TypeId> = std::iter::successors(Some(id), base)
        .take(DEPTH_MAX + 2)
        .collect();
    lineage.reverse();
    lineage
}

/// The members that an object adds to its base.
pub(crate) fn members(schema: &Schema, id: TypeId) -> &[Member] {
    match &schema.ty(id).kind {
        TypeKind::Object(object) => &object.members,
        _ => &[],
    }
}

/// Something that a documentation block has to describe.
pub(crate) enum Part<'a> {
    /// A member, value, branch or argument.
    Member {
        name: &'a Excerpt,
        role: fn(String) -> Role,
        span: Option<Span>,
    },
    /// A feature of the definition, or of a member or value.
    Feature(&'a Feature),
}

/// What the documentation of a definition has to describe takes the place of
/// what is in `parts`.
pub(crate) fn parts<'a>(schema: &'a Schema, entity: Entity, parts: &mut Vec<Part<'a>>) {
    parts.clear();
    let features = &schema.common(entity).features;
    parts.extend(features.iter().map(Part::Feature));
    let arg = match entity {
        Entity::Type(id) => {
            type_parts(schema, id, parts);
            return;
        }
        Entity::Command(id) => schema.command(id).arg,
        Entity::Event(id) => schema.event(id).arg,
    };
    if let Some(arg) = arg.filter(|&arg| is_implicit(schema, arg)) {
        type_parts(schema, arg, parts);
    }
}

fn is_implicit(schema: &Schema, id: TypeId) -> bool {
    match &schema.ty(id).kind {
        TypeKind::Object(object) => {
            !matches!(object.origin, ObjectOrigin::Struct | ObjectOrigin::Union)
        }
        _ => false,
    }
}

fn type_parts<'a>(schema: &'a Schema, id: TypeId, parts: &mut Vec<Part<'a>>) {
    match &schema.ty(id).kind {
        TypeKind::Builtin(_) | TypeKind::Array(_) => {}
        TypeKind::Enum(kind) => {
            for value in &kind.values {
                parts.push(Part::Member {
                    name: &value.name,
                    role: |name| Role::Value(name, None),
                    span: value.span,
                });
                parts.extend(value.features.iter().map(Part::Feature));
            }
        }
        TypeKind::Object(object) => {
            if let Some(base) = object.base.filter(|&base| is_implicit(schema, base)) {
                object_parts(schema, base, parts);
            }
            object_parts(schema, id, parts);
        }
        TypeKind::Alternate(alternate) => {
            parts.extend(alternate.branches.iter().map(|branch| Part::Member {
                name: &branch.name,
                role: |name| Role::Branch(name, None),
                span: branch.span,
            }));
        }
    }
}

fn object_parts<'a>(schema: &'a Schema, id: TypeId, parts: &mut Vec<Part<'a>>) {
    for member in members(schema, id) {
        parts.push(Part::Member {
            name: &member.name,
            // QEMU speaks of the role alone here, whatever has the member.
            role: |name| Role::Member(name, None),
            span: member.span,
        });
        parts.extend(member.features.iter().map(Part::Feature));
    }
}
