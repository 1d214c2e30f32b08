//! From a checked schema to a plan of Rust items: every choice of spelling.
//!
//! In: a `CheckedSchema` and options. Out: a [`plan::Plan`], in which every
//! identifier, type and module stands. Nothing here writes code.

mod additions;
pub(crate) mod cfg;
pub(crate) mod doc;
mod generated;
mod graph;
pub(crate) mod name;
mod named;
mod nesting;
pub(crate) mod options;
pub(crate) mod part;
mod paths;
pub(crate) mod plan;
mod selection;
pub(crate) mod text;
mod ty;

pub use cfg::{CfgNames, Conditions};
pub use options::{Addition, Layout, Options};
pub use paths::rust_path;
pub(crate) use ty::Prelude;
