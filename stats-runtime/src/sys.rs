//! System calls and conversions that have no safe wrapper elsewhere.
//!
//! In: descriptors. Out: numbers. This file has all `unsafe` code of the library,
//! and knows neither statistics nor protocols.
#![allow(
    unsafe_code,
    reason = "SO_PEERCRED, SO_PEERGROUPS and masks of signals have no safe wrapper"
)]

pub(crate) use server::{peer_credentials, peer_groups};
pub(crate) use signals::with_signals_blocked;

mod server {
    use std::ffi::{c_int, c_void};
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::{io, ptr};

    use rustix::io::Errno;

    /// `struct ucred` of unix(7).
    #[repr(C)]
    #[derive(Clone, Copy, Debug)]
    pub(crate) struct Credentials {
        pub(crate) pid: i32,
        pub(crate) uid: u32,
        pub(crate) gid: u32,
    }

    unsafe extern "C" {
        /// getsockopt(2).
        fn getsockopt(
            socket: c_int,
            level: c_int,
            name: c_int,
            value: *mut c_void,
            length: *mut u32,
        ) -> c_int;
    }

    // include/uapi/asm-generic/socket.h; MIPS, PA-RISC and SPARC have other numbers.
    const IS_GENERIC: bool = !cfg!(any(
        target_arch = "mips",
        target_arch = "mips64",
        target_arch = "mips32r6",
        target_arch = "mips64r6",
        target_arch = "sparc",
        target_arch = "sparc64"
    ));
    const SOL_SOCKET: c_int = if IS_GENERIC { 1 } else { 0xffff };
    const SO_PEERCRED: c_int = if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
        0x40
    } else if cfg!(any(target_arch = "powerpc", target_arch = "powerpc64")) {
        21
    } else if IS_GENERIC {
        17
    } else {
        18
    };
    const SO_PEERGROUPS: c_int = if cfg!(any(target_arch = "sparc", target_arch = "sparc64")) {
        0x3d
    } else {
        59
    };

    /// Returns the process, user and group that the peer of a Unix socket had
    /// when it connected (`SO_PEERCRED`).
    ///
    /// The process ID is 0 if this process cannot see the peer's PID namespace.
    /// The type of `rustix` has no value for that.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<Credentials> {
        let mut peer = Credentials {
            pid: 0,
            uid: u32::MAX,
            gid: u32::MAX,
        };
        let mut length = u32::try_from(size_of_val(&peer)).map_err(io::Error::other)?;
        // SAFETY: `peer` is valid for `length` bytes, every bit pattern of which is
        // a `Credentials`, and `length` is valid for the call.
        let returned = unsafe {
            getsockopt(
                socket.as_raw_fd(),
                SOL_SOCKET,
                SO_PEERCRED,
                ptr::from_mut(&mut peer).cast(),
                &raw mut length,
            )
        };
        if returned != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(peer)
    }

    /// Returns the supplementary groups that the peer of a Unix socket had when it
    /// connected (`SO_PEERGROUPS`, Linux 4.13).
    ///
    /// # Errors
    ///
    /// Returns the kernel's error, for example `ENODATA` if the socket is not
    /// connected to a process.
    pub(crate) fn peer_groups(socket: BorrowedFd<'_>) -> io::Result<Vec<u32>> {
        let mut groups: Vec<u32> = vec![0; 64];
        loop {
            let bytes = size_of_val(groups.as_slice());
            let mut length = u32::try_from(bytes).unwrap_or(u32::MAX);
            // SAFETY: the kernel writes at most `length` bytes, which `groups` has,
            // and the length to `length`; both outlive the call. Any bytes are
            // valid numbers.
            let status = unsafe {
                getsockopt(
                    socket.as_raw_fd(),
                    SOL_SOCKET,
                    SO_PEERGROUPS,
                    groups.as_mut_ptr().cast(),
                    ptr::from_mut(&mut length),
                )
            };
            let number = length as usize / size_of::<u32>();
            if status == 0 {
                groups.truncate(number);
                return Ok(groups);
            }
            let error = io::Error::last_os_error();
            // ERANGE: `length` is what the kernel needs. NGROUPS_MAX is 65,536.
            if error.raw_os_error() != Some(Errno::RANGE.raw_os_error()) || number <= groups.len() {
                return Err(error);
            }
            groups.resize(number, 0);
        }
    }
}

mod signals {
    use std::ffi::c_int;
    use std::mem::MaybeUninit;

    use rustix::process::Signal;

    /// `sigset_t`, which has 128 bytes with glibc and with musl.
    #[repr(C, align(8))]
    struct SignalSet([u8; 128]);

    unsafe extern "C" {
        fn pthread_sigmask(how: c_int, set: *const SignalSet, old: *mut SignalSet) -> c_int;
        fn sigdelset(set: *mut SignalSet, signal: c_int) -> c_int;
        fn sigfillset(set: *mut SignalSet) -> c_int;
    }

    const SIG_SETMASK: c_int = if cfg!(any(
        target_arch = "mips",
        target_arch = "mips64",
        target_arch = "mips32r6",
        target_arch = "mips64r6"
    )) {
        3
    } else {
        2
    };

    /// The signals that the kernel sends to a thread for what the thread itself
    /// did. A thread that blocks them ends the process without its handlers.
    const OWN_SIGNALS: [Signal; 7] = [
        Signal::ABORT,
        Signal::BUS,
        Signal::FPE,
        Signal::ILL,
        Signal::SEGV,
        Signal::SYS,
        Signal::TRAP,
    ];

    /// Calls `call` while the calling thread blocks all signals but those for
    /// what a thread itself did. Threads that `call` makes inherit that.
    pub(crate) fn with_signals_blocked<T>(call: impl FnOnce() -> T) -> T {
        let mut set = MaybeUninit::<SignalSet>::zeroed();
        // SAFETY: sigfillset writes to the pointer, which is valid, and then sigdelset
        // changes that set; neither fails for these signals. Both C libraries write only
        // the bytes that the kernel knows; the others are zero from the start.
        let set = unsafe {
            sigfillset(set.as_mut_ptr());
            for signal in OWN_SIGNALS {
                sigdelset(set.as_mut_ptr(), signal.as_raw());
            }
            set.assume_init()
        };
        let mut before = MaybeUninit::<SignalSet>::zeroed();
        // SAFETY: both pointers are valid for the call, which writes the old mask to
        // the second one unless it fails. It fails only if the first argument is
        // not one of its constants.
        let status = unsafe { pthread_sigmask(SIG_SETMASK, &raw const set, before.as_mut_ptr()) };
        assert_eq!(status, 0, "SIG_SETMASK is a constant of pthread_sigmask");
        // SAFETY: the bytes that the call did not write are zero from the start.
        let _restore = Restore(unsafe { before.assume_init() });
        call()
    }

    /// The mask to restore, also after a panic.
    struct Restore(SignalSet);

    impl Drop for Restore {
        fn drop(&mut self) {
            // SAFETY: the set is valid, and the old mask is not asked for.
            unsafe { pthread_sigmask(SIG_SETMASK, &raw const self.0, std::ptr::null_mut()) };
        }
    }
}
