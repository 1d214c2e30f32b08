//! Facts about types that depend on later types.
//!
//! In: a schema with all its types. Out: the same schema, complete.

use crate::schema::{Object, Schema, TypeId, TypeKind};

/// Gives every array the module and the condition of its elements.
pub(super) fn arrays(schema: &mut Schema) {
    for index in 0..schema.types.len() {
        let id = TypeId::at(index);
        if let TypeKind::Array(element) = schema.ty(id).kind {
            let element = &schema.ty(element).common;
            let (module, cond) = (element.module, element.cond.clone());
            let array = &mut schema.ty_mut(id).common;
            array.module = module;
            array.cond = cond;
        }
    }
}

/// Gives every union the type of its discriminator, if the base has such a
/// member.
pub(super) fn discriminators(schema: &mut Schema) {
    for index in 0..schema.types.len() {
        let id = TypeId::at(index);
        let TypeKind::Object(Object {
            branches: Some(branches),
            ..
        }) = &schema.ty(id).kind
        else {
            continue;
        };
        let tag = &branches.tag;
        let found = schema
            .lineage(id)
            .into_iter()
            .flat_map(|ancestor| schema.own_members(ancestor))
            .find(|member| member.name == *tag)
            .map(|member| member.ty);
        if let TypeKind::Object(object) = &mut schema.ty_mut(id).kind
            && let Some(branches) = &mut object.branches
        {
            // The default is never used: the checks reject a union without a
            // discriminator.
            branches.tag_type = found.unwrap_or(TypeId::at(0));
        }
    }
}
