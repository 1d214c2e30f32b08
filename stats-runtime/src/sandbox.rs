//! The system calls that each role of this library makes, for seccomp filters.
//!
//! In: roles that a thread plays. Out: names of system calls with the arguments that
//! filters compare, and a filter in Firecracker's form. The test `sandbox` runs every
//! role under a filter that permits these calls only.
//!
//! The calls are those of Rust's standard library and of the C library as well: the
//! allocator's, and what a new thread does before it runs. They were observed with
//! glibc 2.36 and musl 1.2 on x86-64; those of aarch64 are the calls that take the
//! place of the ones which that architecture lacks.
//!
//! Threads inherit the seccomp filter and the Landlock rules of the thread that
//! starts them. Start a server from a thread that has the filter which the server's
//! threads shall have.
//!
//! ```
//! use stats_runtime::sandbox::{Role, filter_json};
//!
//! // A VMM that opens its files early and serves its monitor from its own loop.
//! let json = filter_json("vmm", &[Role::Query, Role::Poll, Role::End]);
//! assert!(json.contains("\"syscall\": \"pread64\""));
//! ```

use std::fmt::Write as _;

/// A part that a thread plays. A thread that plays several needs the system calls of
/// all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Role {
    /// Opens the statistics of a VM and its vCPUs, with
    /// [`open_unchecked`](https://docs.rs/kvm-stats) or, which also needs
    /// `readlinkat`, with `open`, `KvmProvider::with_vm` and `add_vcpu`.
    Open,
    /// Answers queries: `Registry::query`, and the sessions of all servers. A
    /// provider of the VMM's own adds its own calls.
    Query,
    /// Makes a Unix listener, `Listener::unix`. A listener that the VMM makes before
    /// its filter needs nothing of this.
    Listen,
    /// Makes a server without threads, `Polled::new`. The descriptors can be made
    /// before the filter.
    Construct,
    /// Drives a server without threads: `Polled::turn`.
    Poll,
    /// Starts a server with threads, `Server::start`, beside [`Construct`](Self::Construct).
    Start,
    /// Is one of a server's threads, from its first instruction to its last, beside
    /// [`Query`](Self::Query) and [`Poll`](Self::Poll).
    Thread,
    /// Ends a server: `Server::stop`, `Polled::drain`, and dropping either.
    End,
}

/// A system call that a role makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Syscall {
    /// The name in the kernel's table.
    pub name: &'static str,
    /// The arguments that are always the same, for filters that compare arguments:
    /// index and value. Several entries of one name are alternatives.
    pub arguments: &'static [(u8, u64)],
    /// The only architecture that has the call, or `None` for all.
    pub arch: Option<&'static str>,
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
        arch: None,
        reason,
    }
}

const fn on(arch: &'static str, name: &'static str, reason: &'static str) -> Syscall {
    Syscall {
        name,
        arguments: &[],
        arch: Some(arch),
        reason,
    }
}

const X86: &str = "x86_64";

const KVM_CHECK_EXTENSION: u64 = 0xae03;
const KVM_GET_STATS_FD: u64 = 0xaece;
// The crate of the format has these numbers, too, but this file exists without it.
#[cfg(feature = "kvm")]
const _: () = assert!(
    KVM_CHECK_EXTENSION == kvm_stats::KVM_CHECK_EXTENSION as u64
        && KVM_GET_STATS_FD == kvm_stats::KVM_GET_STATS_FD as u64
);
const FIONBIO: u64 = 0x5421;
const AF_UNIX: u64 = 1;
const SOCK_CLOEXEC: u64 = 0o2_000_000;
const F_SETFD: u64 = 2;
const F_GETFD: u64 = 1;
const O_RDONLY_CLOEXEC: u64 = 0o2_000_000;
const PR_SET_NAME: u64 = 15;
const MADV_DONTNEED: u64 = 4;

