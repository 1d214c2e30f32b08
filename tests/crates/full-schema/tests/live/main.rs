//! QEMU's whole schema against a real QEMU.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod client;
mod qemu;
mod refusals;
