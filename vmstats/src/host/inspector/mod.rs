//! Inspectors: child processes that take packets from VMMs and look at their files.
//!
//! In: a connection. Out: a packet whose files are known to be harmless. A file of a VMM
//! can be of a file system that never answers. Closing such a file, or ending a process
//! that has it, hangs, so the host must not get it: an inspector takes the packet, and is
//! abandoned if it cannot close what it got.

pub(super) mod child;
mod pool;
mod report;

pub(super) use pool::{Inspected, Inspectors, Packet};
pub(super) use report::Claim;
