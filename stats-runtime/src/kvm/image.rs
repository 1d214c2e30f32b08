//! Whole statistics files: recorded from a live fd, read back later.
//!
//! In: the bytes of a file, or an fd to record. Out: an [`Image`] with layout
//! and values, or bytes to keep. It knows no provider.

use std::os::fd::{AsFd, BorrowedFd};

use qapi_stats::stats::StatsTarget;

use super::data_block::DataBlock;
use super::error::{Block, Error};
use super::fd::read_up_to;
use super::layout::{Header, Layout, check_within};
use crate::provider::StatsSink;

/// The longest file that is recorded, in bytes. A vCPU of Linux 7.1 has some
/// 5 KiB; what the limits of a layout allow is below 4.2 MiB without gaps.
pub const IMAGE_SIZE_MAX: usize = 8 << 20;

/// The statistics of one object, as they were when they were recorded.
#[derive(Clone, Debug)]
pub struct Image {
    id: String,
    layout: Layout,
    data: DataBlock,
}

impl Image {
    /// Reads a whole statistics file.
    ///
    /// # Errors
    ///
    /// [`Error::Malformed`] if a block does not lie within `bytes`, or for
    /// what [`Header::parse`] and [`Layout::parse`] refuse.
    ///
    /// # Examples
    ///
    /// ```
    /// use stats_runtime::kvm::{Image, ImageBuilder, ImageStat};
    ///
    /// let bytes = ImageBuilder::new("kvm-4711/vcpu-0")
    ///     .stat(ImageStat::new("exits", 0, 0, [42]))
    ///     .build();
    /// let image = Image::read(&bytes)?;
    /// assert_eq!(image.id(), "kvm-4711/vcpu-0");
    /// assert_eq!(image.layout().schema().len(), 1);
    /// # Ok::<(), stats_runtime::kvm::Error>(())
    /// ```
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let header = Header::parse(bytes)?;
        let file_len = Some(bytes.len() as u64);
        check_within(Block::Id, &header.id(), file_len)?;
        let id = part(bytes, header.id());
        let id = id.split(|&byte| byte == 0).next().unwrap_or_default();
        // Said of the descriptors' place in the file before their length is.
        check_within(Block::Descriptors, &header.descriptors(), file_len)?;
        let layout = Layout::parse(&header, part(bytes, header.descriptors()), file_len)?;
        let mut data = DataBlock::new();
        data.copy_from(part(bytes, layout.data()));
        Ok(Self {
            id: String::from_utf8_lossy(id).into_owned(),
            layout,
            data,
        })
    }

    /// What the kernel calls the object: `kvm-TID` a VM, `kvm-TID/vcpu-ID` a
    /// vCPU, with the thread that opened the statistics (`task_pid_nr`, see
    /// virt/kvm/kvm_main.c); that is the process if it was its first thread.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The kind of object, by its [`id`](Self::id).
    #[must_use]
    pub fn target(&self) -> StatsTarget {
        if self.id.contains("/vcpu-") {
            StatsTarget::Vcpu
        } else {
            StatsTarget::Vm
        }
    }

    /// What the file describes.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Writes the values. The caller has begun the result. See
    /// [`Layout::write_values`].
    ///
    /// # Errors
    ///
    /// None that reading the image would not have answered before.
    pub fn write_values(&mut self, sink: &mut dyn StatsSink) -> Result<(), Error> {
        self.layout.write_values(&mut self.data, sink)
    }
}

/// The part of `bytes` at `range`, as far as there is one.
pub(super) fn part(bytes: &[u8], range: std::ops::Range<u64>) -> &[u8] {
    let at = |offset: u64| {
        usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len())
    };
    bytes
        .get(at(range.start)..at(range.end))
        .unwrap_or_default()
}

/// Reads the whole file behind a statistics fd, for [`Image::read`] or to be
/// kept: a file with these bytes stands in for the fd.
///
/// # Errors
///
/// [`Error::Read`] if the kernel refuses, [`Error::Malformed`] if what it
/// answers is no statistics file, or one beyond [`IMAGE_SIZE_MAX`].
pub fn record(stats: impl AsFd) -> Result<Vec<u8>, Error> {
    let bytes = read_all(stats.as_fd())?;
    Image::read(&bytes)?;
    Ok(bytes)
}

/// Reads at most [`IMAGE_SIZE_MAX`] bytes.
fn read_all(fd: BorrowedFd<'_>) -> Result<Vec<u8>, Error> {
    const CHUNK: usize = 64 << 10;
    let mut bytes = Vec::new();
    while bytes.len() < IMAGE_SIZE_MAX {
        let filled = bytes.len();
        bytes.resize(filled + CHUNK, 0);
        let chunk = bytes.get_mut(filled..).unwrap_or_default();
        let count = read_up_to(fd, chunk, filled as u64).map_err(|errno| Error::Read {
            block: Block::Data,
            errno: errno.raw_os_error(),
        })?;
        bytes.truncate(filled + count);
        if count < CHUNK {
            break;
        }
    }
    Ok(bytes)
}
