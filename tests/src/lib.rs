//! Rust generated from the schemas under `cases/rust`, and what the
//! integration tests share.

pub mod replacement;

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

/// A schema whose documentation must not become doctests or warnings of rustdoc.
pub mod documentation {
    include!(concat!(env!("OUT_DIR"), "/documentation/mod.rs"));
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

/// A part of it, generated with choices and not laid out.
pub mod choices {
    include!(concat!(env!("OUT_DIR"), "/choices/mod.rs"));
}

/// The schema of the page about the language.
pub mod schema_language {
    include!(concat!(env!("OUT_DIR"), "/schema-language/mod.rs"));
}

/// A schema with every place of a condition, in several configurations.
pub mod conditional {
    /// Conditions are ignored.
    pub mod ignored {
        include!(concat!(env!("OUT_DIR"), "/conditional/mod.rs"));
    }

    /// With features of this crate.
    pub mod features {
        include!(concat!(env!("OUT_DIR"), "/conditional-features/mod.rs"));
    }

    /// Neither symbol is defined.
    pub mod off {
        include!(concat!(env!("OUT_DIR"), "/conditional-off/mod.rs"));
    }

    /// Symbol A is defined.
    pub mod a {
        include!(concat!(env!("OUT_DIR"), "/conditional-a/mod.rs"));
    }

    /// Symbol B is defined.
    pub mod b {
        include!(concat!(env!("OUT_DIR"), "/conditional-b/mod.rs"));
    }

    /// Both symbols are defined.
    pub mod on {
        include!(concat!(env!("OUT_DIR"), "/conditional-on/mod.rs"));
    }

    /// Neither symbol is defined, which was resolved when it was generated.
    pub mod resolved_off {
        include!(concat!(env!("OUT_DIR"), "/resolved-off/mod.rs"));
    }

    /// The same for symbol A.
    pub mod resolved_a {
        include!(concat!(env!("OUT_DIR"), "/resolved-a/mod.rs"));
    }
}

/// The README, whose example has to compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
pub struct Readme;

/// The page about embedding, whose example has to compile.
#[cfg(doctest)]
#[doc = include_str!("../../docs/embedding.md")]
pub struct Embedding;

/// The page about handing statistics over, whose example has to compile.
#[cfg(doctest)]
#[doc = include_str!("../../docs/handover.md")]
pub struct HandingOver;

/// The page about the language of schemas, whose examples have to run.
#[cfg(doctest)]
#[doc = include_str!("../../docs/schema-language.md")]
pub struct SchemaLanguage;

/// The page for authors of VMMs, whose examples have to compile.
#[cfg(doctest)]
#[doc = include_str!("../../docs/vmm.md")]
pub struct Vmm;
