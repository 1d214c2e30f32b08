//! QEMU's statistics interface in Rust, generated from its QAPI schema.
//!
//! The types, the commands and their dispatch are compiled from `schema/*.json`.
//! Hand-written methods add the meaning of values: units, bounds of buckets, and
//! sums.
//!
//! # Features
//!
//! - `compile` (default): the build script compiles the schema with `qapi-gen`.
//!   Without this feature the crate has the same code from `src/generated`, as it
//!   was reviewed, and a build needs neither `qapi-gen` nor `syn`.
//! - `serde`: serde's traits for all types.

pub use qapi_wire as wire;

mod ext;

pub use ext::{Bounds, Quantity};

#[cfg(feature = "compile")]
include!(concat!(env!("OUT_DIR"), "/qapi/mod.rs"));
#[cfg(not(feature = "compile"))]
include!("generated/mod.rs");
