//! QEMU's statistics interface in Rust, generated from its QAPI schema.
//!
//! The build script compiles the types, the commands and their dispatch from
//! `schema/*.json`. Hand-written methods add the meaning of values: units, bounds
//! of buckets, and sums.

pub use qapi_wire as wire;

mod ext;

pub use ext::{Bounds, Quantity};

include!(concat!(env!("OUT_DIR"), "/qapi/mod.rs"));
