//! Rust generated from the schemas under `cases/rust`, and what the
//! integration tests share.

/// The statistics schema as it was first proposed for QEMU 7.1.
pub mod first_proposal {
    include!(concat!(env!("OUT_DIR"), "/first-proposal/mod.rs"));
}

/// A schema with every shape of type, command and event.
pub mod every_shape {
    include!(concat!(env!("OUT_DIR"), "/every-shape/mod.rs"));
}

/// The README, whose example has to compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
