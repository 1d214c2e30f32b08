//! Counters of any component, published in the kernel's format.
//!
//! In: the descriptions of statistics. Out: a sealed memfd that any reader of the
//! kernel's files reads, and handles that change its values. This file reads no file.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use rustix::io::{Errno, pwrite};

use crate::error::Error;
use crate::format::{Base, Kind, Unit};
use crate::image::Image;
use crate::image_builder::{ImageBuilder, ImageStat};
use crate::sys::SharedWords;

/// The descriptions of the statistics of a [`Writer`].
#[derive(Clone, Debug)]
pub struct WriterBuilder {
    id: String,
    statistics: Vec<Description>,
}

#[derive(Clone, Debug)]
struct Description {
    name: String,
    flags: u32,
    exponent: i16,
    bucket_size: u32,
    len: u16,
}

impl WriterBuilder {
    /// Adds a statistic with one value, in units of `base ^ exponent`. Most counts
    /// are `Unit::None` and 10 to the power of 0.
    #[must_use]
    pub fn scalar(
        mut self,
        name: impl Into<String>,
        kind: Kind,
        unit: Unit,
        (base, exponent): (Base, i16),
    ) -> Self {
        self.statistics.push(Description {
            name: name.into(),
            flags: kind.flag() | unit.flag() | base.flag(),
            exponent,
            bucket_size: 0,
            len: 1,
        });
        self
    }

    /// Adds a count without a unit that only grows.
    #[must_use]
    pub fn counter(self, name: impl Into<String>) -> Self {
        self.scalar(name, Kind::Cumulative, Unit::None, (Base::Pow10, 0))
    }

    /// Adds a log2 histogram with `buckets` buckets: the first one counts 0, bucket i
    /// the values from 2^(i-1) to below 2^i, and the last one also everything above.
    #[must_use]
    pub fn log2_histogram(
        mut self,
        name: impl Into<String>,
        unit: Unit,
        (base, exponent): (Base, i16),
        buckets: u16,
    ) -> Self {
        self.statistics.push(Description {
            name: name.into(),
            flags: Kind::Log2Histogram.flag() | unit.flag() | base.flag(),
            exponent,
            bucket_size: 0,
            len: buckets.max(1),
        });
        self
    }

    /// Makes the file, with all values 0. Its length is sealed, so that readers need not
    /// fear that it shrinks, and nobody who gets the fd can write to it.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Malformed`] if no statistic was added, or if names or values
    /// are too long or too many, and [`Error::Create`] if the kernel refuses.
    pub fn build(&self) -> Result<Writer, Error> {
        let builder = ImageBuilder::new(self.id.as_str()).gap(0);
        let bytes = self
            .statistics
            .iter()
            .fold(builder, |builder, statistic| {
                let values = vec![0; usize::from(statistic.len)];
                let name = statistic.name.as_str();
                let stat = ImageStat::new(name, statistic.flags, statistic.exponent, values);
                builder.stat(stat.bucket_size(statistic.bucket_size))
            })
            .build();
        // Read the file as its readers will, so that none of them refuses it.
        let image = Image::read(&bytes)?;
        let create = |errno: Errno| Error::Create {
            errno: errno.raw_os_error(),
        };
        let fd = filled(&bytes).map_err(create)?;
        let words = SharedWords::map(&fd, bytes.len()).map_err(create)?;
        seal(&fd).map_err(create)?;
        Ok(Writer {
            shared: Arc::new(Shared { fd, words, image }),
        })
    }
}

