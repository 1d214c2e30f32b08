//! The facts of the kernel's statistics format: flags, sizes and limits.
//!
//! In: include/uapi/linux/kvm.h. Out: an enumeration each of kinds, units and
//! bases, with one table of their flags. This file reads no bytes.

use std::ops::RangeInclusive;

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
pub(crate) const HEADER_SIZE: usize = 24;

/// Bytes of one value.
pub(crate) const VALUE_SIZE: u64 = 8;

/// Bytes of a descriptor before its name.
pub(crate) const DESCRIPTOR_SIZE: usize = 16;

/// The bits of a descriptor's flags that have the kind, the unit and the base.
const KIND_MASK: u32 = 0xf;
const UNIT_MASK: u32 = 0xf0;
const BASE_MASK: u32 = 0xf00;

/// The kind of a statistic (`KVM_STATS_TYPE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A count that only grows, unless somebody resets it.
    Cumulative,
    /// A value that goes up and down.
    Instant,
    /// The highest value so far.
    Peak,
    /// A histogram whose buckets all have the same width.
    LinearHistogram,
    /// A histogram whose buckets double in width.
    Log2Histogram,
}

/// The unit of a statistic's values, or of the bounds of a histogram's buckets
/// (`KVM_STATS_UNIT_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unit {
    /// Plain numbers.
    None,
    /// Bytes.
    Bytes,
    /// Seconds.
    Seconds,
    /// Cycles of the processor's clock.
    Cycles,
    /// 0 or another number, for false and true.
    Boolean,
}

/// The base to which a statistic's exponent belongs (`KVM_STATS_BASE_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Base {
    /// 10.
    Pow10,
    /// 2.
    Pow2,
}

impl Kind {
    /// All kinds, in the order of their flags, which count from 0.
    pub const ALL: &[Self] = &[
        Self::Cumulative,
        Self::Instant,
        Self::Peak,
        Self::LinearHistogram,
        Self::Log2Histogram,
    ];

    /// Returns the kind in a descriptor's flags, or `None` if this crate does not
    /// know it.
    #[must_use]
    pub fn from_flags(flags: u32) -> Option<Self> {
        Self::ALL.get((flags & KIND_MASK) as usize).copied()
    }

    /// Returns the bits that encode this kind in a descriptor's flags.
    #[must_use]
    pub const fn flag(self) -> u32 {
        self as u32
    }
}

impl Unit {
    /// All units, in the order of their flags, which count from 0.
    pub const ALL: &[Self] = &[
        Self::None,
        Self::Bytes,
        Self::Seconds,
        Self::Cycles,
        Self::Boolean,
    ];

    /// Returns the unit in a descriptor's flags, or `None` if this crate does not
    /// know it.
    #[must_use]
    pub fn from_flags(flags: u32) -> Option<Self> {
        let index = (flags & UNIT_MASK) >> UNIT_MASK.trailing_zeros();
        Self::ALL.get(index as usize).copied()
    }

    /// Returns the bits that encode this unit in a descriptor's flags.
    #[must_use]
    pub const fn flag(self) -> u32 {
        (self as u32) << UNIT_MASK.trailing_zeros()
    }

    /// Returns the exponents that the kernel's own test allows with the unit.
    pub(crate) fn exponents(self) -> RangeInclusive<i16> {
        match self {
            Self::None | Self::Bytes | Self::Cycles => 0..=i16::MAX,
            Self::Seconds => i16::MIN..=0,
            Self::Boolean => 0..=0,
        }
    }
}

impl Base {
    /// All bases, in the order of their flags, which count from 0.
    pub const ALL: &[Self] = &[Self::Pow10, Self::Pow2];

    /// Returns the base in a descriptor's flags, or `None` if this crate does not
    /// know it.
    #[must_use]
    pub fn from_flags(flags: u32) -> Option<Self> {
        let index = (flags & BASE_MASK) >> BASE_MASK.trailing_zeros();
        Self::ALL.get(index as usize).copied()
    }

    /// Returns the bits that encode this base in a descriptor's flags.
    #[must_use]
    pub const fn flag(self) -> u32 {
        (self as u32) << BASE_MASK.trailing_zeros()
    }

    /// Returns the base as a number.
    #[must_use]
    pub const fn number(self) -> i8 {
        match self {
            Self::Pow10 => 10,
            Self::Pow2 => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The numbers are those of include/uapi/linux/kvm.h.
    #[test]
    fn flags_are_the_kernels() {
        assert_eq!(Kind::Log2Histogram.flag(), 4);
        assert_eq!(Unit::Boolean.flag(), 0x40);
        assert_eq!(Base::Pow2.flag(), 0x100);
        for kind in Kind::ALL {
            assert_eq!(Kind::from_flags(kind.flag() | 0xff0), Some(*kind));
        }
        for unit in Unit::ALL {
            assert_eq!(Unit::from_flags(unit.flag() | 0xf0f), Some(*unit));
        }
        for base in Base::ALL {
            assert_eq!(Base::from_flags(base.flag() | 0xff), Some(*base));
        }
        assert_eq!(Kind::from_flags(5), None);
        assert_eq!(Unit::from_flags(0x50), None);
        assert_eq!(Base::from_flags(0x200), None);
    }
}
