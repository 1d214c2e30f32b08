//! Programs that speak all of QMP.
//!
//! In: a schema, and the code generated from it. Out: manifests and source
//! files. For every command, each program reaches the code that encodes its
//! request and decodes its reply, so that the compiler cannot leave the code
//! out.

use std::fmt::Write as _;
use std::path::PathBuf;

use qapi_gen::schema::{CheckedSchema, Entity};
use qapi_gen::{GeneratedFile, rust_path};

use crate::conformance::handlers;
use crate::tools::{Failure, workspace};

/// The schema from which the programs are written.
pub(super) struct Sources {
    /// The main file of the schema.
    pub(super) schema: PathBuf,
    /// The checked schema.
    pub(super) checked: CheckedSchema,
    /// The code generated from the schema.
    pub(super) files: Vec<GeneratedFile>,
}

/// A program: its dependencies and its files, by name.
pub(super) struct Consumer {
    dependencies: String,
    pub(super) files: Vec<(String, String)>,
}

/// The module with the code that the build script generates.
const INCLUDED: &str = r#"
mod schema {
    include!(concat!(env!("OUT_DIR"), "/qapi/mod.rs"));
}
"#;

/// A client that uses generated code.
const OURS: &str = r#"
use qapi_wire::command::Request;
use qapi_wire::{Context, Error, Writer, from_json};

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

/// A server that uses generated code and the modules' handlers.
const SERVER: &str = r#"
mod handlers;

/// Does nothing.
pub struct Server;

fn serve(call: qapi_wire::command::Call<'_>, reply: &mut Writer<'_>) -> Result<(), Error> {
    schema::execute(&Server, call, reply)
}
"#;

/// A line that makes the compiler emit the server.
const SERVE: &str = "    std::hint::black_box(serve as fn(_, &mut Writer<'_>) -> _);\n";

impl Consumer {
    /// Returns the program that uses crate `qapi-qmp`.
    pub(super) fn theirs(sources: &Sources) -> Self {
        let commands = sources.checked.commands();
        let paths = commands
            .map(|(_, command)| format!("qapi_qmp::{}", spelled_by_qapi_qmp(&command.common.name)));
        let mut dependencies = "[dependencies]\n".to_owned();
        for package in ["qapi-qmp", "qapi-spec", "serde_json"] {
            // The lock file determines the version.
            let _ = writeln!(dependencies, "{package} = \"*\"");
        }
        Self {
            dependencies,
            files: vec![main(&[THEIRS, &client(paths, "")])],
        }
    }

    /// Returns the program whose build script generates its code.
    pub(super) fn ours(sources: &Sources) -> Self {
        Self {
            dependencies: with_build_script(),
            files: vec![
                build_script(sources),
                main(&[INCLUDED, OURS, &client(paths(&sources.checked), "")]),
            ],
        }
    }

    /// Returns the program whose code was generated before, so that it needs no
    /// build script.
    pub(super) fn written_before(sources: &Sources) -> Self {
        let files = sources.files.iter();
        let files = files.map(|file| (format!("src/schema/{}", file.name), file.text.clone()));
        let main = main(&["mod schema;\n", OURS, &client(paths(&sources.checked), "")]);
        Self {
            dependencies: dependencies(),
            files: files.chain([main]).collect(),
        }
    }

    /// Returns the program of [`Self::ours`] with a server beside the client.
    pub(super) fn server(sources: &Sources) -> Result<Self, Failure> {
        let client = client(paths(&sources.checked), SERVE);
        Ok(Self {
            dependencies: with_build_script(),
            files: vec![
                build_script(sources),
                main(&[INCLUDED, OURS, SERVER, &client]),
                ("src/handlers.rs".to_owned(), modules(&sources.files)?),
            ],
        })
    }

    /// Returns the text of the program's Cargo.toml.
    pub(super) fn manifest(&self) -> String {
        format!(
            "[package]\nname = \"consumer\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
             {}\n[workspace]\n",
            self.dependencies
        )
    }
}

fn dependencies() -> String {
    let wire = workspace().join("qapi/wire").display().to_string();
    format!("[dependencies]\nqapi-wire = {{ path = {wire:?} }}\n")
}

fn with_build_script() -> String {
    let generator = workspace().join("qapi-gen").display().to_string();
    format!(
        "{}\n[build-dependencies]\n\
         qapi-gen = {{ path = {generator:?}, default-features = false }}\n",
        dependencies()
    )
}

fn build_script(sources: &Sources) -> (String, String) {
    let schema = sources.schema.display().to_string();
    let text = format!("fn main() {{ qapi_gen::Builder::new({schema:?}).compile(); }}\n");
    ("build.rs".to_owned(), text)
}

fn main(parts: &[&str]) -> (String, String) {
    let head = "#![allow(deprecated, dead_code, non_camel_case_types)]\n";
    (
        "src/main.rs".to_owned(),
        format!("{head}{}", parts.concat()),
    )
}

/// Returns a program that reaches the code of these commands, and of a server.
fn client(paths: impl Iterator<Item = String>, server: &str) -> String {
    let calls: String = paths
        .map(|path| format!("    reach::<{path}>();\n"))
        .collect();
    format!("{REACH}\nfn main() {{\n{calls}{server}}}\n")
}

/// Returns the paths of the generated requests.
fn paths(schema: &CheckedSchema) -> impl Iterator<Item = String> + '_ {
    let paths = schema
        .commands()
        .filter_map(|(id, _)| rust_path(schema, Entity::Command(id)));
    paths.map(|path| format!("schema::{path}"))
}

/// Returns the name of a command's type in crate `qapi-qmp`.
fn spelled_by_qapi_qmp(name: &str) -> String {
    name.replace('-', "_")
}

/// Returns a module of handlers for each generated module.
fn modules(files: &[GeneratedFile]) -> Result<String, Failure> {
    let mut text = "#![allow(unused_imports, deprecated)]\n".to_owned();
    for file in files {
        let module = file.name.strip_suffix(".rs").unwrap_or(&file.name);
        if module == "mod" || module == "schema_info" {
            continue;
        }
        let handlers = handlers(&file.text).map_err(|why| format!("{}: {why}", file.name))?;
        // The methods name types relative to the generated module, so the
        // module's neighbours are imported, too.
        let _ = writeln!(
            text,
            "pub mod {module} {{\npub use crate::schema::{module}::*;\n\
             use qapi_wire as wire;\n{handlers}\n}}"
        );
    }
    Ok(text)
}
