//! Compiles the real schemas as Rust, and denies every warning of rustc, clippy
//! and rustdoc.
//!
//! In: a schema of a QEMU tree. Out: rows of the table.

use std::path::Path;

use qapi_gen::{FsLoader, GeneratedFile, Options};

use super::Table;
use crate::scratch::{Scratch, dependency};
use crate::tools::{Failure, output, target};

const ROOT: &str = "//! A schema of QEMU.\n#![deny(warnings)]\n\n/// All of it.\npub mod schema;\n";

/// Each tool with its arguments.
const CHECKS: [(&str, &str, &[&str]); 3] = [
    ("schemas: Rust that compiles", "build", &[]),
    (
        "schemas: Rust that clippy takes",
        "clippy",
        &["--", "-D", "warnings"],
    ),
    ("schemas: Rust that rustdoc takes", "doc", &["--no-deps"]),
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
    let scratch = generated("qapi-of-qemu", ("lib.rs", ROOT), files)?;
    for (kind, command, arguments) in CHECKS {
        let mut cargo = scratch.cargo(command, &target()?);
        cargo.args(arguments).env("RUSTDOCFLAGS", "-D warnings");
        let complaint = output(&mut cargo).err().unwrap_or_default();
        table.compare(kind, schema, &complaint, "");
    }
    Ok(())
}

/// Returns a package of generated code, which depends on `qapi-wire` only, and
/// one more source file.
pub(super) fn generated(
    name: &str,
    (root, text): (&str, &str),
    files: Vec<GeneratedFile>,
) -> Result<Scratch, Failure> {
    let schema = files
        .into_iter()
        .map(|file| (format!("src/schema/{}", file.name), file.text));
    let root = (format!("src/{root}"), text.to_owned());
    let dependencies = format!("[dependencies]\n{}", dependency("qapi-wire", "qapi/wire"));
    Scratch::new(name, &dependencies, schema.chain([root]))
}
