//! System calls and conversions that have no safe wrapper elsewhere.
//!
//! In: descriptors, and words of memory. Out: descriptors, numbers and bytes.
//! This file has all `unsafe` code of the library, and knows neither statistics
//! nor protocols.
#![allow(
    unsafe_code,
    reason = "KVM_GET_STATS_FD, SO_PEERCRED, SO_PEERGROUPS and masks of signals have no safe wrapper, \
              and words are filled as bytes"
)]

#[cfg(feature = "kvm")]
pub use kvm::stats_fd;
#[cfg(feature = "kvm")]
pub(crate) use kvm::{bytes_of, vcpu_stats_fd, vm_stats_fd};
#[cfg(feature = "server")]
pub(crate) use server::{peer_credentials, peer_groups};
#[cfg(feature = "server")]
pub(crate) use signals::with_signals_blocked;

#[cfg(feature = "kvm")]
mod kvm {
    use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
    use std::{ffi, ptr};

    use kvm_ioctls::{VcpuFd, VmFd};
    use rustix::io::retry_on_intr;
    use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl, opcode};

    use crate::kvm::Error;

    /// Opens the statistics of a VM.
    pub(crate) fn vm_stats_fd(vm: &VmFd) -> Result<OwnedFd, Error> {
        // SAFETY: `VmFd` owns its fd and is borrowed for this call, so the fd stays
        // open, and KVM_CREATE_VM returned it.
        unsafe { stats_fd(BorrowedFd::borrow_raw(vm.as_raw_fd())) }
    }

    /// Opens the statistics of a vCPU.
    pub(crate) fn vcpu_stats_fd(vcpu: &VcpuFd) -> Result<OwnedFd, Error> {
        // SAFETY: `VcpuFd` owns its fd and is borrowed for this call, so the fd stays
        // open, and KVM_CREATE_VCPU returned it.
        unsafe { stats_fd(BorrowedFd::borrow_raw(vcpu.as_raw_fd())) }
    }

    /// Opens the statistics of a VM or vCPU whose fd was not opened by kvm-ioctls.
    ///
    /// # Safety
    ///
    /// `object` must be KVM's fd of a VM or a vCPU. Another driver may give the
    /// ioctl's number another meaning, and return a number that is not an fd, or
    /// that is the fd of somebody else.
    ///
    /// # Errors
    ///
    /// Returns [`Error::Ioctl`] as [`vcpu_stats_fd`](crate::kvm::vcpu_stats_fd)
    /// does.
    pub unsafe fn stats_fd(object: impl AsFd) -> Result<OwnedFd, Error> {
        let object = object.as_fd();
        // SAFETY: the caller promises an fd of KVM, for which `GetStatsFd` describes
        // the ioctl correctly; the ioctl accesses no memory of this process.
        retry_on_intr(|| unsafe { ioctl(object, GetStatsFd) }).map_err(|errno| Error::Ioctl {
            errno: errno.raw_os_error(),
        })
    }

    /// The ioctl `KVM_GET_STATS_FD`, `_IO(KVMIO, 0xce)` of include/uapi/linux/kvm.h.
    struct GetStatsFd;

    // SAFETY: for a VM or a vCPU (kvm_vm_ioctl_get_stats_fd and
    // kvm_vcpu_ioctl_get_stats_fd in virt/kvm/kvm_main.c) the ioctl ignores its
    // argument, accesses no memory of the caller and returns a new fd, which nobody
    // else owns. The number is the same on every architecture.
    unsafe impl Ioctl for GetStatsFd {
        type Output = OwnedFd;

        const IS_MUTATING: bool = false;

        fn opcode(&self) -> Opcode {
            opcode::none(0xae, 0xce)
        }

        fn as_ptr(&mut self) -> *mut ffi::c_void {
            ptr::null_mut()
        }

        unsafe fn output_from_ptr(
            output: IoctlOutput,
            _: *mut ffi::c_void,
        ) -> rustix::io::Result<OwnedFd> {
            // SAFETY: the caller promises that `output` was returned by a successful
            // call, so it is a new fd and not -1.
            Ok(unsafe { OwnedFd::from_raw_fd(output) })
        }
    }

    /// Returns the bytes of `words`.
    pub(crate) fn bytes_of(words: &mut [u64]) -> &mut [u8] {
        let len = size_of_val(words);
        // SAFETY: the pointer is valid for `len` bytes while `words` is borrowed. Bytes
        // need no alignment, a `u64` has no padding, and any eight bytes are a `u64`.
        unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast(), len) }
    }
}

#[cfg(feature = "server")]
mod server {
    use std::os::fd::{AsRawFd, BorrowedFd};
    use std::{io, ptr};

    /// Returns the process, user and group that the peer of a Unix socket had
    /// when it connected (`SO_PEERCRED`).
    ///
    /// The process ID is 0 if this process cannot see the peer's PID namespace.
    /// The type of `rustix` has no value for that.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<libc::ucred> {
        let mut peer = libc::ucred {
            pid: 0,
            uid: libc::uid_t::MAX,
            gid: libc::gid_t::MAX,
        };
        let mut length = libc::socklen_t::try_from(size_of_val(&peer)).map_err(io::Error::other)?;
        // SAFETY: `peer` is valid for `length` bytes, every bit pattern of which is
        // a `ucred`, and `length` is valid for the call.
        let returned = unsafe {
            libc::getsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERCRED,
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
        let mut groups: Vec<libc::gid_t> = vec![0; 64];
        loop {
            let bytes = size_of_val(groups.as_slice());
            let mut length = libc::socklen_t::try_from(bytes).unwrap_or(libc::socklen_t::MAX);
            // SAFETY: the kernel writes at most `length` bytes, which `groups` has,
            // and the length to `length`; both outlive the call. Any bytes are
            // valid numbers.
            let status = unsafe {
                libc::getsockopt(
                    socket.as_raw_fd(),
                    libc::SOL_SOCKET,
                    libc::SO_PEERGROUPS,
                    groups.as_mut_ptr().cast(),
                    ptr::from_mut(&mut length),
                )
            };
            let number = length as usize / size_of::<libc::gid_t>();
            if status == 0 {
                groups.truncate(number);
                return Ok(groups);
            }
            let error = io::Error::last_os_error();
            // ERANGE: `length` is what the kernel needs. NGROUPS_MAX is 65,536.
            if error.raw_os_error() != Some(libc::ERANGE) || number <= groups.len() {
                return Err(error);
            }
            groups.resize(number, 0);
        }
    }
}

#[cfg(feature = "server")]
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
        let mut set = MaybeUninit::<SignalSet>::uninit();
        // SAFETY: sigfillset writes a whole set to the pointer, which is valid, and
        // then sigdelset changes that set. Neither fails for these signals.
        let set = unsafe {
            sigfillset(set.as_mut_ptr());
            for signal in OWN_SIGNALS {
                sigdelset(set.as_mut_ptr(), signal.as_raw());
            }
            set.assume_init()
        };
        let mut before = MaybeUninit::<SignalSet>::uninit();
        // SAFETY: both pointers are valid for the call, which writes a whole set to
        // the second one unless it fails. It fails only if the first argument is
        // not one of its constants.
        let status = unsafe { pthread_sigmask(SIG_SETMASK, &raw const set, before.as_mut_ptr()) };
        assert_eq!(status, 0, "SIG_SETMASK is a constant of pthread_sigmask");
        // SAFETY: the call above has succeeded.
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