/// The calls of the allocator and of locks, which every role may make.
const MEMORY: &[Syscall] = &[
    any("brk", "allocator"),
    any("mmap", "allocator"),
    any("munmap", "allocator"),
    any(
        "mremap",
        "allocator, for a large reply to a client that does not read",
    ),
    any(
        "mprotect",
        "allocator and stacks, in threads other than the first",
    ),
    with(
        "madvise",
        &[(2, MADV_DONTNEED)],
        "allocator, and a thread's stack at its end",
    ),
    any("futex", "locks"),
    any("getrandom", "seed of hash tables and of the allocator"),
    any("close", "descriptors"),
    with(
        "fcntl",
        &[(1, F_GETFD)],
        "Rust, in debug builds only: before a close",
    ),
    any("clock_gettime", "time, where the vDSO does not have it"),
    with(
        "openat",
        &[(2, O_RDONLY_CLOEXEC)],
        "glibc's allocator: /proc/sys/vm/overcommit_memory",
    ),
    any("read", "the same file, eventfd and timerfd"),
    any("rt_sigprocmask", "the start and the end of threads"),
];

const OPEN: &[Syscall] = &[
    with("ioctl", &[(1, KVM_GET_STATS_FD)], "the statistics file"),
    with("ioctl", &[(1, KVM_CHECK_EXTENSION)], "kvm_stats::supports"),
    any("pread64", "the file's header and descriptors"),
    any("readlinkat", "kvm_stats::open: /proc/self/fd/N"),
];

const QUERY: &[Syscall] = &[any("pread64", "the values of an object")];

const LISTEN: &[Syscall] = &[
    with(
        "socket",
        &[(0, AF_UNIX)],
        "the listener, and a client of the old one",
    ),
    any("fchmod", "the socket's mode"),
    on(X86, "open", "the lock file beside the socket"),
    any(
        "openat",
        "the same on other architectures, and the socket's file",
    ),
    any("flock", "starts of several servers at one path"),
    any("fstat", "the lock file"),
    any("bind", "the socket's path"),
    any("listen", "the socket's queue"),
    any("connect", "whether a server listens at a path that exists"),
    on(
        X86,
        "unlink",
        "the lock file, and the socket of a server that has gone",
    ),
    any("unlinkat", "the same on other architectures"),
    any("statx", "the file that is the server's own"),
    on(X86, "lstat", "the same with musl"),
    any("newfstatat", "the same with musl on other architectures"),
    with("ioctl", &[(1, FIONBIO)], "a listener that does not block"),
    any("getsockopt", "SO_DOMAIN of a listener"),
    any("fchownat", "UnixAccess::group"),
    any("unshare", "UnixAccess: a mode for a group or for others"),
    on(X86, "chmod", "the same"),
    any("fchmodat", "the same on other architectures"),
    any("umask", "the same"),
    any("geteuid", "the same"),
    any("clock_nanosleep", "the wait for another start"),
    any("nanosleep", "the same with musl"),
];

const CONSTRUCT: &[Syscall] = &[
    any("epoll_create1", "the server's descriptor"),
    any("eventfd2", "events wake the server"),
    any("timerfd_create", "timeouts"),
    any("epoll_ctl", "listeners"),
    with("ioctl", &[(1, FIONBIO)], "listeners that do not block"),
    any("getsockopt", "SO_DOMAIN of a listener"),
];

const POLL: &[Syscall] = &[
    any("epoll_pwait", "readiness"),
    on(X86, "epoll_wait", "the VMM's own loop"),
    any("epoll_ctl", "clients"),
    with("accept4", &[(3, SOCK_CLOEXEC)], "clients"),
    with("ioctl", &[(1, FIONBIO)], "clients' sockets do not block"),
    any("recvfrom", "requests"),
    any("sendto", "replies"),
    any("write", "eventfd"),
    any("timerfd_settime", "timeouts"),
    any(
        "getsockopt",
        "SO_PEERCRED, with allow_uids and allow_gids only",
    ),
    any("getpeername", "add_client, and refused clients of TCP"),
    with("fcntl", &[(1, F_SETFD)], "add_client"),
    any("setsockopt", "clients of TCP: TCP_NODELAY"),
    any("shutdown", "the end of a client of add_client"),
];

