//! The rules that need the whole schema.
//!
//! In: a resolved schema. Out: a [`CheckedSchema`], or diagnostics in the order
//! in which QEMU's generator would find the problems. Each file contains one
//! rule or one group of rules; none changes the schema.

use std::ops::Deref;

use super::describe;
use super::provenance::ResolvedSchema;
use super::qemu_order::CheckPoint;
use super::{Entity, Schema, TypeKind};
use crate::diag::{Diagnostics, Problem};

mod alternate;
mod c_name;
mod command;
mod documentation;
mod feature_names;
mod member_names;
mod recursion;
mod sort;
mod traversal;
mod union;

/// A schema that obeys all rules. Only such a schema can be passed to a back
/// end.
#[derive(Clone, Debug)]
pub struct CheckedSchema(Schema);

impl Deref for CheckedSchema {
    type Target = Schema;

    fn deref(&self) -> &Schema {
        &self.0
    }
}

/// The checks.
const PASSES: [fn(&ResolvedSchema, &mut Diagnostics); 9] = [
    recursion::check,
    feature_names::check,
    array_elements,
    member_names::check,
    union::check,
    alternate::check,
    command::check_commands,
    command::check_events,
    documentation::check,
];

/// Checks a schema. `diagnostics` contains what was found when it was built.
pub(crate) fn check(
    resolved: ResolvedSchema,
    diagnostics: &mut Diagnostics,
) -> Option<CheckedSchema> {
    for pass in PASSES {
        pass(&resolved, diagnostics);
    }
    if !diagnostics.of_stage().is_empty() {
        sort::sort(&resolved, diagnostics);
    }
    (!diagnostics.has_errors()).then_some(CheckedSchema(resolved.schema))
}

/// Checks that no array has elements that are arrays. The parser rejects `[[`,
/// but a definition can also use an array by its implicit name.
fn array_elements(schema: &ResolvedSchema, diagnostics: &mut Diagnostics) {
    for (id, ty) in schema.types() {
        let TypeKind::Array(element) = ty.kind else {
            continue;
        };
        if matches!(schema.ty(element).kind, TypeKind::Array(_)) {
            let entity = Entity::Type(id);
            let problem = Problem::ArrayOfArrays {
                element: describe::type_name(schema, element),
            };
            let point = CheckPoint::new(entity, 0, 0);
            diagnostics.report_ranked(problem, schema.site(entity), point.rank());
        }
    }
}
