//! Opening the statistics of a VM or vCPU.
//!
//! In: KVM's fd, from any crate. Out: the fd of a statistics file. This file knows
//! no layout.

use std::os::fd::{AsRawFd, OwnedFd};

use crate::error::Error;
use crate::identify::Link;
use crate::requests::KVM_CAP_BINARY_STATS_FD;
use crate::sys;

/// Opens the statistics of a VM or a vCPU, whichever crate its fd is from:
/// kvm-ioctls' `VmFd` and `VcpuFd`, a `File`, an `OwnedFd`.
///
/// Open a vCPU's statistics before its first `KVM_RUN`: the kernel takes the vCPU's
/// lock, so the call waits until a running vCPU next leaves the kernel, which may be
/// never.
///
/// On Linux 6.5 and later an open statistics file keeps its VM alive in the kernel. On
/// earlier kernels, unless they have "KVM: Grab a reference to KVM for VM and vCPU
/// stats file descriptors", a file that outlives its VM makes the kernel read freed
/// memory: close it **before** the last fd of the VM and of its vCPUs, and do not pass
/// it to another process.
///
/// The function asks `/proc/self/fd` what the fd is, before the ioctl and of the
/// result, so that an fd that is not KVM's does no harm. In a jail without `/proc`
/// use [`open_unchecked`](crate::open_unchecked).
///
/// # Errors
///
/// Returns [`Error::NotKvm`] if the fd is not a VM's or vCPU's,
/// [`Error::Unchecked`] if `/proc` cannot say what it is, and otherwise
/// [`Error::Ioctl`]: `EIO` if the VM belongs to another process or is dead,
/// `EMFILE` if the process has no room for an fd, `ENOTTY` if the kernel is older
/// than 5.14.
pub fn open(object: &impl AsRawFd) -> Result<OwnedFd, Error> {
    let fd = object.as_raw_fd();
    let link = Link::of(fd)?;
    if !link.is_object() {
        let link = link.text().into_owned();
        return Err(Error::NotKvm { fd, link });
    }
    sys::stats_fd_if(fd, |opened| {
        Link::of(opened).is_ok_and(|link| link.stats().is_some())
    })
}

/// Returns whether the kernel has binary statistics. `kvm` is `/dev/kvm` or a VM.
///
/// # Errors
///
/// Returns [`Error::Ioctl`] if the fd is not one of these.
pub fn supports(kvm: &impl AsRawFd) -> Result<bool, Error> {
    sys::check_extension(kvm.as_raw_fd(), KVM_CAP_BINARY_STATS_FD).map(|answer| answer > 0)
}
