//! The layout of a statistics file: what its header and descriptors say.
//!
//! In: header and descriptor bytes that nobody has checked. Out: a [`Layout`]
//! that is within its limits, or the field that is wrong. It knows no fd.
//!
//! The format is `struct kvm_stats_header` and `struct kvm_stats_desc` of
//! Linux's include/uapi/linux/kvm.h, in the byte order of the machine.

use std::ops::Range;
use std::sync::Arc;

use kvm_bindings::{
    KVM_STATS_BASE_MASK, KVM_STATS_BASE_POW2, KVM_STATS_BASE_POW10, KVM_STATS_TYPE_CUMULATIVE,
    KVM_STATS_TYPE_INSTANT, KVM_STATS_TYPE_LINEAR_HIST, KVM_STATS_TYPE_LOG_HIST,
    KVM_STATS_TYPE_MASK, KVM_STATS_TYPE_PEAK, KVM_STATS_UNIT_BOOLEAN, KVM_STATS_UNIT_BYTES,
    KVM_STATS_UNIT_CYCLES, KVM_STATS_UNIT_MASK, KVM_STATS_UNIT_NONE, KVM_STATS_UNIT_SECONDS,
};
use qapi_stats::stats::{StatsSchemaValue, StatsType, StatsUnit};

use super::error::{Block, LayoutError};
use super::values::{self, Displaced};
use crate::sink::Columns;

/// The most statistics that a file may describe. Linux 7.1 describes fewer
/// than a hundred per object on any architecture.
pub const NUM_DESC_MAX: u32 = 4096;

/// The longest name, its NUL included, in bytes. Linux says 48
/// (`KVM_STATS_NAME_SIZE`, include/linux/kvm_types.h). With [`NUM_DESC_MAX`]
/// this keeps the descriptors below 2.1 MiB.
pub const NAME_SIZE_MAX: u32 = 512;

/// The most values that one object may have, 2 MiB of them; a vCPU of Linux
/// 7.1 has some 140. This bounds their sum and the data block's length: the
/// sum, because descriptors may overlap, and 4096 of them could otherwise
/// turn one block of 512 KiB into a reply of a gigabyte; the length, because
/// a single descriptor far out could ask for a read of 4 GiB.
pub const VALUES_MAX: u32 = 1 << 18;

/// Bytes of one value.
pub(super) const VALUE_SIZE: u64 = 8;

/// Bytes of a descriptor before its name.
const DESCRIPTOR_SIZE: usize = 16;

/// The header of a statistics file, its sizes within their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub(super) flags: u32,
    pub(super) name_size: u32,
    pub(super) num_desc: u32,
    pub(super) id_offset: u32,
    pub(super) desc_offset: u32,
    pub(super) data_offset: u32,
}

impl Header {
    /// Bytes of a header.
    pub const SIZE: usize = 24;

    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    ///
    /// [`LayoutError`] if it is cut off or claims sizes that no kernel has.
    pub fn parse(bytes: &[u8]) -> Result<Self, LayoutError> {
        let truncated = LayoutError::HeaderTruncated {
            actual: bytes.len(),
        };
        let mut fields = Fields(bytes.get(..Self::SIZE).ok_or_else(|| truncated.clone())?);
        let mut next = || fields.u32().ok_or_else(|| truncated.clone());
        let header = Self {
            flags: next()?,
            name_size: next()?,
            num_desc: next()?,
            id_offset: next()?,
            desc_offset: next()?,
            data_offset: next()?,
        };
        // A file that describes nothing was not written by a kernel.
        if !(1..=NUM_DESC_MAX).contains(&header.num_desc) {
            return Err(LayoutError::NumDesc {
                value: header.num_desc,
            });
        }
        if !(1..=NAME_SIZE_MAX).contains(&header.name_size) {
            return Err(LayoutError::NameSize {
                value: header.name_size,
            });
        }
        Ok(header)
    }

    /// Where the object's id stands in the file, a name like `kvm-4711/vcpu-0`.
    #[must_use]
    pub fn id(&self) -> Range<u64> {
        span(self.id_offset, u64::from(self.name_size))
    }

