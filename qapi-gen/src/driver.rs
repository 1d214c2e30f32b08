//! The whole way from the path of a schema to the text of files.
//!
//! In: a path, a loader, options. Out: a checked schema or generated files, and
//! diagnostics. This module only joins the stages, and must not know what they
//! do. Each stage reports everything that it finds, and passes on what is right.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::backend::rust::{Options, generate_files};
use crate::defs;
use crate::diag::{Colors, Diagnostics, Style};
use crate::load::{self, Loader, Loss, ParsedSchema};
use crate::output_dir::GeneratedFile;
use crate::rules::{CheckOptions, Rules};
use crate::schema::{self, CheckedSchema};
use crate::source::SourceMap;

/// The result of checking a schema.
#[derive(Debug)]
pub struct Outcome {
    /// The files of the schema. The places of diagnostics refer to them.
    pub sources: SourceMap,
    /// The errors and warnings. The first is the one that QEMU's generator
    /// reports.
    pub diagnostics: Diagnostics,
    /// The schema, or `None` if it has errors.
    pub schema: Option<CheckedSchema>,
    /// Every file that was read, in order, also if the file has errors.
    pub files_read: Vec<PathBuf>,
}

/// Reads a schema and checks it by the newest rules.
///
/// First all files are parsed, then each definition is checked separately, then
/// all definitions together. Each stage reports all errors that it finds, and
/// leaves what is wrong out of the later ones, where it would only cause errors
/// that are consequences. So uses of a type whose definition is wrong are not
/// errors, and nothing is checked if a file or a setting is missing.
pub fn check(path: impl AsRef<Path>, loader: &dyn Loader) -> Outcome {
    check_with(path, loader, CheckOptions::default())
}

/// Reads a schema and checks it by the rules of a QEMU release.
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

/// Reads a schema of QEMU 2.8 to 6.1, to compare its interface with that of another
/// release. It is not checked as these releases did: documentation and pragmas are
/// ignored, and so are the conventions for names and replies.
///
/// ```
/// use qapi_gen::{MemoryLoader, read_with};
///
/// let schema = "{ 'command': 'query-sev', 'if': 'defined(TARGET_I386)', 'returns': 'int' }";
/// let files = MemoryLoader::from_iter([("a.json", schema)]);
/// assert!(read_with("a.json", &files).schema.is_some());
/// ```
pub fn read_with(path: impl AsRef<Path>, loader: &dyn Loader) -> Outcome {
    let options = CheckOptions {
        rules: Rules::HISTORIC,
        style: Style::Warn,
    };
    check_with(path, loader, options)
}

/// Takes a parsed schema through the stages after parsing.
fn lower(
    program: ParsedSchema<'_>,
    rules: Rules,
    sources: &SourceMap,
    diagnostics: &mut Diagnostics,
) -> Option<CheckedSchema> {
    if program.loss == Loss::Files {
        return None;
    }
    let lowered = defs::lower(
        program.items,
        program.loss,
        &program.pragmas,
        rules,
        sources,
        diagnostics,
    );
    let schema = schema::build::build(
        program.modules,
        lowered,
        program.pragmas,
        rules,
        sources,
        diagnostics,
    );
    schema::check::check(schema, diagnostics)
}

/// The result of generating Rust for a schema.
#[derive(Debug)]
pub struct Generation {
    /// The files of the schema. The places of diagnostics refer to them.
    pub sources: SourceMap,
    /// The errors and warnings. The first is the one that QEMU's generator
    /// reports, if it would report any.
    pub diagnostics: Diagnostics,
    /// The generated files, `mod.rs` first, or `None` if there are errors.
    pub files: Option<Vec<GeneratedFile>>,
    /// Every file that was read, in order, also if the file has errors.
    pub files_read: Vec<PathBuf>,
}

/// Checks a schema and generates Rust for it. Problems of documentation style are
/// warnings.
pub fn generate(path: impl AsRef<Path>, loader: &dyn Loader, options: &Options) -> Generation {
    let check = CheckOptions {
        rules: options.rules,
        style: Style::Warn,
    };
    let Outcome {
        sources,
        mut diagnostics,
        schema,
        files_read,
    } = check_with(path, loader, check);
    let files = schema.and_then(|schema| generate_files(&schema, options, &mut diagnostics));
    Generation {
        sources,
        diagnostics,
        files,
        files_read,
    }
}

impl Generation {
    /// Returns the generated files.
    ///
    /// # Errors
    ///
    /// Returns all errors of the schema and the options, if there are any.
    pub fn into_files(self) -> Result<Vec<GeneratedFile>, Report> {
        self.into_files_or(Colors::Off)
    }

    /// Returns the generated files, or a report in colour if `colors` is on.
    pub(crate) fn into_files_or(self, colors: Colors) -> Result<Vec<GeneratedFile>, Report> {
        let Self {
            sources,
            diagnostics,
            files,
            ..
        } = self;
        files.ok_or_else(|| Report::of(&diagnostics, &sources, colors))
    }
}

/// All errors of a schema and of the options as text, each with the line of the
/// schema that it is about and a hint, as `qapi-gen check` prints them.
#[derive(Clone, PartialEq, Eq)]
pub struct Report {
    text: String,
}

impl Report {
    fn of(diagnostics: &Diagnostics, sources: &SourceMap, colors: Colors) -> Self {
        let errors: Vec<String> = diagnostics
            .errors()
            .map(|diagnostic| diagnostic.human(sources, colors))
            .collect();
        Self {
            text: errors.join("\n\n"),
        }
    }
}

impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Show the text verbatim, because `unwrap` in a build script prints
        // this form, in which escaped line ends would be hard to read.
        write!(f, "\n{}", self.text)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Report {}
