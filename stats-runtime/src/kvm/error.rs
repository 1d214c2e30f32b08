//! The errors of KVM's statistics, sorted by blame.
//!
//! In: what the kernel, a file or the caller did. Out: messages that name it.
//! Errors know neither fds nor the wire.

use std::{fmt, io};

use super::format::{HEADER_SIZE, NAME_SIZE_MAX, NUM_DESC_MAX, VALUES_MAX};
use crate::provider::ProviderError;

/// The reason why statistics of KVM cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// The kernel has no `KVM_CAP_BINARY_STATS_FD`: it is older than 5.14.
    Unsupported,
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
    /// The caller added a vCPU at a path that is taken.
    DuplicateVcpu {
        /// The path.
        qom_path: String,
    },
    /// The limit of open files is lower than the caller needs.
    FileLimit {
        /// The number of open files that the caller needs.
        needed: u64,
        /// The hard limit of open files (`RLIMIT_NOFILE`).
        hard: u64,
    },
    /// The kernel refused to raise the limit of open files.
    SetFileLimit {
        /// The number of open files that the caller needs.
        needed: u64,
        /// The error's number, see errno(3).
        errno: i32,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let os = io::Error::from_raw_os_error;
        match self {
            Self::Unsupported => f.write_str(
                "KVM stats: this kernel has no binary statistics (KVM_CAP_BINARY_STATS_FD, \
                 Linux 5.14 and later)",
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
            Self::DuplicateVcpu { qom_path } => {
                write!(f, "KVM stats: vCPU '{qom_path}' has been added already")
            }
            Self::FileLimit { needed, hard } => write!(
                f,
                "KVM stats: {needed} open files are needed, but the hard limit is {hard} \
                 (RLIMIT_NOFILE, ulimit -Hn)"
            ),
            Self::SetFileLimit { needed, errno } => write!(
                f,
                "KVM stats: cannot raise the limit of open files to {needed}: {}",
                os(*errno)
            ),
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

impl From<Error> for ProviderError {
    fn from(error: Error) -> Self {
        Self::new(error.to_string())
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
