//! The system calls of each phase of a hand-over, for seccomp filters.
//!
//! In: a phase. Out: names of system calls with the arguments that filters compare.
//! The test `syscalls` runs every phase under a filter that permits these calls only.
//!
//! Phases that allocate also need the calls of the VMM's allocator, which are not
//! listed: [`Phase::allocates`].

/// A part of a hand-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// `Handover::new`.
    New,
    /// `Handover::set_vm` and `add_vcpu`, which open a statistics file: before the vCPUs
    /// run. Once the state is given, they also need [`Give`](Self::Give).
    Open,
    /// [`connect`](crate::connect). A VMM that inherits its socket needs nothing of this.
    Connect,
    /// `Handover::give`, and every change afterwards.
    Give,
    /// The end of a hand-over, of a connection, and of a file that is replaced or removed.
    End,
}

/// A system call of a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Syscall {
    /// The name in the kernel's table.
    pub name: &'static str,
    /// The arguments that are always the same, for filters that compare arguments:
    /// index and value. Several entries of one name are alternatives.
    pub arguments: &'static [(u8, u64)],
    /// The reason for the call.
    pub reason: &'static str,
}

const fn any(name: &'static str, reason: &'static str) -> Syscall {
    with(name, &[], reason)
}

const fn with(
    name: &'static str,
    arguments: &'static [(u8, u64)],
    reason: &'static str,
) -> Syscall {
    Syscall {
        name,
        arguments,
        reason,
    }
}

const AF_UNIX: u64 = 1;
const F_GETFD: u64 = 1;
const SOL_SOCKET: u64 = 1;
const SO_SNDBUF: u64 = 7;
/// `MSG_DONTWAIT` and `MSG_NOSIGNAL`.
const SEND_FLAGS: u64 = 0x4040;
const GET_STATS_FD: u64 = kvm_stats::KVM_GET_STATS_FD as u64;

const NEW: &[Syscall] = &[any("uname", "the kernel's release")];

const OPEN: &[Syscall] = &[
    with("ioctl", &[(1, GET_STATS_FD)], "the statistics file"),
    any("readlinkat", "/proc/self/fd/N: whether the fd is KVM's"),
];

const CONNECT: &[Syscall] = &[
    with("socket", &[(0, AF_UNIX)], "the connection"),
    with(
        "setsockopt",
        &[(1, SOL_SOCKET), (2, SO_SNDBUF)],
        "room for the packets of many vCPUs",
    ),
    any("connect", "the receiver's path"),
];

const GIVE: &[Syscall] = &[with("sendmsg", &[(2, SEND_FLAGS)], "a packet")];

const END: &[Syscall] = &[
    any("close", "descriptors"),
    with(
        "fcntl",
        &[(1, F_GETFD)],
        "Rust, in debug builds only: before a close",
    ),
];

impl Phase {
    /// All phases.
    pub const ALL: &[Self] = &[Self::New, Self::Open, Self::Connect, Self::Give, Self::End];

    /// Returns the system calls of the phase.
    #[must_use]
    pub fn syscalls(self) -> &'static [Syscall] {
        match self {
            Self::New => NEW,
            Self::Open => OPEN,
            Self::Connect => CONNECT,
            Self::Give => GIVE,
            Self::End => END,
        }
    }

    /// Returns whether the phase allocates memory. Adding a file after `give` allocates
    /// if no room is [reserved](crate::Handover::reserve).
    #[must_use]
    pub fn allocates(self) -> bool {
        match self {
            Self::New | Self::Open | Self::Connect => true,
            Self::Give | Self::End => false,
        }
    }
}
