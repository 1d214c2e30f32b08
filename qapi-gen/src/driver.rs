//! From a schema's path to the text of Rust files: the whole way.
//!
//! In: a path, a loader, options. Out: files, or what is wrong. It only joins
//! the stages.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::backend::rust::Options;
use crate::diag::{Diagnostics, printable};
use crate::load::Loader;
use crate::output_dir::GeneratedFile;
use crate::source::SourceMap;
use crate::{CheckOptions, Outcome, Style};

/// What has become of a schema that was to be compiled.
#[derive(Debug)]
pub struct Generation {
    /// The files of the schema, which diagnostics point into.
    pub sources: SourceMap,
    /// What is wrong; the first is what QEMU's generator reports, if it would
    /// report any.
    pub diagnostics: Diagnostics,
    /// The generated files, if there is no error: `mod.rs` first.
    pub files: Option<Vec<GeneratedFile>>,
    /// Every file that was read, in order, whatever came of it.
    pub files_read: Vec<PathBuf>,
}

/// Checks a schema and generates Rust for it. The style of its documentation
/// is no hindrance: about that there are warnings.
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
    } = crate::check_with(path, loader, check);
    let files = schema.and_then(|schema| {
        crate::backend::rust::generate_files(&schema, options, &mut diagnostics)
    });
    Generation {
        sources,
        diagnostics,
        files,
        files_read,
    }
}

impl Generation {
    /// The generated files.
    ///
    /// # Errors
    ///
    /// All that is wrong with the schema.
    pub fn into_files(self) -> Result<Vec<GeneratedFile>, Report> {
        let Self {
            sources,
            diagnostics,
            files,
            ..
        } = self;
        files.ok_or_else(|| {
            let lines: Vec<String> = diagnostics
                .errors()
                .map(|diagnostic| printable(&diagnostic.short(&sources)).into_owned())
                .collect();
            Report {
                text: lines.join("\n"),
            }
        })
    }
}

/// All errors of a schema, as text: each with its file and line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    text: String,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Report {}
