//! Whole statistics files, recorded from a live fd and read later.
//!
//! In: the bytes of a file, or an fd to record. Out: an [`Image`] with layout and
//! values, or bytes to keep. An image knows no provider.

use std::os::fd::{AsFd, BorrowedFd};

use crate::data_block::DataBlock;
use crate::error::{Block, Error};
use crate::layout::{Header, Layout, check_within};
use crate::read::read_up_to;

/// The length of the longest file that is recorded, in bytes. The file of a vCPU
/// of Linux 7.1 has some 5 KiB; the limits of a layout permit less than 4.2 MiB
/// without gaps.
pub const IMAGE_SIZE_MAX: usize = 8 << 20;

/// The statistics of one object at the time of a recording.
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
    /// Returns [`Error::Malformed`] if a block does not lie within `bytes`, or if
    /// [`Header::parse`] or [`Layout::parse`] refuses the file.
    ///
    /// # Examples
    ///
    /// ```
    /// use kvm_stats::{Image, ImageBuilder, ImageStat};
    ///
    /// let bytes = ImageBuilder::new("kvm-4711/vcpu-0")
    ///     .stat(ImageStat::new("exits", 0, 0, [42]))
    ///     .build();
    /// let image = Image::read(&bytes)?;
    /// assert_eq!(image.id(), "kvm-4711/vcpu-0");
    /// assert_eq!(image.layout().statistics().len(), 1);
    /// assert_eq!(image.values("exits"), Some(&[42][..]));
    /// # Ok::<(), kvm_stats::Error>(())
    /// ```
    pub fn read(bytes: &[u8]) -> Result<Self, Error> {
        let header = Header::parse(bytes)?;
        let file_len = Some(bytes.len() as u64);
        check_within(Block::Id, &header.id(), file_len)?;
        let id = part(bytes, header.id());
        let id = id.split(|&byte| byte == 0).next().unwrap_or_default();
        // Check the range against the file first, so that the error names the
        // offset rather than a lack of bytes.
        check_within(Block::Descriptors, &header.descriptors(), file_len)?;
        let layout = Layout::parse(&header, part(bytes, header.descriptors()), file_len)?;
        let mut data = DataBlock::new();
        data.copy_from(part(bytes, layout.data()));
        layout.align(&mut data)?;
        Ok(Self {
            id: String::from_utf8_lossy(id).into_owned(),
            layout,
            data,
        })
    }

    /// Returns the kernel's name of the object: `kvm-TID` for a VM,
    /// `kvm-TID/vcpu-ID` for a vCPU. TID is the thread that opened the statistics
    /// (`task_pid_nr` in virt/kvm/kvm_main.c), which has the number of the process
    /// if it was its first thread.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns whether the object is a vCPU, which its [`id`](Self::id) shows.
    #[must_use]
    pub fn is_vcpu(&self) -> bool {
        self.id.contains("/vcpu-")
    }

    /// Returns the layout of the file.
    #[must_use]
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Returns the words of the data block; [`Statistic::words`] is the place of a
    /// statistic's values.
    ///
    /// [`Statistic::words`]: crate::Statistic::words
    #[must_use]
    pub fn words(&self) -> &[u64] {
        self.data.words()
    }

    /// Returns the values of the statistic called `name`.
    #[must_use]
    pub fn values(&self, name: &str) -> Option<&[u64]> {
        let statistic = self.layout.find(name)?;
        self.words().get(statistic.words())
    }
}

/// Returns the part of `bytes` that lies in `range`.
pub(crate) fn part(bytes: &[u8], range: std::ops::Range<u64>) -> &[u8] {
    let at = |offset: u64| {
        usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(bytes.len())
    };
    bytes
        .get(at(range.start)..at(range.end))
        .unwrap_or_default()
}

/// Reads the whole file of a statistics fd, for [`Image::read`] or for keeping: a
/// file with these bytes can replace the fd.
///
/// # Errors
///
/// Returns [`Error::Read`] if the kernel refuses, and [`Error::Malformed`] if the
/// file is not a statistics file or is longer than [`IMAGE_SIZE_MAX`].
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
