//! The layout of a statistics file, from its header and descriptors.
//!
//! In: unchecked bytes of a header and of descriptors. Out: a [`Layout`] whose
//! offsets lie within the limits, or the field that is wrong. A layout knows no
//! fd.
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

/// The header of a statistics file, whose sizes lie within their limits.
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
    /// The length of a header in bytes.
    pub const SIZE: usize = HEADER_SIZE;

    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    ///
    /// Returns [`LayoutError`] if the header is cut off or has sizes that no kernel
    /// writes.
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
        // A kernel writes no file without descriptors.
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

    /// Returns the place of the object's id in the file. An id is a name like
    /// `kvm-4711/vcpu-0`.
    #[must_use]
    pub fn id(&self) -> Range<u64> {
        span(self.id_offset, u64::from(self.name_size))
    }

    /// Returns the place of the descriptors in the file.
    #[must_use]
    pub fn descriptors(&self) -> Range<u64> {
        span(
            self.desc_offset,
            u64::from(self.num_desc) * self.stride() as u64,
        )
    }

    /// Returns the number of bytes from one descriptor to the next.
    pub(super) fn stride(&self) -> usize {
        DESCRIPTOR_SIZE + self.name_size as usize
    }
}

/// Returns the range of `len` bytes at `offset`. The end may lie beyond 4 GiB.
fn span(offset: u32, len: u64) -> Range<u64> {
    let start = u64::from(offset);
    start..start + len
}

/// The checked contents of a statistics file: the statistics, and where to read
/// their values.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    data_offset: u32,
    data_len: u32,
    skipped: usize,
    /// The statistics in reverse descriptor order, which is the order on the wire,
    /// because QEMU prepends to its lists.
    stats: Box<[Stat]>,
    /// The statistics as columns of a data block. Columns are prepared once for a
    /// layout, so that a row costs one call of the sink; the price is a second list
    /// of the statistics in each layout.
    columns: Arc<Columns>,
    /// The statistics whose values are not aligned to words.
    pub(super) unaligned: Box<[UnalignedStat]>,
}

/// One statistic: its schema entry, and the place of its values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stat {
    pub(super) schema: StatsSchemaValue,
    /// The offset of the first value from the start of the data block, in bytes.
    pub(super) offset: u32,
    /// The number of values.
    pub(super) len: u16,
}

impl Layout {
    /// Compiles the descriptors of the file with this `header`.
    ///
    /// `file_len` is the length of the file if it is known: an image has a length,
    /// a live fd has none.
    ///
    /// A statistic whose type, unit or base is unknown to this build is left out,
    /// wherever its values are said to be, because a newer kernel may have such.
    ///
    /// # Errors
    ///
    /// Returns [`LayoutError`] if descriptors are cut off, a name has no NUL, or
    /// the values lie outside the file or are too many.
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

    /// Returns the place of the values in the file. Values need not lie in
    /// descriptor order and may have gaps, so the range ends after the value with
    /// the highest offset.
    #[must_use]
    pub fn data(&self) -> Range<u64> {
        span(self.data_offset, u64::from(self.data_len))
    }

    /// Returns the length of the data block in bytes.
    pub(super) fn data_len(&self) -> usize {
        self.data_len as usize
    }

    /// Returns the schema entries of all statistics in the order in which values
    /// are written: the last descriptor first.
    pub fn schema(&self) -> impl ExactSizeIterator<Item = &StatsSchemaValue> {
        self.stats.iter().map(|stat| &stat.schema)
    }

    /// Returns the same statistics as columns of a data block.
    #[must_use]
    pub fn columns(&self) -> &Arc<Columns> {
        &self.columns
    }

    /// Returns the number of statistics that were left out because their type,
    /// unit or base is unknown to this build.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Writes the values in `block` to a sink whose result the caller has begun.
    ///
    /// A statistic whose unit is boolean is `true` if any bit of its first value is
    /// set. Any other statistic is a scalar if it has one value, and otherwise a
    /// list. Like QEMU, this looks at the number of values alone, so a histogram
    /// with one bucket is a scalar.
    ///
    /// # Errors
    ///
    /// Returns [`Error::ShortRead`], before anything is written, if the block is
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
    /// Fails as [`write_values`](Self::write_values) does.
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
    /// Returns the end of the values, in bytes from the start of the data block.
    /// Returns 0 for a statistic without values, whose offset means nothing.
    fn end(&self) -> u64 {
        if self.len == 0 {
            return 0;
        }
        u64::from(self.offset) + u64::from(self.len) * VALUE_SIZE
    }
}

/// Returns the columns of a data block, and the statistics whose values must be
/// copied to aligned words first.
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
        // The offset of an empty block means nothing.
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

/// Returns the descriptors in `bytes`, in their order in the file.
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

/// The fields of a descriptor.
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
    /// Reads a descriptor. Returns `None` if `bytes` is too short.
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

    /// Returns the name up to its NUL.
    pub(super) fn name(&self, index: usize) -> Result<&'a [u8], LayoutError> {
        let end = self.name.iter().position(|&byte| byte == 0);
        end.and_then(|end| self.name.get(..end))
            .ok_or(LayoutError::NameUnterminated { index })
    }

    /// Returns the schema entry, or `None` if type, unit or base is unknown. Ignores
    /// flag bits from 12 on, which have no meaning yet.
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

/// A reader of bytes, field by field.
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
