//! System calls and conversions that have no safe wrapper elsewhere.
//!
//! In: descriptors, words of memory. Out: descriptors, numbers, bytes, atomics.
//! This file has all `unsafe` code of the crate, and knows no layout.
#![allow(
    unsafe_code,
    reason = "KVM's ioctls have no safe wrapper, words are filled as bytes, and counters lie in \
              shared memory"
)]

use std::ffi::c_void;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::AtomicU64;

use rustix::io::retry_on_intr;
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

use crate::error::Error;
use crate::requests::{KVM_CHECK_EXTENSION, KVM_GET_STATS_FD};

/// Opens the statistics of a VM or vCPU without asking `/proc` what its fd is. See
/// [`open`](crate::open).
///
/// # Safety
///
/// `object` must be KVM's fd of a VM or a vCPU, and open during the call. Another
/// driver may give the ioctl's number another meaning, and return a number that is
/// not an fd, or that is the fd of somebody else.
///
/// # Errors
///
/// Returns [`Error::Ioctl`] as [`open`](crate::open) does.
pub unsafe fn open_unchecked(object: &impl AsRawFd) -> Result<OwnedFd, Error> {
    let fd = get_stats_fd(object.as_raw_fd())?;
    // SAFETY: the caller promises an fd of KVM, for which the ioctl returns a new fd
    // that nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Opens the statistics of the object of `fd`, and takes the result only if
/// `is_stats` recognizes it as a statistics file.
pub(crate) fn stats_fd_if(
    fd: RawFd,
    is_stats: impl FnOnce(RawFd) -> bool,
) -> Result<OwnedFd, Error> {
    let opened = get_stats_fd(fd)?;
    if !is_stats(opened) {
        return Err(Error::NotKvm {
            fd,
            link: "an fd whose ioctl opens no statistics".to_owned(),
        });
    }
    // SAFETY: the ioctl returned this fd, and it is a statistics file. Only KVM makes
    // such files, with this ioctl, and gives each a new fd, which nobody else owns.
    Ok(unsafe { OwnedFd::from_raw_fd(opened) })
}

fn get_stats_fd(fd: RawFd) -> Result<RawFd, Error> {
    call(fd, KVM_GET_STATS_FD, 0)
}

/// Asks a VM or `/dev/kvm` for a capability.
pub(crate) fn check_extension(fd: RawFd, capability: u32) -> Result<i32, Error> {
    call(fd, KVM_CHECK_EXTENSION, capability)
}

/// Makes one of KVM's ioctls whose argument is a number, or ignored.
fn call(fd: RawFd, request: u32, argument: u32) -> Result<i32, Error> {
    if fd < 0 {
        return Err(Error::Ioctl {
            errno: rustix::io::Errno::BADF.raw_os_error(),
        });
    }
    // SAFETY: the number is not -1. If another thread closes the fd meanwhile, which
    // its owner's borrow forbids, the ioctl fails or meets another file; it passes no
    // pointer, so that it can do no harm to this process's memory.
    let fd = unsafe { BorrowedFd::borrow_raw(fd) };
    let request = NumberRequest { request, argument };
    // SAFETY: neither request passes a pointer to the kernel, and both return a number.
    retry_on_intr(|| unsafe { ioctl(fd, request) }).map_err(|errno| Error::Ioctl {
        errno: errno.raw_os_error(),
    })
}

/// A request of KVM's with a number as its argument and its result.
#[derive(Clone, Copy)]
struct NumberRequest {
    request: u32,
    argument: u32,
}

// SAFETY: `KVM_GET_STATS_FD` of a VM or a vCPU (kvm_vm_ioctl_get_stats_fd and
// kvm_vcpu_ioctl_get_stats_fd in virt/kvm/kvm_main.c) ignores its argument, and
// `KVM_CHECK_EXTENSION` (kvm_vm_ioctl_check_extension_generic) takes it as a number:
// neither accesses memory of the caller. The numbers of the requests are the same on
// every architecture.
unsafe impl Ioctl for NumberRequest {
    type Output = i32;

    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        self.request
    }

    fn as_ptr(&mut self) -> *mut c_void {
        ptr::without_provenance_mut(self.argument as usize)
    }

    unsafe fn output_from_ptr(output: IoctlOutput, _: *mut c_void) -> rustix::io::Result<i32> {
        Ok(output)
    }
}

/// Returns the bytes of `words`.
pub(crate) fn bytes_of(words: &mut [u64]) -> &mut [u8] {
    let len = size_of_val(words);
    // SAFETY: the pointer is valid for `len` bytes while `words` is borrowed. Bytes
    // need no alignment, a `u64` has no padding, and any eight bytes are a `u64`.
    unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), len) }
}

/// Words of a file, mapped shared, so that its readers see each change.
#[derive(Debug)]
pub(crate) struct SharedWords {
    start: NonNull<c_void>,
    len: usize,
}

// SAFETY: the mapping belongs to this value alone and is accessed by atomics only.
unsafe impl Send for SharedWords {}
// SAFETY: as above.
unsafe impl Sync for SharedWords {}

impl SharedWords {
    /// Maps the first `len` bytes of a file, which must have that length, and which
    /// nobody may shorten: otherwise an access is a SIGBUS.
    pub(crate) fn map(file: impl AsFd, len: usize) -> rustix::io::Result<Self> {
        let protection = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: the address is the kernel's choice, so no memory of Rust's is
        // replaced.
        let start = unsafe {
            mmap(
                ptr::null_mut(),
                len,
                protection,
                MapFlags::SHARED,
                file.as_fd(),
                0,
            )?
        };
        let start = NonNull::new(start).ok_or(rustix::io::Errno::NOMEM)?;
        Ok(Self { start, len })
    }

    /// Returns the word at a byte offset, or `None` if the offset is outside the mapping
    /// or unaligned.
    pub(crate) fn word(&self, offset: usize) -> Option<&AtomicU64> {
        if !offset.is_multiple_of(size_of::<u64>()) || offset + size_of::<u64>() > self.len {
            return None;
        }
        // SAFETY: the word lies within the mapping, which lives as long as `self`; a
        // mapping begins at a page, so the word is aligned. Other processes access the
        // word by the kernel's copies only.
        Some(unsafe { self.start.cast::<AtomicU64>().byte_add(offset).as_ref() })
    }
}

impl Drop for SharedWords {
    fn drop(&mut self) {
        // SAFETY: the mapping is this value's own, and no reference to it is left. The
        // call cannot fail for a mapping of that length.
        let _ = unsafe { munmap(self.start.as_ptr(), self.len) };
    }
}
