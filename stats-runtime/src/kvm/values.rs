//! Values: a layout and a data block become calls on a sink.
//!
//! In: a [`Layout`] and the bytes of one object's data block. Out: its
//! statistics, in the layout's order. It knows neither fds nor limits: the
//! layout has checked those.

use qapi::stats::StatsUnit;

use super::error::{Block, Error};
use super::layout::{Layout, Stat};
use crate::provider::{StatsQuery, StatsSink};

/// Bytes of a word.
const WORD: usize = size_of::<u64>();

/// The data block of one object, kept as words so that a histogram is a part
/// of it and nothing is copied. It can be filled again and again; it grows to
/// the longest block it has held.
#[derive(Clone, Debug, Default)]
pub struct DataBlock {
    /// The last one may be filled in part.
    words: Vec<u64>,
    /// In bytes.
    len: usize,
    /// Where values are put together that do not stand at a word's start.
    scratch: Vec<u64>,
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
    pub(super) fn words_for(&mut self, len: usize) -> &mut [u64] {
        self.len = 0;
        self.words.resize(len.div_ceil(WORD), 0);
        &mut self.words
    }

    /// Says how many bytes the words have been filled with.
    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len.min(self.words.len() * WORD);
    }

    /// The values of `stat`; `None` if they do not lie within the block.
    fn values(&mut self, stat: &Stat) -> Option<&[u64]> {
        let (offset, len) = (stat.offset as usize, usize::from(stat.len));
        if len == 0 {
            return Some(&[]);
        }
        let first = offset / WORD;
        if offset.is_multiple_of(WORD) {
            return self.words.get(first..first + len);
        }
        // Linux aligns everything to 8 bytes; the format does not demand it,
        // and a recorded file may come from anywhere.
        let pieces = self.words.get(first..=first + len)?;
        self.scratch.clear();
        self.scratch.extend(pieces.windows(2).map(|pair| {
            let bytes = pair.iter().flat_map(|word| word.to_ne_bytes());
            word_of(bytes.skip(offset % WORD))
        }));
        Some(&self.scratch)
    }
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
    /// Writes the values in `block` of the statistics that `query` wants. The
    /// caller has begun the result.
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
        query: &StatsQuery<'_>,
        sink: &mut dyn StatsSink,
    ) -> Result<(), Error> {
        let short = Error::ShortRead {
            block: Block::Data,
            expected: self.data_len(),
            actual: block.len,
        };
        if block.len < self.data_len() {
            return Err(short);
        }
        for stat in self.stats() {
            let name = stat.schema.name.as_str();
            if !query.wants_name(name) {
                continue;
            }
            let values = block.values(stat).ok_or_else(|| short.clone())?;
            match values {
                [value, ..] if stat.schema.unit == Some(StatsUnit::Boolean) => {
                    sink.boolean(name, *value != 0);
                }
                [value] => sink.scalar(name, *value),
                values => sink.histogram(name, values),
            }
        }
        Ok(())
    }
}
