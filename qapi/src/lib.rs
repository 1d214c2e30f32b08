//! QEMU's statistics interface in Rust, generated from its QAPI schema.
//!
//! The types, commands and their dispatch are compiled from `schema/*.json`
//! when this crate is built; `ext/` adds methods for people.

pub use qapi_wire as wire;

mod ext;

pub use ext::{Bounds, Quantity};

include!(concat!(env!("OUT_DIR"), "/qapi/mod.rs"));
