//! Opening and reading statistics fds.
//!
//! In: a VM or a vCPU, or an open statistics file. Out: an fd, or bytes. This
//! file knows no layout.

use std::os::fd::{BorrowedFd, OwnedFd};

use kvm_bindings::KVM_CAP_BINARY_STATS_FD;
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use rustix::io::{Errno, pread};

use super::data_block::DataBlock;
use super::error::{Block, Error};
use crate::sys;

/// Checks that the kernel has binary statistics.
///
/// # Errors
///
/// Returns [`Error::Unsupported`] if the kernel has none.
pub fn check_capability(kvm: &Kvm) -> Result<(), Error> {
    supported(kvm.check_extension_raw(KVM_CAP_BINARY_STATS_FD.into()))
}

fn supported(answer: i32) -> Result<(), Error> {
    if answer > 0 {
        Ok(())
    } else {
        Err(Error::Unsupported)
    }
}

/// Opens the statistics of a VM.
///
/// # Errors
///
/// Returns [`Error::Unsupported`] if the kernel lacks the capability, and
/// otherwise [`Error::Ioctl`]: `EIO` if the VM belongs to another process,
/// `EMFILE` if the process has no room for an fd (see [`raise_nofile_limit`]).
///
/// [`raise_nofile_limit`]: super::raise_nofile_limit
pub fn vm_stats_fd(vm: &VmFd) -> Result<OwnedFd, Error> {
    supported(vm.check_extension_raw(KVM_CAP_BINARY_STATS_FD.into()))?;
    sys::vm_stats_fd(vm)
}

/// Opens the statistics of a vCPU.
///
/// Call this before the vCPU's first `KVM_RUN`: the kernel takes the vCPU's
/// lock, so the call waits until a running vCPU next leaves the kernel, which may
/// be never.
///
/// # Errors
///
/// Returns [`Error::Ioctl`]: `EIO` if the vCPU belongs to another process,
/// `EMFILE` if the process has no room for an fd, `ENOTTY` if the kernel lacks
/// binary statistics (only a VM can be asked for the capability).
pub fn vcpu_stats_fd(vcpu: &VcpuFd) -> Result<OwnedFd, Error> {
    sys::vcpu_stats_fd(vcpu)
}

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
pub(super) fn read_exact(
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
pub(super) fn read_up_to(
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
pub(super) fn read_data(
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