const START: &[Syscall] = &[
    any("clone3", "glibc: threads"),
    any("clone", "musl, and glibc without clone3: threads"),
    any("sched_getaffinity", "glibc: a thread's attributes"),
    any("write", "eventfd, if a thread cannot be started"),
];

const THREAD: &[Syscall] = &[
    any("rseq", "glibc: a new thread"),
    any("set_robust_list", "glibc: a new thread"),
    any("set_tid_address", "musl: a new thread"),
    any(
        "sigaltstack",
        "Rust: the stack of a new thread's signal handlers",
    ),
    any("sched_getaffinity", "glibc: the place of a thread's stack"),
    with("prctl", &[(0, PR_SET_NAME)], "the thread's name"),
    any("gettid", "a new thread"),
    any("exit", "a thread's end"),
];

const END: &[Syscall] = &[
    any("write", "eventfd"),
    any("shutdown", "the end of a client of add_client"),
    any("epoll_ctl", "clients"),
    any("epoll_pwait", "clients that still read"),
    on(X86, "poll", "the wait for them"),
    any("ppoll", "the same on other architectures"),
    any(
        "statx",
        "the socket's file, if it is still the server's own",
    ),
    any("newfstatat", "the same"),
    on(X86, "stat", "musl: the same"),
    on(X86, "lstat", "musl: the same"),
    on(X86, "unlink", "the socket's file"),
    any("unlinkat", "the same on other architectures"),
    any("clock_nanosleep", "the wait for commands"),
    any("nanosleep", "musl: the same"),
];

impl Role {
    /// All roles.
    pub const ALL: &[Self] = &[
        Self::Open,
        Self::Query,
        Self::Listen,
        Self::Construct,
        Self::Poll,
        Self::Start,
        Self::Thread,
        Self::End,
    ];

    /// Returns the system calls that the role makes, besides those that every role
    /// makes, see [`memory`].
    #[must_use]
    pub fn syscalls(self) -> &'static [Syscall] {
        match self {
            Self::Open => OPEN,
            Self::Query => QUERY,
            Self::Listen => LISTEN,
            Self::Construct => CONSTRUCT,
            Self::Poll => POLL,
            Self::Start => START,
            Self::Thread => THREAD,
            Self::End => END,
        }
    }
}

/// Returns the system calls that every role makes: of the allocator and of locks.
#[must_use]
pub fn memory() -> &'static [Syscall] {
    MEMORY
}

/// Returns a filter in the form of Firecracker's seccomp files for a thread that
/// plays some roles, with the calls of this machine's architecture. Any other call
/// raises SIGSYS.
#[must_use]
pub fn filter_json(thread: &str, roles: &[Role]) -> String {
    let of_roles = roles.iter().flat_map(|role| role.syscalls());
    let mut rules: Vec<String> = MEMORY
        .iter()
        .chain(of_roles)
        .filter(|call| call.arch.is_none_or(|arch| arch == std::env::consts::ARCH))
        .map(rule)
        .collect();
    rules.sort_unstable();
    rules.dedup();
    format!(
        "{{\n  \"{thread}\": {{\n    \"default_action\": \"trap\",\n    \"filter_action\": \
         \"allow\",\n    \"filter\": [\n      {}\n    ]\n  }}\n}}\n",
        rules.join(",\n      ")
    )
}

fn rule(call: &Syscall) -> String {
    let mut rule = format!("{{\"syscall\": \"{}\"", call.name);
    for (number, (index, value)) in call.arguments.iter().enumerate() {
        let before = if number == 0 { ", \"args\": [" } else { ", " };
        // Writing to a String does not fail.
        let _ = write!(
            rule,
            "{before}{{\"index\": {index}, \"type\": \"dword\", \"op\": \"eq\", \"val\": {value}}}"
        );
    }
    if !call.arguments.is_empty() {
        rule.push(']');
    }
    rule.push('}');
    rule
}
