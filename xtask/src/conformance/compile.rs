//! Compiles the real schemas as Rust, and denies every warning of rustc, clippy
//! and rustdoc.
//!
//! In: a schema of a QEMU tree. Out: rows of the table.

use std::path::Path;

use qapi_gen::{FsLoader, Options};

use super::Table;
use super::scratch::Scratch;
use crate::tools::Failure;

const ROOT: &str = "//! A schema of QEMU.\n#![deny(warnings)]\n\n/// All of it.\npub mod schema;\n";

/// A tool whose output must be empty.
struct Check {
    kind: &'static str,
    arguments: &'static [&'static str],
    rustdoc_flags: &'static str,
}

const CHECKS: [Check; 3] = [
    Check {
        kind: "schemas: Rust that compiles",
        arguments: &["build"],
        rustdoc_flags: "",
    },
    Check {
        kind: "schemas: Rust that clippy takes",
        arguments: &["clippy", "--", "-D", "warnings"],
        rustdoc_flags: "",
    },
    Check {
        kind: "schemas: Rust that rustdoc takes",
        arguments: &["doc", "--no-deps"],
        rustdoc_flags: "-D warnings",
    },
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
    for check in CHECKS {
        let said = scratch.cargo(check.arguments, &[("RUSTDOCFLAGS", check.rustdoc_flags)])?;
        table.compare(check.kind, schema, &said, "");
    }
    Ok(())
}
