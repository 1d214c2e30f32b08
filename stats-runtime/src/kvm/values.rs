//! Values: a layout and a data block become calls on a sink.
//!
//! In: a [`Layout`] and the bytes of one object's data block. Out: its
//! statistics, in the layout's order. It knows neither fds nor limits: the
//! layout has checked those.

use qapi_stats::stats::StatsUnit;

use super::error::{Block, Error};
use super::layout::{Layout, Stat};
use crate::provider::{StatsQuery, StatsSink};
use crate::sink::{Column, Columns, Row};

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// What the first word's address is a multiple of, in bytes.
const ALIGNMENT: usize = 64;

/// The data block of one object, kept as words so that a histogram is a part
/// of it and nothing is copied. It can be filled again and again; it grows to
/// the longest block it has held.
#[derive(Clone, Debug, Default)]
pub struct DataBlock {
    /// The last one may be filled in part. Behind them stand values that were
    /// put together.
    words: Vec<u64>,
    /// The first of them that is used.
    begin: usize,
    /// In bytes.
    len: usize,
}

impl DataBlock {
    /// An empty block.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Fills the block with `bytes`.
    pub fn copy_from(&mut self, bytes: &[u8]) {
        for (word, bytes) in self
            .words_for(bytes.len())
            .iter_mut()
            .zip(bytes.chunks(WORD))
        {
            *word = word_of(bytes.iter().copied());
        }
        self.set_len(bytes.len());
    }

    /// Words for `len` bytes, to be filled from the outside; what they hold
    /// is of no value. Until [`set_len`](Self::set_len) the block is empty.
    #[inline]
    pub(super) fn words_for(&mut self, len: usize) -> &mut [u64] {
        self.len = 0;
        self.grow(len.div_ceil(WORD));
        let begin = self.begin;
        let words = self.words.get_mut(begin..).unwrap_or_default();
        words.get_mut(..len.div_ceil(WORD)).unwrap_or_default()
    }

    /// Says how many bytes the words have been filled with.
    #[inline]
    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len.min(self.row().len() * WORD);
    }

    /// Makes room for `count` words. What they hold moves if the room does.
    #[inline]
    fn grow(&mut self, count: usize) {
        if self.row().len() < count {
            let before = self.begin..self.words.len();
            self.words.resize(count + ALIGNMENT / WORD, 0);
            // The kernel copies faster to where a cache line begins.
            let begin = self.words.as_ptr().align_offset(ALIGNMENT);
            self.begin = begin.min(ALIGNMENT / WORD);
            self.words.copy_within(before, self.begin);
        }
    }

    /// The words, and what was put together behind them.
    #[inline]
    fn row(&self) -> &[u64] {
        self.words.get(self.begin..).unwrap_or_default()
    }

    /// Puts the values together that do not stand at a word's start.
    #[cold]
    fn place(&mut self, displaced: &[Displaced]) {
        for Displaced { offset, to, len } in displaced {
            self.grow(to + len);
            let words = self.words.get_mut(self.begin..).unwrap_or_default();
            for index in 0..*len {
                let at = offset / WORD + index;
                let pieces = words.get(at..at + 2).unwrap_or_default();
                let bytes = pieces.iter().flat_map(|word| word.to_ne_bytes());
                let word = word_of(bytes.skip(offset % WORD));
                if let Some(place) = words.get_mut(to + index) {
                    *place = word;
                }
            }
        }
    }
}

/// Values that do not stand at a word's start. Linux aligns everything to 8
/// bytes; the format does not demand it, and a recorded file may come from
/// anywhere. They are put together behind the data block.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Displaced {
    /// In bytes, from the start of the data block.
    pub(super) offset: usize,
    /// Where they are put: words from the start of the data block.
    pub(super) to: usize,
    /// In values.
    pub(super) len: usize,
}

/// Where a data block's values are among its words, and those that have to be
/// put there first.
pub(super) fn columns(stats: &[Stat], data_len: u32) -> (Columns, Box<[Displaced]>) {
    let mut displaced = Vec::new();
    let mut words = (data_len as usize).div_ceil(WORD);
    let mut column = |stat: &Stat| {
        let (offset, len) = (stat.offset as usize, usize::from(stat.len));
        let mut first = offset / WORD;
        if len > 0 && !offset.is_multiple_of(WORD) {
            let to = words;
            displaced.push(Displaced { offset, to, len });
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
    (Columns::new(columns), displaced.into())
}

/// The word that begins with the first of `bytes`; missing ones are 0.
fn word_of(bytes: impl Iterator<Item = u8>) -> u64 {
    let mut word = [0; WORD];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = from;
    }
    u64::from_ne_bytes(word)
}

impl Layout {
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
        if !self.displaced.is_empty() {
            block.place(&self.displaced);
        }
        let actual = block.len;
        let row = Row::new(self.columns(), block.row()).filter(|_| actual >= self.data_len());
        row.ok_or(Error::ShortRead {
            block: Block::Data,
            expected: self.data_len(),
            actual,
        })
    }
}
