//! An open statistics file: its layout, read once, and its values, read often.
//!
//! In: a statistics fd. Out: values by name. This file knows no VM.

use std::ops;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

use crate::data_block::DataBlock;
use crate::error::{Block, Error};
use crate::layout::{Header, Layout, Statistic};
use crate::read::{read_data, read_exact};

/// Reads the immutable part of a statistics file: its header, and the bytes of its
/// descriptors, of which [`Layout::parse`] makes a layout.
///
/// # Errors
///
/// Returns [`Error::Read`], [`Error::ShortRead`] or [`Error::Malformed`].
pub fn read_descriptors(stats: BorrowedFd<'_>) -> Result<(Header, Box<[u8]>), Error> {
    let mut bytes = [0; Header::SIZE];
    read_exact(stats, Block::Header, &mut bytes, 0)?;
    let header = Header::parse(&bytes)?;
    let range = header.descriptors();
    // The header's sizes lie within their limits, so this is at most 2.1 MiB.
    let len = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let mut descriptors = vec![0; len].into_boxed_slice();
    read_exact(stats, Block::Descriptors, &mut descriptors, range.start)?;
    Ok((header, descriptors))
}

impl Layout {
    /// Reads the values of a file that has this layout, with one `pread`.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Read`], or [`Error::ShortRead`] if the file is shorter than
    /// its layout says.
    #[allow(
        clippy::inline_always,
        reason = "entering the kernel clears the predictions of returns, so every `ret` after it \
                  is mispredicted; without this function's a sweep of 64 vCPUs takes a quarter less"
    )]
    #[inline(always)]
    pub fn read(&self, stats: BorrowedFd<'_>, block: &mut DataBlock) -> Result<(), Error> {
        read_data(stats, block, self.data_len(), self.data().start)?;
        self.align(block)
    }
}

/// An open statistics file of one object.
#[derive(Debug)]
pub struct Stats {
    fd: OwnedFd,
    layout: Layout,
}

/// The place of a statistic in its [`Stats`] and [`Values`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Index(usize);

impl Stats {
    /// Reads the layout of a statistics file, which never changes.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Read`], [`Error::ShortRead`] or [`Error::Malformed`].
    pub fn new(fd: OwnedFd) -> Result<Self, Error> {
        let (header, descriptors) = read_descriptors(fd.as_fd())?;
        let layout = Layout::parse(&header, &descriptors, None)?;
        Ok(Self { fd, layout })
    }

    /// Returns the layout.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the place of the statistic called `name`, or `None` if the object has
    /// no such statistic.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<Index> {
        let mut statistics = self.layout.statistics().iter();
        statistics
            .position(|statistic| statistic.name() == name)
            .map(Index)
    }

    /// Creates a buffer for the values, which can be filled many times.
    #[must_use]
    pub fn buffer(&self) -> Values<'_> {
        let mut block = DataBlock::new();
        block.copy_from(&vec![0; self.layout.data_len()]);
        // The block is as long as the layout says, so nothing is too short.
        let _ = self.layout.align(&mut block);
        Values {
            layout: &self.layout,
            block,
        }
    }

    /// Reads all values with one `pread` into a [`buffer`](Self::buffer) of this file.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Read`] or [`Error::ShortRead`]. The values mean nothing then.
    pub fn read(&self, values: &mut Values<'_>) -> Result<(), Error> {
        self.layout.read(self.fd.as_fd(), &mut values.block)
    }
}

impl AsFd for Stats {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Stats {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_raw_fd()
    }
}

impl From<Stats> for OwnedFd {
    fn from(stats: Stats) -> Self {
        stats.fd
    }
}

/// The values of one object, 0 before they are first read.
#[derive(Clone, Debug)]
pub struct Values<'a> {
    layout: &'a Layout,
    block: DataBlock,
}

impl<'a> Values<'a> {
    /// Returns each statistic with its values; those of a histogram are the buckets,
    /// the lowest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&'a Statistic, &[u64])> {
        let words = self.block.words();
        self.layout.statistics().iter().map(move |statistic| {
            let values = words.get(statistic.words()).unwrap_or_default();
            (statistic, values)
        })
    }

    /// Returns the values of the statistic at `index`, which must come from the same
    /// [`Stats`]; otherwise the values are those of any statistic, or empty.
    #[must_use]
    pub fn get(&self, index: Index) -> &[u64] {
        let statistic = self.layout.statistics().get(index.0);
        let words = statistic.map_or(0..0, Statistic::words);
        self.block.words().get(words).unwrap_or_default()
    }
}

/// Returns the values of a statistic, as [`Values::get`] does.
impl ops::Index<Index> for Values<'_> {
    type Output = [u64];

    fn index(&self, index: Index) -> &[u64] {
        self.get(index)
    }
}
