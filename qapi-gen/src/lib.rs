//! Compiles QAPI schemas, the language in which QEMU describes its interface.
//!
//! The stages of the crate are: files, tokens, expressions, definitions, a
//! schema, a checked schema, and then one of several back ends. [`check`] goes as
//! far as the checked schema and reports everything that is wrong. Its first
//! error is the one that QEMU's own generator reports.
//!
//! ```
//! use qapi_gen::{MemoryLoader, check};
//!
//! let files = MemoryLoader::from_iter([("a.json", "{ 'command': 'stop', 'returns': 'Oops' }")]);
//! let outcome = check("a.json", &files);
//! let first = outcome.diagnostics.iter().next().unwrap();
//! assert_eq!(
//!     first.short(&outcome.sources),
//!     "a.json: In command 'stop':\n\
//!      a.json:1: command's 'returns' uses unknown type 'Oops'",
//! );
//! ```
//!
//! [`generate`] continues to Rust. A build script calls a [`Builder`], which also
//! writes the files; on the command line this is `qapi-gen rust`. All three take
//! the same [`Options`]:
//!
//! ```
//! use qapi_gen::{CfgNames, Conditions, MemoryLoader, Options, generate};
//!
//! let files = MemoryLoader::from_iter([("a.json", "{ 'event': 'STOP', 'if': 'CONFIG_KVM' }")]);
//! let mut options = Options::default();
//! options.conditions = Conditions::Cfg(CfgNames::default());
//! let files = generate("a.json", &files, &options).into_files().unwrap();
//! assert_eq!(files[1].name, "a.rs");
//! assert!(files[1].text.contains(r#"#[cfg(feature = "kvm")]"#));
//! ```

// The command line names this crate as other programs do.
#[cfg(feature = "cli")]
extern crate self as qapi_gen;

mod analysis;
pub mod backend;
mod builder;
#[cfg(feature = "cli")]
pub mod cli;
mod coded;
pub mod compare;
mod cond;
mod config_file;
mod defs;
pub mod diag;
mod driver;
pub mod interface;
#[cfg(feature = "wire")]
pub mod lint;
mod load;
mod output_dir;
mod pragmas;
mod rules;
pub mod schema;
pub mod source;
mod syntax;
#[cfg(feature = "wire")]
pub mod validate;

pub use analysis::option_problem::OptionProblem;
pub use backend::dump::dump;
pub use backend::introspect::Introspection;
pub use backend::rust::{Addition, CfgNames, Conditions, Layout, Options, RustProblem, rust_path};
pub use builder::Builder;
pub use config_file::{ConfigError, ConfigFile};
pub use diag::Style;
pub use driver::{Generation, Outcome, Report, check, check_with, generate, read_with};
pub use load::{
    FolderLoader, FsLoader, IncludeFolders, Loader, MemoryLoader, main_files, rules_of_tree,
};
pub use output_dir::{Change, GeneratedFile, changes, write_files};
pub use rules::{CheckOptions, Historic, Rules, UnknownRules};
