//! The functions of `stats_handover.h`.
//!
//! In: pointers and descriptors from C. Out: calls of `stats_handover`. This file has
//! all `unsafe` code of the package: it trusts the caller in what the header says.
#![allow(
    unsafe_code,
    reason = "C passes pointers and gives descriptors away, and finds functions by their names"
)]

use std::ffi::{CStr, c_char, c_int};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;

use rustix::io::Errno;
use stats_handover::{Handover, connect};

use crate::outcome::{Failure, last_text, number};

/// Runs a function on the hand-over of a handle, and returns its number.
///
/// # Safety
///
/// The handle must be null or come from [`stats_handover_new`], not yet freed, and not be
/// in use by another thread.
unsafe fn with(
    handle: *mut Handover,
    work: impl FnOnce(&mut Handover) -> Result<(), Failure>,
) -> c_int {
    // SAFETY: the caller promises a pointer of `Box::into_raw` that nobody else uses now.
    let Some(handover) = (unsafe { handle.as_mut() }) else {
        return -Errno::INVAL.raw_os_error();
    };
    number(work(handover).map(|()| 0))
}

/// Returns the text of a string.
///
/// # Safety
///
/// The pointer must be null or that of a string with a NUL, which outlives the result.
unsafe fn text<'a>(string: *const c_char) -> Result<&'a str, Failure> {
    if string.is_null() {
        return Err(Failure::Argument(Errno::INVAL, "a string is NULL"));
    }
    // SAFETY: the caller promises a string with a NUL that outlives the result.
    let string = unsafe { CStr::from_ptr(string) };
    let not_utf8 = |_| Failure::Argument(Errno::INVAL, "a string is not UTF-8");
    string.to_str().map_err(not_utf8)
}

/// Takes a descriptor from the caller.
///
/// # Safety
///
/// The descriptor must be negative or open, and the caller's to give away.
unsafe fn taken(fd: c_int) -> Result<OwnedFd, Failure> {
    if fd < 0 {
        return Err(Failure::Argument(Errno::BADF, "a descriptor is negative"));
    }
    // SAFETY: the caller promises an open descriptor, and gives it away.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Makes a hand-over, see the header.
///
/// # Safety
///
/// The name must be null or a string with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_new(name: *const c_char) -> *mut Handover {
    // SAFETY: the name outlives this call, which keeps no reference to it.
    let handover = unsafe { text(name) }.and_then(|name| Ok(Handover::new(name)?));
    match handover {
        Ok(handover) => Box::into_raw(Box::new(handover)),
        Err(failure) => {
            number(Err(failure));
            ptr::null_mut()
        }
    }
}

/// Ends a hand-over, see the header.
///
/// # Safety
///
/// The handle must be null or come from [`stats_handover_new`], and not be used again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_free(handle: *mut Handover) {
    if !handle.is_null() {
        // SAFETY: the caller promises a pointer of `Box::into_raw` that nobody uses
        // again.
        drop(unsafe { Box::from_raw(handle) });
    }
}

/// Sets the UUID, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`], and the UUID null or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_set_uuid(
    handle: *mut Handover,
    uuid: *const c_char,
) -> c_int {
    // SAFETY: the caller promises a valid handle and a string, which outlives the call.
    unsafe { with(handle, |handover| Ok(handover.set_uuid(text(uuid)?)?)) }
}

/// Opens and adds the VM's statistics, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_set_vm(handle: *mut Handover, vm_fd: c_int) -> c_int {
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, |handover| Ok(handover.set_vm(&vm_fd)?)) }
}

/// Opens and adds a vCPU's statistics, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`], and the path null or a string.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_add_vcpu(
    handle: *mut Handover,
    index: u32,
    path: *const c_char,
    vcpu_fd: c_int,
) -> c_int {
    let add = |handover: &mut Handover| {
        // SAFETY: the caller promises a string, which outlives the call.
        let path = unsafe { text(path) }?;
        Ok(handover.add_vcpu(index, path, &vcpu_fd)?)
    };
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, add) }
}

/// Adds the file of the VM's statistics, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`], and the descriptor negative,
/// or open and the caller's to give away.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_set_vm_file(
    handle: *mut Handover,
    stats_fd: c_int,
) -> c_int {
    // SAFETY: the caller gives the descriptor away.
    let file = unsafe { taken(stats_fd) };
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, |handover| Ok(handover.set_vm_fd(file?)?)) }
}

