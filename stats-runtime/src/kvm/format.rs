//! The facts of the kernel's statistics format: flags, sizes and limits.
//!
//! In: include/uapi/linux/kvm.h. Out: one table each for types, units and bases,
//! which every reader of the format looks up. This file reads no bytes.

use std::ops::RangeInclusive;

use kvm_bindings::{
    KVM_STATS_BASE_MASK, KVM_STATS_BASE_POW2, KVM_STATS_BASE_POW10, KVM_STATS_TYPE_CUMULATIVE,
    KVM_STATS_TYPE_INSTANT, KVM_STATS_TYPE_LINEAR_HIST, KVM_STATS_TYPE_LOG_HIST,
    KVM_STATS_TYPE_MASK, KVM_STATS_TYPE_PEAK, KVM_STATS_UNIT_BOOLEAN, KVM_STATS_UNIT_BYTES,
    KVM_STATS_UNIT_CYCLES, KVM_STATS_UNIT_MASK, KVM_STATS_UNIT_NONE, KVM_STATS_UNIT_SECONDS,
};
use qapi_stats::stats::{StatsType, StatsUnit};

/// The most statistics that a file may describe. Linux 7.1 describes fewer
/// than a hundred per object on any architecture.
pub const NUM_DESC_MAX: u32 = 4096;

/// The longest name, its NUL included, in bytes. Linux says 48
/// (`KVM_STATS_NAME_SIZE`, include/linux/kvm_types.h). With [`NUM_DESC_MAX`]
/// this keeps the descriptors below 2.1 MiB.
pub const NAME_SIZE_MAX: u32 = 512;

/// The most values that one object may have: 2 MiB of them. A vCPU of Linux
/// 7.1 has some 140.
///
/// The limit bounds the sum of all values, because descriptors may overlap, and
/// 4096 of them could otherwise turn one block of 512 KiB into a reply of a
/// gigabyte. The limit bounds the length of the data block too, because a single
/// descriptor far out could otherwise ask for a read of 4 GiB.
pub const VALUES_MAX: u32 = 1 << 18;

/// Bytes of a header.
pub(super) const HEADER_SIZE: usize = 24;

/// Bytes of one value.
pub(super) const VALUE_SIZE: u64 = 8;

/// Bytes of a descriptor before its name.
pub(super) const DESCRIPTOR_SIZE: usize = 16;

/// The types of statistics, by the flag of a descriptor.
pub(super) const TYPES: &[(u32, StatsType)] = &[
    (KVM_STATS_TYPE_CUMULATIVE, StatsType::Cumulative),
    (KVM_STATS_TYPE_INSTANT, StatsType::Instant),
    (KVM_STATS_TYPE_PEAK, StatsType::Peak),
    (KVM_STATS_TYPE_LINEAR_HIST, StatsType::LinearHistogram),
    (KVM_STATS_TYPE_LOG_HIST, StatsType::Log2Histogram),
];

/// A unit of statistics.
#[derive(Debug)]
pub(super) struct Unit {
    /// The flag of a descriptor.
    pub(super) flag: u32,
    /// The unit that clients see, or `None` for plain numbers.
    pub(super) unit: Option<StatsUnit>,
    /// The exponents that the kernel's own test allows with the unit.
    pub(super) exponents: RangeInclusive<i16>,
}

/// The units of statistics.
pub(super) const UNITS: &[Unit] = &[
    Unit {
        flag: KVM_STATS_UNIT_NONE,
        unit: None,
        exponents: 0..=i16::MAX,
    },
    Unit {
        flag: KVM_STATS_UNIT_BYTES,
        unit: Some(StatsUnit::Bytes),
        exponents: 0..=i16::MAX,
    },
    Unit {
        flag: KVM_STATS_UNIT_SECONDS,
        unit: Some(StatsUnit::Seconds),
        exponents: i16::MIN..=0,
    },
    Unit {
        flag: KVM_STATS_UNIT_CYCLES,
        unit: Some(StatsUnit::Cycles),
        exponents: 0..=i16::MAX,
    },
    Unit {
        flag: KVM_STATS_UNIT_BOOLEAN,
        unit: Some(StatsUnit::Boolean),
        exponents: 0..=0,
    },
];

/// The bases of exponents, by the flag of a descriptor.
pub(super) const BASES: &[(u32, i8)] = &[(KVM_STATS_BASE_POW10, 10), (KVM_STATS_BASE_POW2, 2)];

/// Returns the type in a descriptor's `flags`, or `None` if this build does not
/// know the type.
pub(super) fn type_of(flags: u32) -> Option<StatsType> {
    let (_, type_) = TYPES
        .iter()
        .find(|(flag, _)| *flag == flags & KVM_STATS_TYPE_MASK)?;
    Some(type_.clone())
}

/// Returns the unit in a descriptor's `flags`, or `None` if this build does not
/// know the unit.
pub(super) fn unit_of(flags: u32) -> Option<&'static Unit> {
    UNITS
        .iter()
        .find(|unit| unit.flag == flags & KVM_STATS_UNIT_MASK)
}

/// Returns the base in a descriptor's `flags`, or `None` if this build does not
/// know the base.
pub(super) fn base_of(flags: u32) -> Option<i8> {
    let (_, base) = BASES
        .iter()
        .find(|(flag, _)| *flag == flags & KVM_STATS_BASE_MASK)?;
    Some(*base)
}
