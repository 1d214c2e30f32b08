//! The errors of KVM's statistics, sorted by blame.
//!
//! In: what the kernel, a file or the caller did. Out: messages that name it.
//! Errors know neither fds nor the wire.

use std::os::fd::RawFd;
use std::{fmt, io};

use crate::format::{HEADER_SIZE, NAME_SIZE_MAX, NUM_DESC_MAX, VALUES_MAX};

/// The reason why statistics of KVM cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The fd is not that of a VM or vCPU.
    NotKvm {
        /// The fd.
        fd: RawFd,
        /// The file that it is, as `/proc/self/fd` shows it.
        link: String,
    },
    /// `/proc/self/fd` cannot say what an fd is.
    Unchecked {
        /// The fd.
        fd: RawFd,
        /// The error's number, see errno(3).
        errno: i32,
    },
    /// The kernel refused `KVM_GET_STATS_FD`.
    Ioctl {
        /// The error's number, see errno(3).
        errno: i32,
    },
    /// The kernel refused to read.
    Read {
        /// The block that was read.
        block: Block,
        /// The error's number, see errno(3).
        errno: i32,
    },
    /// The file ends too early.
    ShortRead {
        /// The block that was read.
        block: Block,
        /// The length of the block in bytes.
        expected: usize,
        /// The number of bytes that were read.
        actual: usize,
    },
    /// The file is not a statistics file, or is damaged.
    Malformed(LayoutError),
    /// The kernel refused to make a file for a [`Writer`](crate::Writer).
    Create {
        /// The error's number, see errno(3).
        errno: i32,
    },
}

impl Error {
    /// Returns the kernel's number of the error, see errno(3), if the kernel refused
    /// something.
    #[must_use]
    pub fn errno(&self) -> Option<i32> {
        match self {
            Self::Unchecked { errno, .. }
            | Self::Ioctl { errno }
            | Self::Read { errno, .. }
            | Self::Create { errno } => Some(*errno),
            Self::NotKvm { .. } | Self::ShortRead { .. } | Self::Malformed(_) => None,
        }
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.errno() {
            Some(errno) => Self::from_raw_os_error(errno).kind(),
            None => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let os = io::Error::from_raw_os_error;
        match self {
            Self::NotKvm { fd, link } => write!(
                f,
                "KVM stats: fd {fd} is neither a VM nor a vCPU but {}",
                link.escape_debug()
            ),
            Self::Unchecked { fd, errno } => write!(
                f,
                "KVM stats: /proc/self/fd/{fd} does not say whether it is a VM or vCPU \
                 ({}); use open_unchecked in a jail without /proc",
                os(*errno)
            ),
            Self::Ioctl { errno } => {
                write!(
                    f,
                    "KVM stats: ioctl KVM_GET_STATS_FD failed: {}",
                    os(*errno)
                )
            }
            Self::Read { block, errno } => {
                write!(f, "KVM stats: failed to read stats {block}: {}", os(*errno))
            }
            // The words are QEMU's (accel/kvm/kvm-all.c).
            Self::ShortRead {
                block,
                expected,
                actual,
            } => write!(
                f,
                "KVM stats: failed to read stats {block}: expected {expected} actual {actual}"
            ),
            Self::Malformed(error) => write!(f, "KVM stats: malformed file: {error}"),
            Self::Create { errno } => {
                write!(
                    f,
                    "KVM stats: cannot make a statistics file: {}",
                    os(*errno)
                )
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Malformed(error) => Some(error),
            _ => None,
        }
    }
}

impl From<LayoutError> for Error {
    fn from(error: LayoutError) -> Self {
        Self::Malformed(error)
    }
}

/// A part of a statistics file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// The first 24 bytes of the file.
    Header,
    /// The object's name.
    Id,
    /// The descriptions of the statistics.
    Descriptors,
    /// The values.
    Data,
}

impl Block {
    /// Returns the name of the header's field that has the block's offset.
    fn header_field(self) -> &'static str {
        match self {
            Self::Header => "flags",
            Self::Id => "id_offset",
            Self::Descriptors => "desc_offset",
            Self::Data => "data_offset",
        }
    }
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "header",
            Self::Id => "id",
            Self::Descriptors => "descriptors",
            Self::Data => "data",
        })
    }
}

/// A fault of the header or the descriptors of a statistics file.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LayoutError {
    /// The file has fewer bytes than a header.
    HeaderTruncated {
        /// The number of bytes in the file.
        actual: usize,
    },
    /// The number of descriptors is 0 or more than [`NUM_DESC_MAX`].
    NumDesc {
        /// The number in the header.
        value: u32,
    },
    /// The room for names is 0 or more than [`NAME_SIZE_MAX`] bytes.
    NameSize {
        /// The number in the header.
        value: u32,
    },
    /// The descriptors have fewer bytes than the header says.
    DescriptorsTruncated {
        /// The number of bytes by the header.
        expected: usize,
        /// The number of bytes that were given.
        actual: usize,
    },
    /// A name has no terminating NUL.
    NameUnterminated {
        /// The index of the descriptor, from 0.
        index: usize,
    },
    /// The data block is longer than [`VALUES_MAX`] values, or the statistics
    /// have more than that together.
    DataTooLong {
        /// The index of the descriptor that exceeds the limit, from 0.
        index: usize,
        /// The name of the statistic.
        name: String,
    },
    /// A block does not lie within the file.
    OutsideFile {
        /// The block.
        block: Block,
        /// The offset of its first byte in the file.
        start: u64,
        /// The offset of the byte after its last one.
        end: u64,
        /// The length of the file in bytes.
        file_len: u64,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HeaderTruncated { actual } => {
                write!(
                    f,
                    "header is cut off: expected {HEADER_SIZE} bytes, got {actual}"
                )
            }
            Self::NumDesc { value } => {
                write!(
                    f,
                    "header field num_desc is {value}, not between 1 and {NUM_DESC_MAX}"
                )
            }
            Self::NameSize { value } => {
                write!(
                    f,
                    "header field name_size is {value}, not between 1 and {NAME_SIZE_MAX}"
                )
            }
            Self::DescriptorsTruncated { expected, actual } => {
                write!(
                    f,
                    "descriptors are cut off: expected {expected} bytes, got {actual}"
                )
            }
            Self::NameUnterminated { index } => {
                write!(f, "descriptor {index} has a name without a terminating NUL")
            }
            Self::DataTooLong { index, name } => write!(
                f,
                "descriptor fields offset and size of statistic {index} ('{}') take the data \
                 beyond {VALUES_MAX} values",
                name.escape_debug()
            ),
            Self::OutsideFile {
                block,
                start,
                end,
                file_len,
            } => write!(
                f,
                "header field {} is {start}, but {block} would end at byte {end} of a file of \
                 {file_len} bytes",
                block.header_field()
            ),
        }
    }
}

impl std::error::Error for LayoutError {}
