//! The Rust back end.
//!
//! In: a checked schema and options. Out: the text of Rust files. `plan/`
//! decides every name and type; `emit/` writes the plan down and decides
//! nothing.

mod cfg;
mod emit;
mod generate;
mod name;
mod omission;
mod options;
mod paths;
mod placeholder;
mod plan;
mod problem;
mod recursion_limit;
mod rustdoc;
mod ty;
mod user_attributes;

pub use cfg::{CfgNames, Conditions};
pub(crate) use generate::generate_files;
pub use options::{Addition, Layout, Options};
pub use paths::rust_path;
pub use problem::RustProblem;
