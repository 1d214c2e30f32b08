//! The parts of the `vmstats` program, for its tests and for benches.
//!
//! In: arguments. Out: what is printed, and a [`failure::Failure`] if it went
//! wrong. The program itself is `main.rs`, which only joins the two.

pub mod cli;
pub mod client;
pub mod decode;
pub mod demo;
pub mod endpoint;
pub mod failure;
pub mod host;
pub mod listen;
pub mod monitor;
pub mod printable;
pub mod query;
pub mod replay;
pub mod serve;
pub mod shell;
pub mod table;
pub mod tls;
pub mod uuid;
pub mod watch;
