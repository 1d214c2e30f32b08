//! The layout of a statistics file, from its header and descriptors.
//!
//! In: unchecked bytes of a header and of descriptors. Out: a [`Layout`] whose
//! offsets lie within the limits, or the field that is wrong. A layout knows no
//! fd.
//!
//! The format is `struct kvm_stats_header` and `struct kvm_stats_desc` of
//! Linux's include/uapi/linux/kvm.h, in the byte order of the machine.

use std::ops::Range;

use crate::data_block::{DataBlock, UnalignedStat, WORD};
use crate::error::{Block, Error, LayoutError};
use crate::format::{
    Base, DESCRIPTOR_SIZE, HEADER_SIZE, Kind, NAME_SIZE_MAX, NUM_DESC_MAX, Unit, VALUE_SIZE,
    VALUES_MAX,
};

/// The header of a statistics file, whose sizes lie within their limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub(crate) flags: u32,
    pub(crate) name_size: u32,
    pub(crate) num_desc: u32,
    pub(crate) id_offset: u32,
    pub(crate) desc_offset: u32,
    pub(crate) data_offset: u32,
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
    pub(crate) fn stride(&self) -> usize {
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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    data_offset: u32,
    data_len: u32,
    skipped: usize,
    statistics: Box<[Statistic]>,
    /// The statistics whose values are not aligned to words.
    unaligned: Box<[UnalignedStat]>,
}

/// One statistic: its description, and the place of its values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistic {
    name: Box<str>,
    kind: Kind,
    unit: Unit,
    base: Base,
    exponent: i16,
    bucket_size: u32,
    /// The offset of the first value from the start of the data block, in bytes.
    offset: u32,
    /// The number of values.
    len: u16,
    /// The index of the first value among the words of a data block.
    first_word: usize,
}

impl Statistic {
    /// Returns the name. Bytes that are not UTF-8 have been replaced.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the unit: of the values, or of the bounds of a histogram's buckets.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Returns the base of the exponent.
    #[must_use]
    pub fn base(&self) -> Base {
        self.base
    }

    /// Returns the exponent: the unit is multiplied by `base ^ exponent`.
    #[must_use]
    pub fn exponent(&self) -> i16 {
        self.exponent
    }

    /// Returns the width of a linear histogram's buckets, or `None` for other kinds.
    #[must_use]
    pub fn bucket_size(&self) -> Option<u32> {
        (self.kind == Kind::LinearHistogram).then_some(self.bucket_size)
    }

    /// Returns the number of values.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "the kernel writes no statistic without values"
    )]
    pub fn len(&self) -> usize {
        usize::from(self.len)
    }

    /// Returns the place of the values among the [words](DataBlock::words) of a data
    /// block, those of a histogram with the lowest bucket first.
    #[must_use]
    pub fn words(&self) -> Range<usize> {
        self.first_word..self.first_word + self.len()
    }

    /// Returns the end of the values, in bytes from the start of the data block.
    /// Returns 0 for a statistic without values, whose offset means nothing.
    fn end(&self) -> u64 {
        if self.len == 0 {
            return 0;
        }
        u64::from(self.offset) + u64::from(self.len) * VALUE_SIZE
    }
}

