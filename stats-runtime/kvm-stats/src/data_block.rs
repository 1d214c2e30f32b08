//! The data block of one object, as aligned words.
//!
//! In: the bytes of a data block. Out: words, in which a histogram is a slice.
//! This file knows neither fds nor the statistics that the words belong to.

/// Bytes of a word.
pub(crate) const WORD: usize = size_of::<u64>();

/// The alignment of the first word in memory, in bytes: a cache line, because
/// the kernel copies faster to the start of one.
const ALIGNMENT: usize = 64;

/// The data block of one object.
///
/// The block consists of words, so a histogram is a slice of the block and
/// nothing is copied. A block can be filled many times. It keeps the memory of
/// the longest data that it has held.
#[derive(Clone, Debug, Default)]
pub struct DataBlock {
    /// The words, after up to seven unused ones that align the first word. The
    /// words of realigned statistics follow the data.
    words: Vec<u64>,
    /// The index of the first used word.
    begin: usize,
    /// The length of the data, in bytes.
    len: usize,
}

/// A statistic whose values do not begin at a word.
///
/// Linux aligns all values to 8 bytes, but the format does not demand it, and a
/// recorded file may come from anywhere. Such values are copied to words that
/// follow the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct UnalignedStat {
    /// The offset of the first value in the data block, in bytes.
    pub(crate) offset: usize,
    /// The index of the first word of the copy.
    pub(crate) to: usize,
    /// The number of values.
    pub(crate) len: usize,
}

impl DataBlock {
    /// Creates an empty block.
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

    /// Empties the block and returns the words for `len` bytes, with undefined
    /// content. The caller fills the words and calls [`set_len`](Self::set_len).
    #[inline]
    pub(crate) fn words_for(&mut self, len: usize) -> &mut [u64] {
        self.len = 0;
        let count = len.div_ceil(WORD);
        self.grow(count);
        #[expect(
            clippy::indexing_slicing,
            reason = "`grow` has made room for `count` words from `begin` on"
        )]
        &mut self.words[self.begin..self.begin + count]
    }

    /// Sets the number of bytes that the words were filled with.
    #[inline]
    pub(crate) fn set_len(&mut self, len: usize) {
        debug_assert!(
            len <= self.words().len() * WORD,
            "the words were made for this length"
        );
        self.len = len;
    }

    /// Returns the number of bytes that the block was filled with.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Makes room for `count` words and keeps their content.
    #[inline]
    fn grow(&mut self, count: usize) {
        if self.words().len() < count {
            let before = self.begin..self.words.len();
            self.words.resize(count + ALIGNMENT / WORD, 0);
            let begin = self.words.as_ptr().align_offset(ALIGNMENT);
            self.begin = begin.min(ALIGNMENT / WORD);
            self.words.copy_within(before, self.begin);
        }
    }

    /// Returns the words of the data, after which the copies of unaligned values
    /// follow. [`Statistic::words`](crate::Statistic::words) is the place of a
    /// statistic's values.
    #[must_use]
    #[inline]
    #[expect(
        clippy::indexing_slicing,
        reason = "`begin` is 0 or was set by `grow`, after which more words follow"
    )]
    pub fn words(&self) -> &[u64] {
        &self.words[self.begin..]
    }

    /// Copies unaligned statistics to the words that follow the data.
    #[cold]
    pub(crate) fn realign(&mut self, unaligned: &[UnalignedStat]) {
        for UnalignedStat { offset, to, len } in unaligned {
            self.grow(to + len);
            for index in 0..*len {
                let at = self.begin + offset / WORD + index;
                // A block that is too short has fewer words. The caller refuses
                // such a block by its length.
                let pieces = self.words.get(at..at + 2).unwrap_or_default();
                let bytes = pieces.iter().flat_map(|word| word.to_ne_bytes());
                let word = word_of(bytes.skip(offset % WORD));
                #[expect(
                    clippy::indexing_slicing,
                    reason = "`grow` has made room for `to + len` words from `begin` on"
                )]
                {
                    self.words[self.begin + to + index] = word;
                }
            }
        }
    }
}

/// Returns the word that consists of the first eight of `bytes`, or of fewer
/// bytes and zeros.
fn word_of(bytes: impl Iterator<Item = u8>) -> u64 {
    let mut word = [0; WORD];
    for (to, from) in word.iter_mut().zip(bytes) {
        *to = from;
    }
    u64::from_ne_bytes(word)
}
