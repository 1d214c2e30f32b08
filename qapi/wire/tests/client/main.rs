//! The client against servers that are slow, hostile or broken, with every way of
//! doing I/O.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[cfg(feature = "tokio")]
mod asynchronous;
mod blocking;
mod commands;
mod server;
mod session;
mod socket_path;
