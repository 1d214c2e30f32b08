//! Opening and reading statistics fds.
//!
//! In: a VM or a vCPU, or an open statistics file. Out: an fd, or bytes. This
//! file knows no layout, and has all `unsafe` code of the library.
#![allow(
    unsafe_code,
    reason = "KVM_GET_STATS_FD has no safe wrapper, and words are filled as bytes"
)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::{ffi, ptr};

use kvm_bindings::KVM_CAP_BINARY_STATS_FD;
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use rustix::io::{Errno, pread, retry_on_intr};
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

use super::data_block::DataBlock;
use super::error::{Block, Error};

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
    // SAFETY: `VmFd` owns its fd and is borrowed for this call, so the fd stays
    // open, and KVM_CREATE_VM returned it.
    unsafe { stats_fd(BorrowedFd::borrow_raw(vm.as_raw_fd())) }
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
    // SAFETY: `VcpuFd` owns its fd and is borrowed for this call, so the fd stays
    // open, and KVM_CREATE_VCPU returned it.
    unsafe { stats_fd(BorrowedFd::borrow_raw(vcpu.as_raw_fd())) }
}

/// Opens the statistics of a VM or vCPU whose fd was not opened by kvm-ioctls.
///
/// # Safety
///
/// `object` must be KVM's fd of a VM or a vCPU. Another driver may give the
/// ioctl's number another meaning, and return a number that is not an fd, or that
/// is the fd of somebody else.
///
/// # Errors
///
/// Returns [`Error::Ioctl`] as [`vcpu_stats_fd`] does.
pub unsafe fn stats_fd(object: impl AsFd) -> Result<OwnedFd, Error> {
    let object = object.as_fd();
    // SAFETY: the caller promises an fd of KVM, for which `GetStatsFd` describes
    // the ioctl correctly; the ioctl accesses no memory of this process.
    retry_on_intr(|| unsafe { ioctl(object, GetStatsFd) }).map_err(|errno| Error::Ioctl {
        errno: errno.raw_os_error(),
    })
}

/// The ioctl `KVM_GET_STATS_FD`, `_IO(KVMIO, 0xce)` of include/uapi/linux/kvm.h.
struct GetStatsFd;

// SAFETY: for a VM or a vCPU (kvm_vm_ioctl_get_stats_fd and
// kvm_vcpu_ioctl_get_stats_fd in virt/kvm/kvm_main.c) the ioctl ignores its
// argument, accesses no memory of the caller and returns a new fd, which nobody
// else owns. The number is the same on every architecture.
unsafe impl Ioctl for GetStatsFd {
    type Output = OwnedFd;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        opcode::none(0xae, 0xce)
    }

    fn as_ptr(&mut self) -> *mut ffi::c_void {
        ptr::null_mut()
    }

    unsafe fn output_from_ptr(
        output: IoctlOutput,
        _: *mut ffi::c_void,
    ) -> rustix::io::Result<OwnedFd> {
        // SAFETY: the caller promises that `output` was returned by a successful
        // call, so it is a new fd and not -1.
        Ok(unsafe { OwnedFd::from_raw_fd(output) })
    }
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
    if let Some(bytes) = bytes_of(data.words_for(len)).get_mut(..len) {
        read_exact(fd, Block::Data, bytes, offset)?;
    }
    data.set_len(len);
    Ok(())
}

/// Returns the bytes of `words`.
fn bytes_of(words: &mut [u64]) -> &mut [u8] {
    let len = size_of_val(words);
    // SAFETY: the pointer is valid for `len` bytes while `words` is borrowed. Bytes
    // need no alignment, a `u64` has no padding, and any eight bytes are a `u64`.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), len) }
}