impl Layout {
    /// Compiles the descriptors of the file with this `header`.
    ///
    /// `file_len` is the length of the file if it is known: an image has a length,
    /// a live fd has none.
    ///
    /// A statistic whose kind, unit or base is unknown to this crate is left out,
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
        let mut statistics = Vec::with_capacity(header.num_desc as usize);
        let mut data_len = 0;
        let mut values = 0;
        let mut skipped = 0;
        for (index, descriptor) in descriptors.enumerate() {
            let name = descriptor.name(index)?;
            let Some(statistic) = descriptor.lower(name) else {
                skipped += 1;
                continue;
            };
            values += u64::from(statistic.len);
            data_len = data_len.max(statistic.end());
            if data_len.max(values * VALUE_SIZE) > u64::from(VALUES_MAX) * VALUE_SIZE {
                return Err(LayoutError::DataTooLong {
                    index,
                    name: statistic.name.into(),
                });
            }
            statistics.push(statistic);
        }
        let data_len = u32::try_from(data_len).unwrap_or(u32::MAX);
        let unaligned = place(&mut statistics, data_len);
        let layout = Self {
            data_offset: header.data_offset,
            data_len,
            skipped,
            statistics: statistics.into(),
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
    pub(crate) fn data_len(&self) -> usize {
        self.data_len as usize
    }

    /// Returns the statistics in the order of their descriptors.
    #[must_use]
    pub fn statistics(&self) -> &[Statistic] {
        &self.statistics
    }

    /// Returns the statistic called `name`, or `None` if the object has none of that
    /// name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Statistic> {
        let mut statistics = self.statistics.iter();
        statistics.find(|statistic| statistic.name() == name)
    }

    /// Returns the number of statistics that were left out because their kind,
    /// unit or base is unknown to this crate.
    #[must_use]
    pub fn skipped(&self) -> usize {
        self.skipped
    }

    /// Copies the values that are not aligned to words of the block, after the block
    /// was filled. Afterwards [`Statistic::words`] is right for every statistic.
    ///
    /// # Errors
    ///
    /// Returns [`Error::ShortRead`] if the block is shorter than this layout's
    /// [`data`](Self::data).
    #[inline]
    pub(crate) fn align(&self, block: &mut DataBlock) -> Result<(), Error> {
        if !self.unaligned.is_empty() {
            block.realign(&self.unaligned);
        }
        if block.len() < self.data_len() {
            return Err(Error::ShortRead {
                block: Block::Data,
                expected: self.data_len(),
                actual: block.len(),
            });
        }
        Ok(())
    }
}

/// Sets the word of each statistic's first value, and returns the statistics whose
/// values must be copied to aligned words first.
fn place(statistics: &mut [Statistic], data_len: u32) -> Box<[UnalignedStat]> {
    let mut unaligned = Vec::new();
    let mut words = (data_len as usize).div_ceil(WORD);
    for statistic in statistics {
        let (offset, len) = (statistic.offset as usize, statistic.len());
        statistic.first_word = offset / WORD;
        if len > 0 && !offset.is_multiple_of(WORD) {
            unaligned.push(UnalignedStat {
                offset,
                to: words,
                len,
            });
            statistic.first_word = words;
            words += len;
        }
        if len == 0 {
            statistic.first_word = 0;
        }
    }
    unaligned.into()
}

/// Refuses a block that does not lie within a file of known length.
pub(crate) fn check_within(
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
pub(crate) fn raw_descriptors<'a>(
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
pub(crate) struct RawDescriptor<'a> {
    pub(crate) flags: u32,
    pub(crate) exponent: i16,
    pub(crate) size: u16,
    pub(crate) offset: u32,
    pub(crate) bucket_size: u32,
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
    pub(crate) fn name(&self, index: usize) -> Result<&'a [u8], LayoutError> {
        let end = self.name.iter().position(|&byte| byte == 0);
        end.and_then(|end| self.name.get(..end))
            .ok_or(LayoutError::NameUnterminated { index })
    }

    /// Returns the statistic, or `None` if kind, unit or base is unknown. Ignores
    /// flag bits from 12 on, which have no meaning yet.
    fn lower(&self, name: &[u8]) -> Option<Statistic> {
        Some(Statistic {
            name: String::from_utf8_lossy(name).into(),
            kind: Kind::from_flags(self.flags)?,
            unit: Unit::from_flags(self.flags)?,
            base: Base::from_flags(self.flags)?,
            exponent: self.exponent,
            bucket_size: self.bucket_size,
            offset: self.offset,
            len: self.size,
            first_word: 0,
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
