//! The layout of a statistics file: what its header and descriptors say.
//!
//! In: header and descriptor bytes that nobody has checked. Out: a [`Layout`]
//! that is within its limits, or the field that is wrong. It knows no fd.
//!
//! The format is `struct kvm_stats_header` and `struct kvm_stats_desc` of
//! Linux's include/uapi/linux/kvm.h, in the byte order of the machine.

use std::ops::Range;
use std::sync::Arc;

use qapi_stats::stats::{StatsSchemaValue, StatsType, StatsUnit};

use super::data_block::{DataBlock, UnalignedStat, WORD};
use super::error::{Block, Error, LayoutError};
use super::format::{
    DESCRIPTOR_SIZE, HEADER_SIZE, NAME_SIZE_MAX, NUM_DESC_MAX, VALUE_SIZE, VALUES_MAX, base_of,
    type_of, unit_of,
};
use crate::provider::StatsQuery;
use crate::sink::{Column, Columns, Row, StatsSink};

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
    pub const SIZE: usize = HEADER_SIZE;

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
    pub(super) unaligned: Box<[UnalignedStat]>,
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
        let (columns, unaligned) = columns(&stats, data_len);
        let layout = Self {
            data_offset: header.data_offset,
            data_len,
            skipped,
            stats: stats.into(),
            columns: Arc::new(columns),
            unaligned,
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

    /// Writes the values in `block`. The caller has begun the result.
    ///
    /// A statistic in booleans is a boolean: whether any bit of its (first)
    /// value is set. Any other with one value is a scalar, with several a
    /// list, with none an empty list. QEMU decides by the size alone too, so
    /// a histogram with one bucket is a scalar.
    ///
    /// # Errors
    ///
    /// [`Error::ShortRead`], before anything is written, if the block is
    /// shorter than this layout's [`data`](Self::data).
    pub fn write_values(
        &self,
        block: &mut DataBlock,
        sink: &mut dyn StatsSink,
    ) -> Result<(), Error> {
        self.row(block)?.write_each(sink);
        Ok(())
    }

    /// Returns whether `query` wants any of this layout's statistics.
    pub(super) fn has_any_of(&self, query: &StatsQuery<'_>) -> bool {
        let mut columns = self.columns().iter();
        columns.any(|column| query.wants_name(column.name()))
    }

    /// Returns the values in `block` as a row.
    ///
    /// # Errors
    ///
    /// As [`write_values`](Self::write_values).
    #[inline]
    pub(super) fn row<'b>(&'b self, block: &'b mut DataBlock) -> Result<Row<'b>, Error> {
        if !self.unaligned.is_empty() {
            block.realign(&self.unaligned);
        }
        let actual = block.len();
        let row = Row::new(self.columns(), block.row()).filter(|_| actual >= self.data_len());
        row.ok_or(Error::ShortRead {
            block: Block::Data,
            expected: self.data_len(),
            actual,
        })
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

/// Where a data block's values are among its words, and those that have to be
/// put there first.
pub(super) fn columns(stats: &[Stat], data_len: u32) -> (Columns, Box<[UnalignedStat]>) {
    let mut unaligned = Vec::new();
    let mut words = (data_len as usize).div_ceil(WORD);
    let mut column = |stat: &Stat| {
        let (offset, len) = (stat.offset as usize, usize::from(stat.len));
        let mut first = offset / WORD;
        if len > 0 && !offset.is_multiple_of(WORD) {
            let to = words;
            unaligned.push(UnalignedStat { offset, to, len });
            words += len;
            first = to;
        }
        let name = stat.schema.name.as_str();
        if stat.schema.unit == Some(StatsUnit::Boolean) && len > 0 {
            Column::flag(name, first)
        } else {
            Column::list(name, first..first + len)
        }
    };
    let columns: Vec<Column> = stats.iter().map(&mut column).collect();
    (Columns::new(columns), unaligned.into())
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
        let type_ = type_of(self.flags)?;
        let unit = unit_of(self.flags)?.unit.clone();
        let base = base_of(self.flags)?;
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
