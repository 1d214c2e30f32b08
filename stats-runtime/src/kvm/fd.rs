//! Statistics fds: how they are had, and how they are read.
//!
//! In: a VM or a vCPU, or an open statistics file. Out: an fd, or bytes. It
//! knows no layout. All `unsafe` of this library is here.
#![allow(
    unsafe_code,
    reason = "KVM_GET_STATS_FD is in no safe wrapper, and words are read into as bytes"
)]

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::{ffi, ptr};

use kvm_bindings::KVM_CAP_BINARY_STATS_FD;
use kvm_ioctls::{Kvm, VcpuFd, VmFd};
use rustix::io::{Errno, pread, retry_on_intr};
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

use super::data_block::DataBlock;
use super::error::{Block, Error};

/// Asks the kernel whether it has binary statistics.
///
/// # Errors
///
/// [`Error::Unsupported`] if not.
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
/// [`Error::Unsupported`] without the capability, otherwise
/// [`Error::Ioctl`]: with `EIO` for a VM of another process, with `EMFILE`
/// without room for an fd (see [`raise_nofile_limit`]).
///
/// [`raise_nofile_limit`]: super::raise_nofile_limit
pub fn vm_stats_fd(vm: &VmFd) -> Result<OwnedFd, Error> {
    supported(vm.check_extension_raw(KVM_CAP_BINARY_STATS_FD.into()))?;
    // SAFETY: `VmFd` owns its fd and is borrowed for this call, so that the fd
    // stays open; and it is one that KVM_CREATE_VM answered.
    unsafe { stats_fd(BorrowedFd::borrow_raw(vm.as_raw_fd())) }
}

/// Opens the statistics of a vCPU.
///
/// Call this before the vCPU's first `KVM_RUN`: the kernel takes the vCPU's
/// lock for it, so with a running vCPU this waits until it next leaves the
/// kernel, which may be never.
///
/// # Errors
///
/// [`Error::Ioctl`]: with `EIO` for a vCPU of another process, with `EMFILE`
/// without room for an fd, with `ENOTTY` from a kernel without binary
/// statistics (a vCPU cannot be asked for the capability; its VM can).
pub fn vcpu_stats_fd(vcpu: &VcpuFd) -> Result<OwnedFd, Error> {
    // SAFETY: `VcpuFd` owns its fd and is borrowed for this call, so that the
    // fd stays open; and it is one that KVM_CREATE_VCPU answered.
    unsafe { stats_fd(BorrowedFd::borrow_raw(vcpu.as_raw_fd())) }
}

/// Opens the statistics of a VM or vCPU whose fd comes from elsewhere than
/// kvm-ioctls.
///
/// # Safety
///
/// `object` must be an fd of KVM, for a VM or a vCPU. Another driver may take
/// the same number for something else and answer with a number that is no fd
/// or somebody else's.
///
/// # Errors
///
/// [`Error::Ioctl`], see [`vcpu_stats_fd`].
pub unsafe fn stats_fd(object: impl AsFd) -> Result<OwnedFd, Error> {
    let object = object.as_fd();
    // SAFETY: for an fd of KVM, as the caller promises, `GetStatsFd` says what
    // the kernel does; it reads and writes no memory of ours.
    retry_on_intr(|| unsafe { ioctl(object, GetStatsFd) }).map_err(|errno| Error::Ioctl {
        errno: errno.raw_os_error(),
    })
}

/// `KVM_GET_STATS_FD`, `_IO(KVMIO, 0xce)` of include/uapi/linux/kvm.h.
struct GetStatsFd;

// SAFETY: of a VM or a vCPU (virt/kvm/kvm_main.c, kvm_vm_ioctl_get_stats_fd
// and kvm_vcpu_ioctl_get_stats_fd) this ioctl ignores its argument, touches no
// memory of the caller and answers a new fd, which nobody else owns. It exists
// on every architecture with this number.
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
        // SAFETY: the caller promises that `output` is what a successful call
        // answered: a new fd (of which -1 is none).
        Ok(unsafe { OwnedFd::from_raw_fd(output) })
    }
}

/// Reads `buffer` full from `offset` on.
///
/// # Errors
///
/// [`Error::Read`] and [`Error::ShortRead`], naming `block`.
#[allow(
    clippy::inline_always,
    reason = "the kernel empties the processor's stack of return addresses"
)]
#[inline(always)]
pub(super) fn read_exact(
    fd: BorrowedFd<'_>,
    block: Block,
    buffer: &mut [u8],
    offset: u64,
) -> Result<(), Error> {
    let expected = buffer.len();
    // As a rule one read is enough.
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

/// Reads until `buffer` is full or the file ends, and says how many bytes
/// there were. Only `pread`: the position of a statistics fd is shared with
/// its duplicates, and `lseek` does not move it.
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

/// Fills `data` with `len` bytes from `offset` on, in one read.
///
/// # Errors
///
/// [`Error::Read`] and [`Error::ShortRead`].
#[allow(
    clippy::inline_always,
    reason = "the kernel empties the processor's stack of return addresses"
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

/// The bytes of `words`.
fn bytes_of(words: &mut [u64]) -> &mut [u8] {
    let len = size_of_val(words);
    // SAFETY: the pointer is valid for `len` bytes, for as long as `words` is
    // borrowed; bytes need no alignment; a word has no padding, and any eight
    // bytes are a word.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), len) }
}
