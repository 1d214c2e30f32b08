//! Types that contain themselves.
//!
//! In: a schema. Out: a report for each object that contains itself without an
//! array in between, and for each that contains others too deeply for the
//! stages after the checks.

use super::traversal::{Step, traverse};
use crate::diag::{Diagnostics, Problem};
use crate::schema::provenance::ResolvedSchema;
use crate::schema::qemu_order::CheckPoint;
use crate::schema::{CONTAINMENT_DEPTH_MAX, Entity};

/// Reports objects that contain themselves.
pub(super) fn check(schema: &ResolvedSchema, diagnostics: &mut Diagnostics) {
    traverse(schema, &mut |step| {
        let (object, point, problem): (_, _, fn(String) -> Problem) = match step {
            Step::Recursion {
                object,
                within,
                segment,
            } => (
                object,
                CheckPoint::new(Entity::Type(within), segment, u32::MAX),
                Problem::ContainsItself,
            ),
            Step::TooDeep(object) => (
                object,
                CheckPoint::new(Entity::Type(object), 0, u32::MAX),
                |name| Problem::ContainsTooDeeply {
                    name,
                    limit: CONTAINMENT_DEPTH_MAX,
                },
            ),
            Step::Segment(..) | Step::Documentation(_) => return,
        };
        let name = schema.ty(object).common.name.to_string();
        let site = schema.site(Entity::Type(object));
        diagnostics.report_ranked(problem(name), site, point.rank());
    });
}