/// Adds the file of a vCPU's statistics, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`], the path null or a string, and
/// the descriptor negative, or open and the caller's to give away.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_add_vcpu_file(
    handle: *mut Handover,
    index: u32,
    path: *const c_char,
    stats_fd: c_int,
) -> c_int {
    // SAFETY: the caller gives the descriptor away.
    let file = unsafe { taken(stats_fd) };
    let add = |handover: &mut Handover| {
        // SAFETY: the caller promises a string, which outlives the call.
        let path = unsafe { text(path) }?;
        Ok(handover.add_vcpu_fd(index, path, file?)?)
    };
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, add) }
}

/// Adds the file of another object, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`], the texts null or strings, and
/// the descriptor negative, or open and the caller's to give away.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_add_object(
    handle: *mut Handover,
    provider: *const c_char,
    path: *const c_char,
    memfd: c_int,
) -> c_int {
    // SAFETY: the caller gives the descriptor away.
    let file = unsafe { taken(memfd) };
    let add = |handover: &mut Handover| {
        // SAFETY: the caller promises strings, which outlive the call.
        let (provider, path) = unsafe { (text(provider)?, text(path)?) };
        Ok(handover.add_object(provider, path, file?)?)
    };
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, add) }
}

/// Adds a pidfd of the VM's process, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`], and the descriptor negative,
/// or open and the caller's to give away.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_set_process(handle: *mut Handover, pidfd: c_int) -> c_int {
    // SAFETY: the caller gives the descriptor away.
    let file = unsafe { taken(pidfd) };
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, |handover| Ok(handover.set_process(file?)?)) }
}

/// Removes the VM's file, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_remove_vm(handle: *mut Handover) -> c_int {
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, |handover| Ok(handover.remove_vm()?)) }
}

/// Removes a vCPU's file, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_remove_vcpu(handle: *mut Handover, index: u32) -> c_int {
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, |handover| Ok(handover.remove_vcpu(index)?)) }
}

/// Removes the file of another object, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`], and the texts null or strings.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_remove_object(
    handle: *mut Handover,
    provider: *const c_char,
    path: *const c_char,
) -> c_int {
    let remove = |handover: &mut Handover| {
        // SAFETY: the caller promises strings, which outlive the call.
        let (provider, path) = unsafe { (text(provider)?, text(path)?) };
        Ok(handover.remove_object(provider, path)?)
    };
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, remove) }
}

/// Allocates room for more files, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_reserve(handle: *mut Handover, files: u32) -> c_int {
    let reserve = |handover: &mut Handover| {
        // More objects than a receiver takes would only use up memory.
        let too_many = || Failure::Argument(Errno::INVAL, "at most 65535 files can be reserved");
        let files = u16::try_from(files).map_err(|_| too_many())?;
        handover.reserve(files.into());
        Ok(())
    };
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, reserve) }
}

/// Connects to a receiver, see the header.
///
/// # Safety
///
/// The path must be null or a string with a NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_connect(path: *const c_char) -> c_int {
    // SAFETY: the caller promises a string, which outlives the call.
    let socket = unsafe { text(path) }.and_then(|path| Ok(connect(path)?));
    number(socket.map(std::os::fd::IntoRawFd::into_raw_fd))
}

/// Gives all files, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`], and the socket negative, or
/// open and the caller's to give away.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_give(handle: *mut Handover, socket: c_int) -> c_int {
    // SAFETY: the caller gives the descriptor away.
    let taken = unsafe { taken(socket) }.map_err(|_| Failure::Earlier(socket));
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, |handover| Ok(handover.give(taken?)?)) }
}

/// Returns the connection, see the header.
///
/// # Safety
///
/// The handle must be valid as for [`stats_handover_end`].
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_connection(handle: *const Handover) -> c_int {
    // SAFETY: the caller promises a pointer of `Box::into_raw` that nobody changes now.
    let connection = unsafe { handle.as_ref() }.and_then(Handover::connection);
    connection.map_or(-Errno::NOTCONN.raw_os_error(), |socket| socket.as_raw_fd())
}

/// Closes the connection, see the header.
///
/// # Safety
///
/// The handle must be null or come from [`stats_handover_new`], not yet freed, and not be
/// in use by another thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn stats_handover_end(handle: *mut Handover) -> c_int {
    let end = |handover: &mut Handover| {
        handover.end();
        Ok(())
    };
    // SAFETY: the caller promises a valid handle.
    unsafe { with(handle, end) }
}

/// Returns the text of the calling thread's last error, see the header.
#[unsafe(no_mangle)]
pub extern "C" fn stats_handover_error() -> *const c_char {
    last_text()
}
