//! The rights of the helper: CAP_SYS_PTRACE, and no other capability.
//!
//! In: the capabilities with which the process was started. Out: at most one of them. This
//! file knows no QEMU.

use std::fs;

use rustix::io::Errno;
use rustix::process::getuid;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    clear_ambient_capability_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};

use crate::failure::Failure;

/// The one capability that the helper needs.
const NEEDED: CapabilitySet = CapabilitySet::SYS_PTRACE;

/// Drops every capability but CAP_SYS_PTRACE, from every set of the calling thread. Must run
/// before any other thread is started, because threads have capabilities of their own.
/// Returns whether CAP_SYS_PTRACE is there.
///
/// # Errors
///
/// Returns an error if the kernel refuses, because the process would have more rights
/// than documented.
pub(super) fn keep_one_capability() -> Result<bool, Failure> {
    drop_others().map_err(|errno| {
        let reason = "cannot drop the capabilities that are not needed";
        Failure::other(format!("{reason}: {errno}"))
    })
}

fn drop_others() -> Result<bool, Errno> {
    set_no_new_privs(true)?;
    for bit in 0..u64::BITS {
        let capability = CapabilitySet::from_bits_retain(1 << bit);
        match capability_is_in_bounding_set(capability) {
            Ok(true) if capability != NEEDED => {
                match remove_capability_from_bounding_set(capability) {
                    // Without CAP_SETPCAP the set stays as it is. It bounds what programs that
                    // are executed may have, and `no_new_privs` gives them nothing.
                    Ok(()) | Err(Errno::PERM) => {}
                    Err(errno) => return Err(errno),
                }
            }
            Ok(_) => {}
            // The kernel has no capability of this number.
            Err(_) => break,
        }
    }
    clear_ambient_capability_set()?;
    let CapabilitySets {
        effective,
        permitted,
        inheritable,
    } = capabilities(None)?;
    let kept = permitted & NEEDED;
    // Under systemd nothing is left to drop, and the filter of the unit forbids the call.
    if effective != kept || permitted != kept || !NEEDED.contains(inheritable) {
        set_capabilities(
            None,
            CapabilitySets {
                effective: kept,
                permitted: kept,
                inheritable: CapabilitySet::empty(),
            },
        )?;
    }
    Ok(!kept.is_empty())
}

/// Returns what a process without CAP_SYS_PTRACE can adopt.
pub(super) fn reach_without_capability() -> String {
    let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope");
    let is_restricted = scope.is_ok_and(|scope| scope.trim_end() != "0");
    let user = getuid().as_raw();
    let reach = if is_restricted {
        "kernel.yama.ptrace_scope is not 0, so that no QEMU can be adopted".to_owned()
    } else {
        format!("only QEMUs of the user {user} can be adopted")
    };
    format!(
        "without CAP_SYS_PTRACE, {reach}: start vmstats-adopt.service, which has that capability \
         and no other, or run the command as root"
    )
}
