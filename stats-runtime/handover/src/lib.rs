//! Gives the statistics files of a virtual machine to another process, which serves
//! them: no thread, no listener and no protocol in the VMM.
//!
//! The VMM opens one statistics file for each object and sends the files on a Unix
//! socket (`SCM_RIGHTS`). The receiver, such as `vmstats host`, reads them without the
//! VMM, also when the VMM's process hangs. The kernel counts on, so that nothing is
//! copied and nothing is polled in the VMM. The protocol is described in
//! `docs/handover.md` of the repository.
//!
//! ```no_run
//! use stats_handover::{Handover, connect};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let (vm, vcpus) = (std::fs::File::open("/dev/null")?, Vec::<std::fs::File>::new());
//! // After the vCPUs are made, before they run.
//! let mut handover = Handover::new("vm-1")?;
//! handover.set_uuid("4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11")?;
//! handover.set_vm(&vm)?;
//! for (index, vcpu) in (0..).zip(&vcpus) {
//!     handover.add_vcpu(index, &format!("/machine/cpu[{index}]"), vcpu)?;
//! }
//! handover.give(connect("/run/vmstats/host/handover.sock")?)?;
//! // As long as the VM lives, keep the value: dropping it ends the hand-over.
//! # Ok(())
//! # }
//! ```
//!
//! - [`Handover`]: the VMM's side.
//! - [`syscalls`]: the system calls of each phase, for seccomp filters.
//! - [`receive`](https://docs.rs/stats-handover/latest/stats_handover/receive), with the
//!   feature of that name: the other side's packets.

#[cfg(not(target_os = "linux"))]
compile_error!(
    "stats-handover sends files of Linux's KVM: depend on it with \
     [target.'cfg(target_os = \"linux\")'.dependencies]"
);

mod error;
mod grammar;
mod handover;
mod packet;
#[cfg(feature = "receive")]
pub mod receive;
mod state;
#[cfg(feature = "receive")]
mod sys;
pub mod syscalls;

pub use error::Error;
pub use grammar::{
    Fault, NAME_SIZE_MAX, PACKET_FILES_MAX, PACKET_SIZE_MAX, PATH_SIZE_MAX, PROVIDER_SIZE_MAX,
    VCPU_INDEX_MAX, VERSION,
};
pub use handover::{Handover, connect};
