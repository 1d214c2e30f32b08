//! The time to build a program that speaks all of QMP, on generated code and on
//! crate `qapi-qmp`.
//!
//! In: the schema that `qapi-qmp` carries. Out: one comparison for each
//! profile. Every build starts without a target folder, and includes libraries,
//! build scripts and their dependencies, which have been downloaded.

use std::path::{Path, PathBuf};
use std::time::Instant;

use qapi_gen::schema::{CheckedSchema, Entity};
use qapi_gen::{CheckOptions, FsLoader, Style, check_with, rust_path};

use super::report::Report;
use crate::scratch::{Scratch, dependency};
use crate::tools::{Failure, output, packages, text};

/// The number of builds of each program.
const TURNS: usize = 3;

/// A client that uses generated code.
const OURS: &str = r#"
use qapi_wire::command::Request;
use qapi_wire::{Context, Error, Writer, from_json};

mod schema {
    include!(concat!(env!("OUT_DIR"), "/qapi/mod.rs"));
}

fn request<C: Request>(request: &C) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = Writer::new(&mut bytes);
    let mut object = writer.object();
    object.required("execute", C::INFO.name);
    object.name("arguments").members(request);
    object.end();
    bytes
}

fn reply<C: Request>(bytes: &[u8]) -> Result<C::Reply, Error> {
    from_json(bytes, &Context::tolerant())
}
"#;

/// A client that uses crate `qapi-qmp`.
const THEIRS: &str = r#"
use qapi_spec::{Command as Request, Execute};

fn request<C: Request>(request: &C) -> Vec<u8> {
    let request: Execute<&C> = Execute::with_command(request);
    serde_json::to_vec(&request).unwrap_or_default()
}

fn reply<C: Request>(bytes: &[u8]) -> serde_json::Result<C::Ok> {
    serde_json::from_slice(bytes)
}
"#;

/// A function that makes the compiler emit both functions for a command.
const REACH: &str = "
fn reach<C: Request>() {
    std::hint::black_box((request::<C> as fn(&C) -> _, reply::<C> as fn(&[u8]) -> _));
}
";

/// Builds both programs in turns.
pub(super) fn run(report: &mut Report) -> Result<(), Failure> {
    let schema = schema()?;
    let options = CheckOptions {
        style: Style::Warn,
        ..CheckOptions::default()
    };
    let checked = check_with(&schema, &FsLoader, options).schema;
    let checked = checked.ok_or("the schema is refused")?;
    let (ours, theirs) = (ours(&schema, &checked)?, theirs(&checked)?);
    for profile in ["dev", "release"] {
        let turn = |_| Ok([build_ns(&ours, profile)?, build_ns(&theirs, profile)?]);
        let turns: Vec<[f64; 2]> = (0..TURNS).map(turn).collect::<Result<_, Failure>>()?;
        let what = format!("clean build, profile {profile}");
        report.compare(&what, None, "crate qapi-qmp", &turns);
    }
    Ok(())
}

/// Finds the main file of the schema that crate `qapi-qmp` carries.
fn schema() -> Result<PathBuf, Failure> {
    let package = packages(true)?
        .into_iter()
        .find(|package| package.name == "qapi-qmp");
    let manifest = package.map(|package| package.manifest_path);
    let folder = manifest.as_deref().and_then(Path::parent);
    let folder = folder.ok_or("cargo knows no package qapi-qmp")?;
    Ok(folder.join("schema/qapi/qapi-schema.json"))
}

/// Returns the program whose build script generates its code.
fn ours(schema: &Path, checked: &CheckedSchema) -> Result<Scratch, Failure> {
    let dependencies = format!(
        "[dependencies]\n{}\n[build-dependencies]\n{}",
        dependency("qapi-wire", "qapi/wire"),
        dependency("qapi-gen", "qapi-gen")
    );
    let schema = schema.display().to_string();
    let script = format!("fn main() {{ qapi_gen::Builder::new({schema:?}).compile(); }}\n");
    let commands = checked.commands();
    let types = commands.filter_map(|(id, _)| {
        let path = rust_path(checked, Entity::Command(id))?;
        Some(format!("schema::{path}"))
    });
    let files = [
        ("build.rs".to_owned(), script),
        ("src/main.rs".to_owned(), program(OURS, types)),
    ];
    Scratch::new("ours", &dependencies, files)
}

/// Returns the program that uses crate `qapi-qmp`.
fn theirs(checked: &CheckedSchema) -> Result<Scratch, Failure> {
    // The lock file determines the versions.
    let dependencies = "[dependencies]\nqapi-qmp = \"*\"\nqapi-spec = \"*\"\nserde_json = \"*\"\n";
    let commands = checked.commands();
    let types =
        commands.map(|(_, command)| format!("qapi_qmp::{}", command.common.name.replace('-', "_")));
    let main = ("src/main.rs".to_owned(), program(THEIRS, types));
    Scratch::new("theirs", dependencies, [main])
}

/// Returns a program that reaches the code of each request, so that the
/// compiler cannot leave the code out.
fn program(client: &str, types: impl Iterator<Item = String>) -> String {
    let calls: String = types
        .map(|path| format!("    reach::<{path}>();\n"))
        .collect();
    format!(
        "#![allow(deprecated, dead_code, non_camel_case_types)]\n\
         {client}{REACH}\nfn main() {{\n{calls}}}\n"
    )
}

/// Builds a package without a target folder, and returns the nanoseconds.
fn build_ns(package: &Scratch, profile: &str) -> Result<f64, Failure> {
    let target = tempfile::tempdir().map_err(text)?;
    let mut command = package.cargo("build", target.path());
    command
        .args(["--profile", profile])
        .env("CARGO_INCREMENTAL", "0");
    let begin = Instant::now();
    output(&mut command)?;
    Ok(begin.elapsed().as_secs_f64() * 1e9)
}
