//! Reading statistics fds.
//!
//! In: an open statistics file. Out: bytes. This file knows no layout.

use std::os::fd::BorrowedFd;

use rustix::io::{Errno, pread};

use crate::data_block::DataBlock;
use crate::error::{Block, Error};
use crate::sys;

/// Fills `buffer` with the bytes from `offset` on.
///
/// # Errors
///
/// Returns [`Error::Read`] or [`Error::ShortRead`], which name `block`.
#[allow(
    clippy::inline_always,
    reason = "entering the kernel clears the predictions of returns, so every `ret` after it is \
              mispredicted; inlining removes one"
)]
#[inline(always)]
pub(crate) fn read_exact(
    fd: BorrowedFd<'_>,
    block: Block,
    buffer: &mut [u8],
    offset: u64,
) -> Result<(), Error> {
    let expected = buffer.len();
    // One read nearly always suffices.
    if pread(fd, &mut *buffer, offset) == Ok(expected) {
        return Ok(());
    }
    match read_up_to(fd, buffer, offset) {
        Ok(actual) if actual == expected => Ok(()),
        Ok(actual) => Err(Error::ShortRead {
            block,
            expected,
            actual,
        }),
        Err(errno) => Err(Error::Read {
            block,
            errno: errno.raw_os_error(),
        }),
    }
}

/// Reads until `buffer` is full or the file ends. Returns the number of bytes
/// read. Uses `pread`, because duplicates of a statistics fd share its position,
/// which `lseek` does not move.
#[cold]
pub(crate) fn read_up_to(
    fd: BorrowedFd<'_>,
    buffer: &mut [u8],
    offset: u64,
) -> Result<usize, Errno> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match pread(fd, rest, offset.saturating_add(filled as u64)) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(filled)
}

/// Fills `data` with `len` bytes from `offset` on, in one read. One `pread` for
/// each object is nearly the whole cost of a query; the price is that an object's
/// unused bytes between values are read too.
///
/// # Errors
///
/// Returns [`Error::Read`] or [`Error::ShortRead`].
#[allow(
    clippy::inline_always,
    reason = "entering the kernel clears the predictions of returns, so every `ret` after it is \
              mispredicted; inlining removes one"
)]
#[inline(always)]
pub(crate) fn read_data(
    fd: BorrowedFd<'_>,
    data: &mut DataBlock,
    len: usize,
    offset: u64,
) -> Result<(), Error> {
    if let Some(bytes) = sys::bytes_of(data.words_for(len)).get_mut(..len) {
        read_exact(fd, Block::Data, bytes, offset)?;
    }
    data.set_len(len);
    Ok(())
}
