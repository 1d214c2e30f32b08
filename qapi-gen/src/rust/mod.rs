//! From a checked schema to a plan of Rust items: every choice of spelling.
//!
//! In: a `CheckedSchema` and options. Out: a [`plan::Plan`], in which every
//! identifier, type and module stands. Nothing here writes code.

pub(crate) mod doc;
mod graph;
pub(crate) mod name;
pub(crate) mod options;
mod paths;
pub(crate) mod plan;
pub(crate) mod text;
mod ty;

pub use options::Options;
pub use paths::rust_path;
pub(crate) use ty::Prelude;
