//! The numbers of KVM's requests that this crate makes.
//!
//! In: include/uapi/linux/kvm.h. Out: constants, also for authors of seccomp filters.

/// The ioctl that opens the statistics of a VM or vCPU: `_IO(KVMIO, 0xce)`. A seccomp
/// filter that compares the request must permit this number.
pub const KVM_GET_STATS_FD: u32 = 0xaece;

/// The ioctl that asks for a capability: `_IO(KVMIO, 0x03)`. Only
/// [`supports`](crate::supports) makes it.
pub const KVM_CHECK_EXTENSION: u32 = 0xae03;

/// The number of the capability.
pub const KVM_CAP_BINARY_STATS_FD: u32 = 203;
