//! Generates Rust for QEMU's schema once, and prints the nanoseconds it took.
//!
//! In: which generator, the schema's main file, an empty folder. Out: files
//! there. It is a turn of `cargo xtask bench --qemu-src`, which builds it as
//! cargo builds programs, and as it builds build scripts.

#![allow(clippy::print_stdout, reason = "its output is what it is for")]

use std::env;
use std::path::Path;
use std::time::Instant;

use qapi_gen::{FsLoader, Options, generate, write_files};

fn main() -> Result<(), String> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [generator, schema, folder] = arguments.as_slice() else {
        return Err("expected a generator, a schema and a folder".to_owned());
    };
    let (schema, folder) = (Path::new(schema), Path::new(folder));
    let begin = Instant::now();
    match generator.as_str() {
        "formatted" => ours(schema, true, folder)?,
        "unformatted" => ours(schema, false, folder)?,
        "qapi-codegen" => theirs(schema, folder)?,
        _ => return Err(format!("{generator} is no generator")),
    }
    println!("{}", begin.elapsed().as_nanos());
    Ok(())
}

/// What a [`qapi_gen::Builder`] does, but for what it says to cargo.
fn ours(schema: &Path, formatted: bool, folder: &Path) -> Result<(), String> {
    let options = Options {
        formatted,
        ..Options::default()
    };
    let generation = generate(schema, &FsLoader, &options);
    let files = generation.into_files().map_err(|why| why.to_string())?;
    write_files(folder, &files).map_err(|error| error.to_string())
}

/// What the build script of crate `qapi-qmp` does.
fn theirs(schema: &Path, folder: &Path) -> Result<(), String> {
    let schema_dir = schema.parent().ok_or("the schema is in no folder")?;
    let command_trait = "QmpCommand".to_owned();
    qapi_codegen::codegen(schema_dir, folder.join("qmp.rs"), command_trait)
        .map(drop)
        .map_err(|error| error.to_string())
}
