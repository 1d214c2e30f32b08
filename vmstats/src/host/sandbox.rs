//! The rights that the host and its inspectors keep.
//!
//! In: what a process will do. Out: a process to which the kernel forbids the rest, with
//! Landlock and seccomp. Call it before the process has other threads.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, Scope,
    path_beneath_rules,
};
use seccompiler::{BpfProgram, TargetArch, compile_from_json};
use stats_runtime::sandbox::{Role, Syscall, memory};

use crate::failure::Failure;

/// The roles of stats-runtime that the host's threads play.
const ROLES: &[Role] = &[
    Role::Query,
    Role::Listen,
    Role::Construct,
    Role::Poll,
    Role::Thread,
    Role::End,
];

/// The system calls of the host and of its inspectors, besides those of the roles.
const BOTH: &[&str] = &[
    // Signals, and the end of the process.
    "exit",
    "exit_group",
    "restart_syscall",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    "tgkill",
    // Threads: the C library's.
    "clone",
    "clone3",
    "getpid",
    "gettid",
    "membarrier",
    "prctl",
    "rseq",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    // Calls that cannot fail by their manual pages: rustix panics if the filter refuses one.
    "getegid",
    "geteuid",
    "getgid",
    "getppid",
    "getuid",
    "uname",
    // Time and memory.
    "clock_gettime",
    "clock_nanosleep",
    "getrandom",
    "madvise",
    "mprotect",
    "mremap",
    "nanosleep",
    // Packets with files.
    "close",
    "fcntl",
    "ppoll",
    "read",
    "readlinkat",
    "recvmsg",
    "sendmsg",
    "write",
];

/// The system calls of the host alone.
const HOST: &[&str] = &[
    // VMMs: their connections and processes, and the sockets of parcels.
    "accept4",
    "getsockopt",
    "pidfd_open",
    "setsockopt",
    "socketpair",
    "wait4",
    "waitid",
    // The VMs' sockets and the service manager's.
    "bind",
    "connect",
    "fchmod",
    "fchmodat",
    "fchownat",
    "flock",
    "getsockname",
    "listen",
    "sendto",
    "socket",
    "unlinkat",
    // The loops.
    "epoll_create1",
    "epoll_ctl",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    // The exporter: clients of HTTP, the folder of sockets, /proc.
    "fstat",
    "getdents64",
    "getpeername",
    "ioctl",
    "lseek",
    "newfstatat",
    "openat",
    "prlimit64",
    "recvfrom",
    "shutdown",
    "statx",
    "writev",
];

/// The old system calls of x86-64, for which newer architectures have only their successors.
const OLD: &[&str] = if cfg!(target_arch = "x86_64") {
    &[
        "accept",
        "chmod",
        "chown",
        "epoll_wait",
        "poll",
        "readlink",
        "unlink",
    ]
} else {
    &[]
};

/// Confines the host. It may change `folder` and the folders of its own sockets, and read
/// `/proc` and `/sys`; it can open no TCP connection and listen at no further port.
///
/// # Errors
///
/// Returns an error if the kernel refuses the filter.
pub(super) fn confine_host(folder: &Path, sockets: &[PathBuf]) -> Result<(), Failure> {
    let own = std::iter::once(folder).chain(sockets.iter().filter_map(|socket| socket.parent()));
    restrict_files(own)?;
    let of_roles = ROLES.iter().flat_map(|role| role.syscalls());
    filter(of_roles, BOTH.iter().chain(HOST))
}

/// Confines an inspector, which can open nothing.
///
/// # Errors
///
/// Returns an error if the kernel refuses the filter.
pub(super) fn confine_inspector() -> Result<(), Failure> {
    restrict_files(std::iter::empty())?;
    filter(std::iter::empty(), BOTH.iter())
}

/// Restricts the process to files below `own`, and to reading `/proc` and `/sys` if there
/// are such folders. A kernel without Landlock restricts nothing, which is logged.
fn restrict_files<'a>(own: impl Iterator<Item = &'a Path>) -> Result<(), Failure> {
    let abi = ABI::V5;
    let mut own: Vec<&Path> = own.collect();
    // A socket that is given by a bare name is in the current folder.
    own.iter_mut()
        .filter(|path| path.as_os_str().is_empty())
        .for_each(|path| *path = Path::new("."));
    let read: &[&str] = if own.is_empty() {
        &[]
    } else {
        &["/proc", "/sys"]
    };
    let restrict = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::Signal)?
            .create()?
            .add_rules(path_beneath_rules(own, AccessFs::from_all(abi)))?
            .add_rules(path_beneath_rules(read, AccessFs::from_read(abi)))?
            .restrict_self()
    };
    let status = restrict().map_err(|error| {
        Failure::other(format!(
            "cannot restrict the access to files (Landlock): {error}"
        ))
    })?;
    tracing::info!("Landlock: {:?}", status.ruleset);
    Ok(())
}

/// Restricts the process to the system calls in `of_roles`, `own` and `OLD`, and to the
/// library's calls for memory. Any other system call fails with EPERM.
fn filter(
    of_roles: impl Iterator<Item = &'static Syscall>,
    own: impl Iterator<Item = &'static &'static str>,
) -> Result<(), Failure> {
    let arch = std::env::consts::ARCH;
    let own = own.chain(OLD).copied();
    let program = compile(of_roles, own, arch).map_err(cannot_filter)?;
    seccompiler::apply_filter(&program).map_err(cannot_filter)
}

fn cannot_filter(error: impl fmt::Display) -> Failure {
    Failure::other(format!(
        "cannot restrict the system calls (seccomp): {error}"
    ))
}

/// Compiles a filter for an architecture.
fn compile(
    of_roles: impl Iterator<Item = &'static Syscall>,
    own: impl Iterator<Item = &'static str>,
    arch: &str,
) -> Result<BpfProgram, String> {
    let of_library = memory().iter().chain(of_roles);
    let of_library = of_library.filter(|call| call.arch.is_none_or(|only| only == arch));
    let calls: BTreeSet<&str> = of_library.map(|call| call.name).chain(own).collect();
    let rules: Vec<String> = { calls.iter() }
        .map(|call| format!(r#"{{"syscall": "{call}"}}"#))
        .collect();
    let json = format!(
        r#"{{"all": {{"default_action": {{"errno": 1}}, "filter_action": "allow", "filter": [{}]}}}}"#,
        rules.join(",")
    );
    let arch = TargetArch::try_from(arch).map_err(|error| error.to_string())?;
    let mut programs =
        compile_from_json(json.as_bytes(), arch).map_err(|error| error.to_string())?;
    programs
        .remove("all")
        .ok_or_else(|| "an empty filter".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_call_exists_on_each_architecture() {
        for arch in ["x86_64", "aarch64"] {
            let of_roles = ROLES.iter().flat_map(|role| role.syscalls());
            let own = BOTH.iter().chain(HOST).copied();
            assert!(!compile(of_roles, own, arch).unwrap().is_empty(), "{arch}");
        }
    }
}
