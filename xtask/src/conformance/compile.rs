//! The real schemas as Rust: rustc, clippy and rustdoc have nothing to say.
//!
//! In: a schema of a QEMU tree. Out: rows of the table.

use std::path::Path;

use qapi_gen::{FsLoader, Options};

use super::Table;
use super::scratch::Scratch;
use crate::tools::Failure;

const ROOT: &str = "//! A schema of QEMU.\n#![deny(warnings)]\n\n/// All of it.\npub mod schema;\n";

/// What each tool is asked, and how.
const CHECKS: [(&str, &[&str], &[(&str, &str)]); 3] = [
    ("schemas: Rust that compiles", &["build"], &[]),
    (
        "schemas: Rust that clippy takes",
        &["clippy", "--", "-D", "warnings"],
        &[],
    ),
    (
        "schemas: Rust that rustdoc takes",
        &["doc", "--no-deps"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    ),
];

pub(super) fn compile(source: &Path, schema: &str, table: &mut Table) -> Result<(), Failure> {
    let generation = qapi_gen::generate(source.join(schema), &FsLoader, &Options::default());
    let files = match generation.into_files() {
        Ok(files) => files,
        Err(report) => {
            table.compare("schemas: Rust", schema, &report.to_string(), "");
            return Ok(());
        }
    };
    table.compare("schemas: Rust", schema, "", "");
    let scratch = Scratch::new("qapi-of-qemu", "lib.rs", ROOT, &files)?;
    for (kind, arguments, variables) in CHECKS {
        table.compare(kind, schema, &scratch.cargo(arguments, variables)?, "");
    }
    Ok(())
}
