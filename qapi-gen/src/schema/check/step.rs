//! When QEMU's generator would look at something.
//!
//! In: where in the checks a problem was found. Out: ranks by which all
//! problems are sorted, so that the first is the one that QEMU reports. QEMU
//! checks one definition after the other and goes into the types that one
//! contains, before it is done with it; our passes look at all definitions
//! for one purpose.

use rustc_hash::FxHashMap as HashMap;

use super::super::{Entity, Schema};
use super::recursion::{self, Walk};
use crate::diag::{Diagnostics, Rank};

/// The features that types cannot have.
pub(crate) const SPECIAL_FEATURES: [&str; 2] = ["deprecated", "unstable"];

/// Where a struct's or union's base is looked at.
pub(crate) const BASE: (u32, u32) = (0, 1);

/// Where the arguments of a command, the data of an event are looked at.
pub(crate) const ARGUMENTS: (u32, u32) = (0, 1);

/// A step in checking a definition.
///
/// What QEMU does to a definition falls into segments: at the end of each it
/// goes into another type. Segment 0 of an object ends with its base, 1 with
/// its first branch, and so on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    entity: Entity,
    segment: u32,
    order: u32,
}

/// Segments are counted in this many bits of a rank, ids in the next 32.
const SEGMENT_BITS: u32 = 29;
/// The segment of the documentation, which comes after all others.
const DOCS: u32 = (1 << SEGMENT_BITS) - 1;

impl Step {
    /// A step of a definition: `order` sorts what is in the same segment.
    pub(crate) fn new(entity: Entity, segment: u32, order: u32) -> Self {
        Self {
            entity,
            segment: segment.min(DOCS - 1),
            order,
        }
    }

    /// The step in which a definition meets its documentation.
    pub(super) fn docs(entity: Entity) -> Self {
        Self {
            entity,
            segment: DOCS,
            order: 0,
        }
    }

    /// The rank until [`sort`] knows better.
    pub(crate) fn rank(self) -> Rank {
        let (kind, id) = match self.entity {
            Entity::Type(id) => (1, id.0),
            Entity::Command(id) => (2, id.0),
            Entity::Event(id) => (3, id.0),
        };
        let entity = (kind << 32) | u64::from(id);
        Rank(
            (entity << SEGMENT_BITS) | u64::from(self.segment),
            self.order,
        )
    }

    /// The rank of what comes after all definitions.
    pub(super) fn after_all(order: u32) -> Rank {
        Rank(u64::MAX - 1, order)
    }

    /// The rank of the very last check.
    pub(crate) fn last() -> Rank {
        Rank(u64::MAX, 0)
    }
}

/// Sorts what was found into QEMU's order.
pub(super) fn sort(schema: &Schema, diagnostics: &mut Diagnostics) {
    let mut times: HashMap<u64, u64> = diagnostics
        .iter()
        .map(|diagnostic| (diagnostic.rank.0, 0))
        .collect();
    let mut now = 0;
    let mut reached = |step: Step| {
        now += 1;
        if let Some(time) = times.get_mut(&step.rank().0) {
            *time = now;
        }
    };
    recursion::walk(schema, &mut |walk| match walk {
        Walk::Segment(entity, segment) => reached(Step::new(entity, segment, 0)),
        Walk::Documentation(entity) => reached(Step::docs(entity)),
        Walk::Recursion { .. } | Walk::Depth(_) => {}
    });
    diagnostics.sort_by_rank(|Rank(time, order)| match times.get(&time) {
        // What is no step has been given its rank for good.
        None | Some(0) => Rank(time, order),
        Some(&time) => Rank(time, order),
    });
}
