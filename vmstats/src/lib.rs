//! The parts of the `vmstats` program, for its tests.
//!
//! In: arguments. Out: printed text, or a [`failure::Failure`]. The program
//! itself is `main.rs`, which only runs a command and prints its failure.

#[cfg(feature = "host")]
pub mod adopt;
pub mod byte_order;
pub mod changes;
pub mod cli;
pub mod client;
pub mod connection;
pub mod decode;
pub mod demo;
pub mod diff;
#[cfg(feature = "record")]
pub mod dump;
pub mod endpoint;
#[cfg(feature = "record")]
pub mod excerpt;
pub mod explain;
#[cfg(feature = "export")]
pub mod export;
pub mod exposed;
pub mod failure;
#[cfg(feature = "host")]
pub mod host;
pub mod html;
pub mod intervals;
pub mod listen;
mod lock;
pub mod log;
pub mod measure;
pub mod monitor_server;
pub mod nearest;
#[cfg(feature = "record")]
pub mod playback;
pub mod printable;
pub mod query;
pub mod rates;
#[cfg(feature = "host")]
mod readable;
#[cfg(feature = "record")]
pub mod record;
#[cfg(feature = "record")]
pub mod recording;
pub mod replay;
pub mod report;
pub mod sample;
pub mod selection;
pub mod selector;
pub mod serve;
mod served_vm;
pub mod shell;
pub mod shutdown;
pub mod source;
pub mod stream;
pub mod summary;
pub mod table;
mod threads;
pub mod time_span;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
pub mod tls;
#[cfg(feature = "top")]
pub mod top;
pub mod uuid;
