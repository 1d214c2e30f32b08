//! What can be said of a type only once all are made.
//!
//! In: a schema with all its types. Out: the same, complete.

use super::super::check::describe;
use super::super::{Cond, ModuleId, Object, Schema, Type, TypeId, TypeKind};

/// Arrays belong to the module of their elements, and exist when these do.
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

/// Gives every union the type of its discriminator, where there is one.
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
        let found = describe::lineage(schema, id)
            .into_iter()
            .flat_map(|ancestor| describe::members(schema, ancestor))
            .find(|member| member.name == *tag)
            .map(|member| member.ty);
        if let Some(Type {
            kind: TypeKind::Object(object),
            ..
        }) = schema.types.get_mut(index)
            && let Some(branches) = &mut object.branches
        {
            // Without a discriminator the schema does not pass the checks.
            branches.tag_type = found.unwrap_or(TypeId::at(0));
        }
    }
}
