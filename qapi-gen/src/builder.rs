//! What a build script calls.
//!
//! In: a schema's path and choices. Out: files in OUT_DIR, and cargo's
//! `rerun-if-changed` lines for every file that was read.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::generation::Generation;
use crate::load::FsLoader;
use crate::output::{GeneratedFile, HEADING};
use crate::rules::Rules;
use crate::rust::Options;

/// Compiles a schema in a build script.
///
/// ```no_run
/// // In build.rs, within fn main:
/// qapi_gen::Builder::new("schema/qapi-schema.json").compile();
/// ```
///
/// and then, in the crate:
///
/// ```ignore
/// include!(concat!(env!("OUT_DIR"), "/qapi/mod.rs"));
/// ```
///
/// The crate depends on `qapi-wire`, which the generated code calls.
#[derive(Clone, Debug)]
#[must_use = "nothing is compiled before `compile` is called"]
pub struct Builder {
    schema: PathBuf,
    options: Options,
    out_dir: Option<PathBuf>,
}

impl Builder {
    /// Begins with the main file of a schema. A relative path counts from the
    /// crate's root, where cargo runs build scripts.
    pub fn new(schema: impl Into<PathBuf>) -> Self {
        Self {
            schema: schema.into(),
            options: Options::default(),
            out_dir: None,
        }
    }

    /// Whose rules the schema follows; by default the newest.
    pub fn rules(mut self, rules: Rules) -> Self {
        self.options.rules = rules;
        self
    }

    /// Whether the schema's documentation becomes rustdoc; by default it does.
    pub fn docs(mut self, docs: bool) -> Self {
        self.options.docs = docs;
        self
    }

    /// Lets an enumeration have values at run time that the schema does not
    /// list.
    pub fn open_enum(mut self, name: impl Into<String>) -> Self {
        self.options.open_enums.insert(name.into());
        self
    }

    /// Lets the handler of a command write its reply straight into the output.
    pub fn direct_reply(mut self, command: impl Into<String>) -> Self {
        self.options.direct_replies.insert(command.into());
        self
    }

    /// Generates only what exists if exactly these configuration symbols are
    /// defined. By default whatever is conditional is generated.
    pub fn config<S: Into<String>>(mut self, symbols: impl IntoIterator<Item = S>) -> Self {
        self.options.config = Some(symbols.into_iter().map(Into::into).collect());
        self
    }

    /// Writes into this folder; by default into `$OUT_DIR/qapi`.
    pub fn out_dir(mut self, folder: impl Into<PathBuf>) -> Self {
        self.out_dir = Some(folder.into());
        self
    }

    /// Compiles the schema, and ends the build script with the diagnostics if
    /// there are any.
    pub fn compile(self) {
        if let Err(report) = self.try_compile() {
            eprintln!("{report}");
            // A build script has no other way to fail than its exit status.
            std::process::exit(1);
        }
    }

    /// Compiles the schema.
    ///
    /// # Errors
    ///
    /// The diagnostics, or why a file could not be written, as text.
    pub fn try_compile(self) -> Result<(), String> {
        let out_dir = match (self.out_dir, env::var_os("OUT_DIR")) {
            (Some(folder), _) => folder,
            (None, Some(folder)) => Path::new(&folder).join("qapi"),
            (None, None) => return Err("OUT_DIR is not set: is this a build script?".to_owned()),
        };
        let generation = crate::generate(&self.schema, &FsLoader, &self.options);
        for file in &generation.files_read {
            println!("cargo::rerun-if-changed={}", file.display());
        }
        for warning in warnings(&generation) {
            println!("cargo::warning={warning}");
        }
        let files = generation
            .into_files()
            .map_err(|report| report.to_string())?;
        write_files(&out_dir, &files)
            .map_err(|error| format!("cannot write to {}: {error}", out_dir.display()))
    }
}

/// How many warnings a build shows: enough to tell what they are about.
const WARNINGS_MAX: usize = 5;

/// The warnings, each on a line, as cargo wants them.
fn warnings(generation: &Generation) -> Vec<String> {
    let warnings = generation.diagnostics.warnings();
    let mut lines: Vec<String> = warnings
        .take(WARNINGS_MAX)
        .map(|warning| warning.short(&generation.sources).replace('\n', " "))
        .collect();
    let more = generation.diagnostics.warnings().count() - lines.len();
    if more > 0 {
        lines.push(format!(
            "and {more} more; `qapi-gen check --all` tells them all"
        ));
    }
    lines
}

/// Writes the files that differ from what stands in the folder, so that what
/// depends on them is built again only if need be. Files of an earlier
/// generation that there are no more are removed; others are left alone.
///
/// # Errors
///
/// What making the folder or writing a file says.
pub fn write_files(folder: &Path, files: &[GeneratedFile]) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for file in files {
        let path = folder.join(&file.name);
        if fs::read(&path).is_ok_and(|old| old == file.text.as_bytes()) {
            continue;
        }
        fs::write(path, &file.text)?;
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let is_current = files
            .iter()
            .any(|file| path.file_name() == Some(file.name.as_ref()));
        if !is_current && is_generated(&path) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Whether a file begins as every file that [`write_files`] wrote does.
fn is_generated(path: &Path) -> bool {
    let mut head = [0; HEADING.len()];
    let read = fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    path.extension().is_some_and(|extension| extension == "rs")
        && read.is_ok()
        && head == *HEADING.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::MemoryLoader;

    #[test]
    fn warnings_are_few_and_have_a_line_each() {
        let block = "##\n# A sentence. Another one.\n##\n";
        let check = |blocks: usize, expected: usize| {
            let loader = MemoryLoader::from_iter([("a.json", block.repeat(blocks))]);
            let generation = crate::generate("a.json", &loader, &Options::default());
            let warnings = warnings(&generation);
            assert_eq!(warnings.len(), expected);
            assert!(warnings.iter().all(|line| !line.contains('\n')));
            assert!(generation.files.is_some());
        };
        check(0, 0);
        check(WARNINGS_MAX, WARNINGS_MAX);
        check(1000, WARNINGS_MAX + 1);
    }
}
