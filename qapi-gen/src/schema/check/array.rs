//! Arrays: their elements are no arrays.
//!
//! In: a schema. Out: reports. An array type can be named like any other, so
//! the way of writing does not rule this out.

use super::super::{Entity, Schema, TypeKind};
use super::describe;
use super::step::Step;
use crate::diag::{Diagnostics, Problem};

/// Checks every array.
pub(super) fn check(schema: &Schema, diagnostics: &mut Diagnostics) {
    for (id, ty) in schema.types() {
        let TypeKind::Array(element) = ty.kind else {
            continue;
        };
        if matches!(schema.ty(element).kind, TypeKind::Array(_)) {
            let entity = Entity::Type(id);
            let problem = Problem::ArrayOfArrays {
                element: describe::type_name(schema, element),
            };
            let step = Step::new(entity, 0, 0);
            diagnostics.report_ranked(problem, describe::site(schema, entity), step.rank());
        }
    }
}
