//! Facts about types that depend on later types.
//!
//! In: a schema with all its types. Out: the same schema, complete.

use crate::cond::Cond;
use crate::schema::{ModuleId, Object, Schema, Type, TypeId, TypeKind};

/// Gives every array the module and the condition of its elements.
pub(super) fn arrays(schema: &mut Schema) {
    for index in 0..schema.types.len() {
        let Some(TypeKind::Array(element)) = schema.types.get(index).map(|ty| &ty.kind) else {
            continue;
        };
        let Some(element) = schema.types.get(element.0 as usize) else {
            continue;
        };
        let (module, cond): (ModuleId, Option<Cond>) =
            (element.common.module, element.common.cond.clone());
        if let Some(array) = schema.types.get_mut(index) {
            array.common.module = module;
            array.common.cond = cond;
        }
    }
}

/// Gives every union the type of its discriminator, if the base has such a
/// member.
pub(super) fn discriminators(schema: &mut Schema) {
    for index in 0..schema.types.len() {
        let id = TypeId::at(index);
        let tag = match schema.types.get(index).map(|ty| &ty.kind) {
            Some(TypeKind::Object(Object {
                branches: Some(branches),
                ..
            })) => &branches.tag,
            _ => continue,
        };
        let found = schema
            .lineage(id)
            .into_iter()
            .flat_map(|ancestor| schema.own_members(ancestor))
            .find(|member| member.name == *tag)
            .map(|member| member.ty);
        if let Some(Type {
            kind: TypeKind::Object(object),
            ..
        }) = schema.types.get_mut(index)
            && let Some(branches) = &mut object.branches
        {
            // The default is never used: the checks reject a union without a
            // discriminator.
            branches.tag_type = found.unwrap_or(TypeId::at(0));
        }
    }
}
