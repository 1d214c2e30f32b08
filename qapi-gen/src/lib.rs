//! Compiles QAPI schemas, the language in which QEMU describes its interface.
//!
//! The way through the crate is one line: files, tokens, expressions,
//! definitions, a schema, a checked schema. [`check`] goes all of it and
//! tells everything that is wrong, first what QEMU's own generator would say.
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
//! From there [`generate`] goes on to Rust. A build script calls a
//! [`Builder`], which does the same and writes the files; the command line is
//! `qapi-gen rust`. All three take the same [`Options`]:
//!
//! ```
//! use qapi_gen::{CfgNames, Conditions, MemoryLoader, Options, generate};
//!
//! let files = MemoryLoader::from_iter([("a.json", "{ 'event': 'STOP', 'if': 'CONFIG_KVM' }")]);
//! let options = Options {
//!     conditions: Conditions::Cfg(CfgNames::default()),
//!     ..Options::default()
//! };
//! let files = generate("a.json", &files, &options).into_files().unwrap();
//! assert_eq!(files[1].name, "a.rs");
//! assert!(files[1].text.contains(r#"#[cfg(feature = "kvm")]"#));
//! ```

use std::path::{Path, PathBuf};

mod analysis;
mod backend;
mod builder;
mod cond;
mod defs;
pub mod diag;
mod driver;
mod load;
mod output_dir;
mod pragmas;
mod rules;
pub mod schema;
pub mod source;
mod syntax;

pub use analysis::option_problem::OptionProblem;
pub use backend::dump::dump;
pub use backend::introspect::Introspection;
pub use backend::rust::{Addition, CfgNames, Conditions, Layout, Options, RustProblem, rust_path};
pub use builder::Builder;
pub use diag::Style;
pub use driver::{Generation, Report, generate};
pub use load::{FolderLoader, FsLoader, IncludeFolders, Loader, MemoryLoader};
pub use output_dir::{Change, GeneratedFile, changes, write_files};
pub use rules::{CheckOptions, Rules};

use diag::Diagnostics;
use schema::CheckedSchema;
use source::SourceMap;

/// What has become of a schema.
#[derive(Debug)]
pub struct Outcome {
    /// The files, which diagnostics point into.
    pub sources: SourceMap,
    /// What is wrong; the first is what QEMU's generator reports.
    pub diagnostics: Diagnostics,
    /// The schema, if there is no error.
    pub schema: Option<CheckedSchema>,
    /// Every file that was read, in order, whatever came of it.
    pub files_read: Vec<PathBuf>,
}

/// Reads a schema and checks it.
///
/// Every stage reports all that it finds; if it finds anything, the later
/// stages are left out: first all files are parsed, then each definition is
/// looked at for itself, then all of them together.
pub fn check(path: impl AsRef<Path>, loader: &dyn Loader) -> Outcome {
    check_with(path, loader, CheckOptions::default())
}

/// Reads a schema and checks it by the rules of a certain version of QEMU, and
/// as strictly as need be.
pub fn check_with(path: impl AsRef<Path>, loader: &dyn Loader, options: CheckOptions) -> Outcome {
    let sources = SourceMap::default();
    let mut diagnostics = Diagnostics::new(options.style);
    let path = path.as_ref().to_string_lossy();
    let (program, files_read) =
        load::load(&path, loader, options.rules, &sources, &mut diagnostics);
    let schema = lower(program, options.rules, &sources, &mut diagnostics);
    Outcome {
        sources,
        diagnostics,
        schema,
        files_read,
    }
}

fn lower(
    program: load::ParsedSchema<'_>,
    rules: Rules,
    sources: &SourceMap,
    diagnostics: &mut Diagnostics,
) -> Option<CheckedSchema> {
    if diagnostics.has_errors() {
        return None;
    }
    let (items, attribution) =
        defs::lower(program.items, &program.pragmas, rules, sources, diagnostics);
    if diagnostics.has_errors() {
        return None;
    }
    let schema = schema::build::build(
        program.modules,
        items,
        attribution,
        program.pragmas,
        rules,
        sources,
        diagnostics,
    );
    schema::check::check(schema, diagnostics)
}
