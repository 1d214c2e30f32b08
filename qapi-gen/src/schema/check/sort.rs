//! Diagnostics sorted into QEMU's order.
//!
//! In: diagnostics with the points at which they were found. Out: the same
//! diagnostics in the order in which QEMU's generator reaches these points.

use rustc_hash::FxHashMap as HashMap;

use super::traversal::{Step, traverse};
use crate::diag::{Diagnostics, Rank};
use crate::schema::Schema;
use crate::schema::qemu_order::CheckPoint;

/// Sorts diagnostics by the time at which QEMU's generator reaches their check
/// points.
pub(super) fn sort(schema: &Schema, diagnostics: &mut Diagnostics) {
    let mut times: HashMap<u64, u64> = diagnostics
        .of_stage()
        .iter()
        .map(|diagnostic| (diagnostic.rank.0, 0))
        .collect();
    let mut now = 0;
    let mut reach = |point: CheckPoint| {
        now += 1;
        if let Some(time) = times.get_mut(&point.rank().0) {
            *time = now;
        }
    };
    traverse(schema, &mut |step| match step {
        Step::Segment(entity, segment) => reach(CheckPoint::new(entity, segment, 0)),
        Step::Documentation(entity) => reach(CheckPoint::documentation(entity)),
        Step::Recursion { .. } | Step::TooDeep(_) => {}
    });
    diagnostics.sort_by_rank(|Rank(point, order)| match times.get(&point) {
        // A rank after all definitions is already final: the traversal does not
        // reach it, so `times` has no entry for it.
        None | Some(0) => Rank(point, order),
        Some(&time) => Rank(time, order),
    });
}
