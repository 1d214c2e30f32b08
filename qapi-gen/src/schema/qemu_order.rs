//! The order in which QEMU's generator checks a schema.
//!
//! In: where in a definition a problem was found. Out: a rank by which all
//! problems are sorted, so that the first is the one that QEMU reports. QEMU
//! checks one definition after the other, and first checks the types that a
//! definition contains; our passes check one rule for all definitions.

use super::Entity;
use crate::diag::Rank;

/// The segment and order in which the base of a struct or union is checked.
pub(super) const BASE: (u32, u32) = (0, 1);

/// The segment and order in which the arguments of a command or the data of an
/// event are checked.
pub(super) const ARGUMENTS: (u32, u32) = (0, 1);

/// A point in the check of a definition.
///
/// QEMU's check of a definition consists of segments: at the end of each, QEMU
/// checks another type that the definition contains. Segment 0 of an object
/// ends with its base, segment 1 with its first branch, and so on.
#[derive(Clone, Copy, Debug)]
pub(super) struct CheckPoint {
    entity: Entity,
    segment: u32,
    order: u32,
}

/// The number of bits of a rank that hold the segment. The id is in the next
/// 32 bits.
const SEGMENT_BITS: u32 = 29;
/// The segment of the documentation, which is checked last.
const DOCS: u32 = (1 << SEGMENT_BITS) - 1;

impl CheckPoint {
    /// Creates a point in the check of a definition; `order` sorts the points of
    /// one segment.
    pub(super) fn new(entity: Entity, segment: u32, order: u32) -> Self {
        Self {
            entity,
            segment: segment.min(DOCS - 1),
            order,
        }
    }

    /// Creates the point at which a definition is checked against its
    /// documentation.
    pub(super) fn documentation(entity: Entity) -> Self {
        Self {
            entity,
            segment: DOCS,
            order: 0,
        }
    }

    /// Returns the preliminary rank of the point, which `check/sort.rs` replaces
    /// by its time.
    pub(super) fn rank(self) -> Rank {
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

    /// Returns the rank of a check after all definitions.
    pub(super) fn after_all(order: u32) -> Rank {
        Rank(u64::MAX - 1, order)
    }

    /// Returns the rank of the very last check.
    pub(super) fn last() -> Rank {
        Rank(u64::MAX, 0)
    }
}
