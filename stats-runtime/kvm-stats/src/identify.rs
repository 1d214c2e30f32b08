//! The kind of a file that another process gave.
//!
//! In: a file descriptor. Out: its kind, by the kernel's word alone. This file never
//! asks the file's own file system, which might never answer, and knows no layout.

use std::borrow::Cow;
use std::ffi::CStr;
use std::io::Write as _;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::str;

use rustix::fs::{CWD, SealFlags, fcntl_get_seals, readlinkat_raw};

use crate::error::Error;

/// The longest link that is read; the rest of a longer one is lost. Every link that
/// has a meaning here is shorter.
const LINK_SIZE_MAX: usize = 256;
const VM_STATS: &[u8] = b"anon_inode:kvm-vm-stats";
const VCPU_STATS: &[u8] = b"anon_inode:kvm-vcpu-stats:";

/// The kind of a file, as far as statistics are concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// The statistics of a VM, from KVM.
    VmStats,
    /// The statistics of a vCPU, from KVM, with the number that the VMM gave the vCPU
    /// when it made it. On x86 that is its APIC ID.
    VcpuStats(u32),
    /// Memory whose length is fixed (`F_SEAL_SHRINK` and `F_SEAL_GROW`), such as the
    /// file of a [`Writer`](crate::Writer). Its content is the sender's word.
    Sealed,
    /// Any other file: a read of it may last for ever.
    Other,
}

/// Returns the kind of a file, also of one that a stranger gave.
///
/// The function asks the kernel for the file's link in `/proc/self/fd` and for its
/// seals, and its file system for nothing: `fstat`, `read` and even `close` of a FUSE
/// file whose server is silent wait in the kernel, where no signal ends them.
/// The answer cannot be faked: no path begins with `anon_inode:`, and only memory has
/// seals. The function allocates nothing.
///
/// # Errors
///
/// Returns [`Error::Unchecked`] if `/proc` is not mounted.
pub fn identify(fd: impl AsFd) -> Result<FileKind, Error> {
    let fd = fd.as_fd();
    if let Some(kind) = Link::of(fd.as_raw_fd())?.stats() {
        return Ok(kind);
    }
    let fixed = SealFlags::SHRINK | SealFlags::GROW;
    // Any other kind of file has no seals, and the kernel answers EINVAL itself.
    let is_sealed = fcntl_get_seals(fd).is_ok_and(|seals| seals.contains(fixed));
    Ok(if is_sealed {
        FileKind::Sealed
    } else {
        FileKind::Other
    })
}

/// The link of an fd in `/proc/self/fd`.
pub(crate) struct Link {
    bytes: [u8; LINK_SIZE_MAX],
    len: usize,
}

impl Link {
    /// Reads the link of an fd of this process.
    pub(crate) fn of(fd: RawFd) -> Result<Self, Error> {
        let unchecked = |errno: i32| Error::Unchecked { fd, errno };
        // The zeros that follow the digits end the string.
        let mut path = [0; 32];
        // The longest path has 25 bytes: writing it does not fail.
        let _ = write!(path.as_mut_slice(), "/proc/self/fd/{fd}");
        let path = CStr::from_bytes_until_nul(&path).unwrap_or_default();
        let mut bytes = [0; LINK_SIZE_MAX];
        let len = readlinkat_raw(CWD, path, bytes.as_mut_slice())
            .map_err(|errno| unchecked(errno.raw_os_error()))?;
        Ok(Self { bytes, len })
    }

    fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Returns the link as text.
    pub(crate) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self.bytes())
    }

    /// Returns whether the link is that of a VM or of a vCPU.
    pub(crate) fn is_object(&self) -> bool {
        self.bytes() == b"anon_inode:kvm-vm" || self.bytes().starts_with(b"anon_inode:kvm-vcpu:")
    }

    /// Returns the kind of the statistics file, if the link is that of one.
    pub(crate) fn stats(&self) -> Option<FileKind> {
        if self.bytes() == VM_STATS {
            return Some(FileKind::VmStats);
        }
        let number = str::from_utf8(self.bytes().strip_prefix(VCPU_STATS)?).ok()?;
        number.parse().ok().map(FileKind::VcpuStats)
    }
}