    /// Where the descriptors stand in the file.
    #[must_use]
    pub fn descriptors(&self) -> Range<u64> {
        span(
            self.desc_offset,
            u64::from(self.num_desc) * self.stride() as u64,
        )
    }

    /// Bytes from one descriptor to the next.
    pub(super) fn stride(&self) -> usize {
        DESCRIPTOR_SIZE + self.name_size as usize
    }
}

/// `len` bytes at `offset`; an end beyond 4 GiB is an end, not an overflow.
fn span(offset: u32, len: u64) -> Range<u64> {
    let start = u64::from(offset);
    start..start + len
}

/// What a statistics file holds: checked, and ready to be read and described.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    data_offset: u32,
    data_len: u32,
    skipped: usize,
    /// In reverse descriptor order: QEMU prepends to its lists, so that is
    /// the order on the wire.
    stats: Box<[Stat]>,
    /// The same statistics, as columns of a data block.
    columns: Arc<Columns>,
    /// Those whose values do not stand at a word's start.
    pub(super) displaced: Box<[Displaced]>,
}

/// One statistic: what clients are told, and where its values are.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stat {
    pub(super) schema: StatsSchemaValue,
    /// In bytes, from the start of the data block.
    pub(super) offset: u32,
    /// In values.
    pub(super) len: u16,
}

impl Layout {
    /// Compiles the descriptors of the file with this `header`.
    ///
    /// `file_len` is the file's length where that is known (of an image, not
    /// of a live fd).
    ///
    /// A statistic whose type, unit or base this build does not know is left
    /// out, wherever it says its values are: a newer kernel is no error.
    ///
    /// # Errors
    ///
    /// [`LayoutError`] if descriptors are cut off, a name has no end, or the
    /// values lie outside the file or are too many.
    pub fn parse(
        header: &Header,
        descriptors: &[u8],
        file_len: Option<u64>,
    ) -> Result<Self, LayoutError> {
        check_within(Block::Descriptors, &header.descriptors(), file_len)?;
        let descriptors = raw_descriptors(header, descriptors)?;
        let mut stats = Vec::with_capacity(header.num_desc as usize);
        let mut data_len = 0;
        let mut values = 0;
        let mut skipped = 0;
        for (index, descriptor) in descriptors.enumerate() {
            let name = descriptor.name(index)?;
            let Some(stat) = descriptor.lower(name) else {
                skipped += 1;
                continue;
            };
            values += u64::from(stat.len);
            data_len = data_len.max(stat.end());
            if data_len.max(values * VALUE_SIZE) > u64::from(VALUES_MAX) * VALUE_SIZE {
                return Err(LayoutError::DataTooLong {
                    index,
                    name: stat.schema.name,
                });
            }
            stats.push(stat);
        }
        stats.reverse();
        let data_len = u32::try_from(data_len).unwrap_or(u32::MAX);
        let (columns, displaced) = values::columns(&stats, data_len);
        let layout = Self {
            data_offset: header.data_offset,
            data_len,
            skipped,
            stats: stats.into(),
            columns: Arc::new(columns),
            displaced,
        };
        check_within(Block::Data, &layout.data(), file_len)?;
        Ok(layout)
    }

    /// Where the values stand in the file. Values do not lie in descriptor
    /// order and there may be gaps, so this ends behind the value furthest
    /// out.
    #[must_use]
    pub fn data(&self) -> Range<u64> {
        span(self.data_offset, u64::from(self.data_len))
    }

    /// Bytes of the data block.
    pub(super) fn data_len(&self) -> usize {
        self.data_len as usize
    }

    /// The descriptions of all statistics, in the order in which they are
    /// written: the last descriptor first.
    pub fn schema(&self) -> impl ExactSizeIterator<Item = &StatsSchemaValue> {
        self.stats.iter().map(|stat| &stat.schema)
    }

    /// The same statistics as columns of a data block.
    #[must_use]
    pub fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    /// How many statistics were left out because this build does not know
    /// their type, unit or base.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }
}

impl Stat {
    /// Where its values end, in bytes from the start of the data block. One
    /// without values has an offset that means nothing.
    fn end(&self) -> u64 {
        if self.len == 0 {
            return 0;
        }
        u64::from(self.offset) + u64::from(self.len) * VALUE_SIZE
    }
}

