//! Compiles the schemas that the crates `qapi-qmp` and `qapi-qga` carry, and
//! lists what came of it.
//!
//! In: where cargo keeps the sources of the two crates. Out: for each a module
//! with the generated code, and a table of its types, commands and events, by
//! which tests reach every one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use qapi_gen::schema::{CheckedSchema, Entity};
use qapi_gen::{
    CheckOptions, FsLoader, Options, Style, check_with, generate, rust_path, write_files,
};
use serde_json::Value;

/// Module, crate, schema within the crate.
const SCHEMAS: [(&str, &str, &str); 2] = [
    ("qmp", "qapi-qmp", "schema/qapi/qapi-schema.json"),
    ("qga", "qapi-qga", "schema/qga/qapi-schema.json"),
];

fn main() {
    if let Err(why) = run() {
        eprintln!("{why}");
        std::process::exit(1);
    }
}

fn run() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?);
    // What is on this machine will do; a crate that is not yet there is fetched.
    let metadata = metadata(&["--offline"]).or_else(|_| metadata(&[]))?;
    for (module, package, schema) in SCHEMAS {
        let schema = folder(&metadata, package)?.join(schema);
        println!(
            "cargo::rustc-env={}_SCHEMA={}",
            module.to_uppercase(),
            schema.display()
        );
        let generation = generate(&schema, &FsLoader, &Options::default());
        let files = generation
            .into_files()
            .map_err(|report| report.to_string())?;
        write_files(&out_dir.join(module), &files).map_err(|error| error.to_string())?;
        let options = CheckOptions {
            style: Style::Warn,
            ..CheckOptions::default()
        };
        let schema = check_with(&schema, &FsLoader, options).schema;
        let table = schema.map(|schema| table(module, &schema));
        let path = out_dir.join(format!("{module}-table.rs"));
        fs::write(path, table.unwrap_or_default()).map_err(|error| error.to_string())?;
    }
    Ok(())
}

fn metadata(options: &[&str]) -> Result<Value, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1"])
        .args(options)
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("cargo metadata: {error}"))
}

/// The folder of a package's sources.
fn folder(metadata: &Value, package: &str) -> Result<PathBuf, String> {
    let packages = metadata.get("packages").and_then(Value::as_array);
    let manifest = packages.into_iter().flatten().find_map(|found| {
        let is_it = found.get("name").and_then(Value::as_str) == Some(package);
        found.get("manifest_path").filter(|_| is_it)?.as_str()
    });
    let folder = manifest.and_then(|manifest| Path::new(manifest).parent());
    folder
        .map(Path::to_owned)
        .ok_or_else(|| format!("cargo knows no package {package}"))
}

/// A row for everything that has a Rust type.
fn table(module: &str, schema: &CheckedSchema) -> String {
    let row = |entity: Entity, of: &str| {
        let path = rust_path(schema, entity)?;
        let name = &schema.common(entity).name;
        Some(format!(
            "    ({name:?}, Codec::{of}::<{module}::{path}>()),\n"
        ))
    };
    let types = schema
        .types()
        .filter_map(|(id, _)| row(Entity::Type(id), "value"));
    let commands = schema
        .commands()
        .filter_map(|(id, _)| row(Entity::Command(id), "members"));
    let events = schema
        .events()
        .filter_map(|(id, _)| row(Entity::Event(id), "members"));
    let mut text = String::new();
    for (name, rows) in [
        ("TYPES", types.collect::<String>()),
        ("COMMANDS", commands.collect()),
        ("EVENTS", events.collect()),
    ] {
        let _ = writeln!(text, "pub static {name}: &[(&str, Codec)] = &[\n{rows}];");
    }
    text
}
