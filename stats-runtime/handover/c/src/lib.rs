//! `stats-handover` for C: the functions of `stats_handover.h`, as a static library.
//!
//! In: descriptors and strings of a VMM in any language. Out: numbers of errors, with
//! their texts. This package knows nothing of the protocol.

#[cfg(not(target_os = "linux"))]
compile_error!("stats-handover-c sends files of Linux's KVM");

mod abi;
mod outcome;

pub use abi::*;
