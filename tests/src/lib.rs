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

/// A schema with features in every place.
pub mod compat {
    include!(concat!(env!("OUT_DIR"), "/compat/mod.rs"));
}

/// What QEMU 7.2 has of deprecated and unstable things, in part.
pub mod qemu_7_2 {
    include!(concat!(env!("OUT_DIR"), "/qemu-7-2/mod.rs"));
}

/// A schema whose types, commands and events share names.
pub mod same_names {
    include!(concat!(env!("OUT_DIR"), "/same-names/mod.rs"));
}

/// A VMM's schema that includes the statistics, whose code is in `qapi`.
pub mod vmm {
    include!(concat!(env!("OUT_DIR"), "/vmm/mod.rs"));
}

/// A schema that takes every shape from the module above.
pub mod borrowed {
    include!(concat!(env!("OUT_DIR"), "/extern/mod.rs"));
}

/// The README, whose example has to compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;