/// Returns a memfd with these bytes.
fn filled(bytes: &[u8]) -> Result<OwnedFd, Errno> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let fd = memfd_create("kvm-stats", flags)?;
    ftruncate(&fd, bytes.len() as u64)?;
    let mut written = 0;
    while let Some(rest) = bytes.get(written..).filter(|rest| !rest.is_empty()) {
        match pwrite(&fd, rest, written as u64) {
            Ok(count) => written += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(fd)
}

/// Seals the file's length, and its bytes against everybody but the mapping that
/// exists already, through which the values change.
fn seal(fd: &OwnedFd) -> Result<(), Errno> {
    let length = SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    match fcntl_add_seals(fd, length | SealFlags::FUTURE_WRITE) {
        // F_SEAL_FUTURE_WRITE came with Linux 5.1.
        Err(Errno::INVAL) => fcntl_add_seals(fd, length),
        outcome => outcome,
    }
}

/// A statistics file of a component's own counters, in a sealed memfd.
///
/// [`Stats`](crate::Stats), `vmstats decode` and every other reader of KVM's
/// statistics read it by `pread`, also in another process that got the fd. Changing a
/// value is an atomic operation in memory: no system call, no lock. A clone is another
/// handle to the same file.
///
/// ```
/// use kvm_stats::{Stats, Writer};
///
/// let writer = Writer::builder("block-disk0").counter("reads").build()?;
/// let reads = writer.counter("reads").unwrap();
/// reads.add(1);
///
/// let stats = Stats::new(writer.try_clone_fd()?)?;
/// let mut values = stats.buffer();
/// stats.read(&mut values)?;
/// assert_eq!(values[stats.find("reads").unwrap()], [1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    fd: OwnedFd,
    words: SharedWords,
    image: Image,
}

impl Writer {
    /// Begins the file of an object. Readers see `id` as they see `kvm-4711/vcpu-0`.
    #[must_use]
    pub fn builder(id: impl Into<String>) -> WriterBuilder {
        WriterBuilder {
            id: id.into(),
            statistics: Vec::new(),
        }
    }

    /// Returns the handle of the statistic called `name`; `None` if the file has
    /// no statistic of that name.
    #[must_use]
    pub fn counter(&self, name: &str) -> Option<Counter> {
        let layout = self.shared.image.layout();
        let statistic = layout.find(name)?;
        let data = usize::try_from(layout.data().start).ok()?;
        Some(Counter {
            shared: Arc::clone(&self.shared),
            offset: data + statistic.words().start * size_of::<u64>(),
            len: statistic.len(),
        })
    }

    /// Returns another fd of the file, for a reader.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error if the process has no room for an fd.
    pub fn try_clone_fd(&self) -> std::io::Result<OwnedFd> {
        self.shared.fd.try_clone()
    }
}

impl AsFd for Writer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.fd.as_fd()
    }
}

impl AsRawFd for Writer {
    fn as_raw_fd(&self) -> RawFd {
        self.shared.fd.as_raw_fd()
    }
}

/// The values of one statistic of a [`Writer`]. A clone is another handle.
///
/// All operations are relaxed: values of different statistics are not read together,
/// as in the kernel.
#[derive(Clone, Debug)]
pub struct Counter {
    shared: Arc<Shared>,
    /// The offset of the first value in the file, in bytes.
    offset: usize,
    len: usize,
}

impl Counter {
    /// Adds to the first value, which wraps around.
    pub fn add(&self, value: u64) {
        if let Some(word) = self.word(0) {
            word.fetch_add(value, Ordering::Relaxed);
        }
    }

    /// Sets the first value.
    pub fn set(&self, value: u64) {
        if let Some(word) = self.word(0) {
            word.store(value, Ordering::Relaxed);
        }
    }

    /// Sets the first value to `value` if that is more.
    pub fn raise(&self, value: u64) {
        if let Some(word) = self.word(0) {
            word.fetch_max(value, Ordering::Relaxed);
        }
    }

    /// Counts `value` in its bucket of a log2 histogram.
    pub fn observe(&self, value: u64) {
        let bucket = (u64::BITS - value.leading_zeros()) as usize;
        if let Some(word) = self.word(bucket.min(self.len.saturating_sub(1))) {
            word.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn word(&self, index: usize) -> Option<&AtomicU64> {
        if index >= self.len {
            return None;
        }
        let word = self
            .shared
            .words
            .word(self.offset + index * size_of::<u64>());
        debug_assert!(word.is_some(), "the layout was checked against the file");
        word
    }
}
