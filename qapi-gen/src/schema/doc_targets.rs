//! The members and features that documentation must describe.
//!
//! In: a definition. Out: its members and features, in order. Whether a block
//! describes them is not known here.

use super::{Entity, Feature, ObjectOrigin, Schema, TypeId, TypeKind};
use crate::diag::DefinitionPart;
use crate::source::{Excerpt, Span};

/// Something that a documentation block must describe.
pub(super) enum DocTarget<'a> {
    /// A member, value, branch or argument.
    Member {
        name: &'a Excerpt,
        part: fn(String) -> DefinitionPart,
        span: Option<Span>,
    },
    /// A feature of the definition, or of a member or value.
    Feature(&'a Feature),
}

/// Replaces the contents of `targets` by what the documentation of a definition
/// must describe.
pub(super) fn doc_targets<'a>(
    schema: &'a Schema,
    entity: Entity,
    targets: &mut Vec<DocTarget<'a>>,
) {
    targets.clear();
    let features = &schema.common(entity).features;
    targets.extend(features.iter().map(DocTarget::Feature));
    let arg = match entity {
        Entity::Type(id) => {
            type_targets(schema, id, targets);
            return;
        }
        Entity::Command(id) => schema.command(id).arg,
        Entity::Event(id) => schema.event(id).arg,
    };
    if let Some(arg) = arg.filter(|&arg| is_implicit(schema, arg)) {
        type_targets(schema, arg, targets);
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

fn type_targets<'a>(schema: &'a Schema, id: TypeId, targets: &mut Vec<DocTarget<'a>>) {
    match &schema.ty(id).kind {
        TypeKind::Builtin(_) | TypeKind::Array(_) => {}
        TypeKind::Enum(kind) => {
            for value in &kind.values {
                targets.push(DocTarget::Member {
                    name: &value.name,
                    part: |name| DefinitionPart::Value(name, None),
                    span: value.span,
                });
                targets.extend(value.features.iter().map(DocTarget::Feature));
            }
        }
        TypeKind::Object(object) => {
            if let Some(base) = object.base.filter(|&base| is_implicit(schema, base)) {
                object_targets(schema, base, targets);
            }
            object_targets(schema, id, targets);
        }
        TypeKind::Alternate(alternate) => {
            targets.extend(alternate.branches.iter().map(|branch| DocTarget::Member {
                name: &branch.name,
                part: |name| DefinitionPart::Branch(name, None),
                span: branch.span,
            }));
        }
    }
}

fn object_targets<'a>(schema: &'a Schema, id: TypeId, targets: &mut Vec<DocTarget<'a>>) {
    for member in schema.own_members(id) {
        targets.push(DocTarget::Member {
            name: &member.name,
            // QEMU's message does not name the type that has the member.
            part: |name| DefinitionPart::Member(name, None),
            span: member.span,
        });
        targets.extend(member.features.iter().map(DocTarget::Feature));
    }
}