/// Refuses a block that does not lie within a file of known length.
pub(super) fn check_within(
    block: Block,
    range: &Range<u64>,
    file_len: Option<u64>,
) -> Result<(), LayoutError> {
    match file_len {
        // A block without bytes lies wherever it likes.
        Some(file_len) if range.end > file_len && !range.is_empty() => {
            Err(LayoutError::OutsideFile {
                block,
                start: range.start,
                end: range.end,
                file_len,
            })
        }
        _ => Ok(()),
    }
}

/// The descriptors in `bytes`, as they stand there.
pub(super) fn raw_descriptors<'a>(
    header: &Header,
    bytes: &'a [u8],
) -> Result<impl Iterator<Item = RawDescriptor<'a>> + use<'a>, LayoutError> {
    let stride = header.stride();
    let expected = header.num_desc as usize * stride;
    let bytes = bytes
        .get(..expected)
        .ok_or(LayoutError::DescriptorsTruncated {
            expected,
            actual: bytes.len(),
        })?;
    Ok(bytes.chunks_exact(stride).filter_map(RawDescriptor::parse))
}

/// A descriptor as it stands in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct RawDescriptor<'a> {
    pub(super) flags: u32,
    pub(super) exponent: i16,
    pub(super) size: u16,
    pub(super) offset: u32,
    pub(super) bucket_size: u32,
    name: &'a [u8],
}

impl<'a> RawDescriptor<'a> {
    /// `None` if `bytes` are fewer than a descriptor.
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self {
            flags: fields.u32()?,
            exponent: i16::from_ne_bytes(fields.take()?),
            size: u16::from_ne_bytes(fields.take()?),
            offset: fields.u32()?,
            bucket_size: fields.u32()?,
            name: fields.0,
        })
    }

    /// The name, without what stands behind its NUL.
    pub(super) fn name(&self, index: usize) -> Result<&'a [u8], LayoutError> {
        let end = self.name.iter().position(|&byte| byte == 0);
        end.and_then(|end| self.name.get(..end))
            .ok_or(LayoutError::NameUnterminated { index })
    }

    /// `None` if type, unit or base are unknown. Flag bits from 12 on have no
    /// meaning yet and change nothing.
    fn lower(&self, name: &[u8]) -> Option<Stat> {
        let type_ = match self.flags & KVM_STATS_TYPE_MASK {
            KVM_STATS_TYPE_CUMULATIVE => StatsType::Cumulative,
            KVM_STATS_TYPE_INSTANT => StatsType::Instant,
            KVM_STATS_TYPE_PEAK => StatsType::Peak,
            KVM_STATS_TYPE_LINEAR_HIST => StatsType::LinearHistogram,
            KVM_STATS_TYPE_LOG_HIST => StatsType::Log2Histogram,
            _ => return None,
        };
        let unit = match self.flags & KVM_STATS_UNIT_MASK {
            KVM_STATS_UNIT_NONE => None,
            KVM_STATS_UNIT_BYTES => Some(StatsUnit::Bytes),
            KVM_STATS_UNIT_SECONDS => Some(StatsUnit::Seconds),
            KVM_STATS_UNIT_CYCLES => Some(StatsUnit::Cycles),
            KVM_STATS_UNIT_BOOLEAN => Some(StatsUnit::Boolean),
            _ => return None,
        };
        let base = match self.flags & KVM_STATS_BASE_MASK {
            KVM_STATS_BASE_POW10 => 10,
            KVM_STATS_BASE_POW2 => 2,
            _ => return None,
        };
        let linear = type_ == StatsType::LinearHistogram;
        let schema = StatsSchemaValue {
            name: String::from_utf8_lossy(name).into_owned(),
            type_,
            unit,
            base: (self.exponent != 0).then_some(base),
            exponent: self.exponent,
            bucket_size: linear.then_some(self.bucket_size),
        };
        Some(Stat {
            schema,
            offset: self.offset,
            len: self.size,
        })
    }
}

/// Bytes that are read field by field.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }
}
