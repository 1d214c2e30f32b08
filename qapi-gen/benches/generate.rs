//! Generates Rust for a schema once, and prints the nanoseconds that it took.
//!
//! In: the name of a generator, the schema's main file, an empty folder. Out:
//! generated files in the folder. `cargo xtask bench --qemu-src` runs the
//! program once for each turn, so that every turn begins cold, as a build
//! script does.

#![allow(clippy::print_stdout, reason = "the program prints its result")]

use std::env;
use std::path::Path;
use std::time::Instant;

use qapi_gen::{FsLoader, Options, generate, write_files};

fn main() -> Result<(), String> {
    // `cargo bench` adds the option `--bench`.
    let given = env::args().skip(1).filter(|argument| argument != "--bench");
    let arguments: Vec<String> = given.collect();
    let [generator, schema, folder] = arguments.as_slice() else {
        return Err("expected a generator, a schema and a folder".to_owned());
    };
    let (schema, folder) = (Path::new(schema), Path::new(folder));
    let begin = Instant::now();
    match generator.as_str() {
        "formatted" => qapi_gen(schema, true, folder)?,
        "unformatted" => qapi_gen(schema, false, folder)?,
        "qapi-codegen" => qapi_codegen(schema, folder)?,
        _ => return Err(format!("{generator} is not a generator")),
    }
    println!("{}", begin.elapsed().as_nanos());
    Ok(())
}

/// Does the work of a [`qapi_gen::Builder`] without its messages to cargo.
fn qapi_gen(schema: &Path, formatted: bool, folder: &Path) -> Result<(), String> {
    let mut options = Options::default();
    options.formatted = formatted;
    let generation = generate(schema, &FsLoader, &options);
    let files = generation.into_files().map_err(|why| why.to_string())?;
    write_files(folder, &files).map_err(|error| error.to_string())
}

/// Does the work of the build script of crate `qapi-qmp`.
fn qapi_codegen(schema: &Path, folder: &Path) -> Result<(), String> {
    let schema_dir = schema.parent().ok_or("the schema is in no folder")?;
    let command_trait = "QmpCommand".to_owned();
    qapi_codegen::codegen(schema_dir, folder.join("qmp.rs"), command_trait)
        .map(drop)
        .map_err(|error| error.to_string())
}
