//! `qapi-gen rust`.
//!
//! In: a schema, choices. Out: Rust files in a folder.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use qapi_gen::{FsLoader, Generation, Options, generate, write_files};

use super::report::Reporting;
use super::version::Version;

/// Generates Rust for a schema.
///
/// The folder then holds `mod.rs` and a file for each schema file that defines
/// something. The crate that includes them depends on `qapi-wire`.
#[derive(Debug, Args)]
pub(super) struct Rust {
    /// The main file of the schema
    #[arg(value_name = "SCHEMA")]
    schema: PathBuf,

    /// The folder to write to
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,

    /// Leave the schema's documentation out
    #[arg(long)]
    no_docs: bool,

    /// Let an enumeration have values at run time that the schema does not list
    #[arg(long = "open-enum", value_name = "NAME")]
    open_enums: Vec<String>,

    /// Let the handler of a command write its reply straight into the output
    #[arg(long = "direct-reply", value_name = "COMMAND")]
    direct_replies: Vec<String>,

    /// Generate only what exists if these symbols are defined, and no others;
    /// without it whatever is conditional is generated
    #[arg(long, value_name = "SYMBOL,...", value_delimiter = ',')]
    config: Option<Vec<String>>,

    #[command(flatten)]
    version: Version,

    #[command(flatten)]
    reporting: Reporting,
}

impl Rust {
    /// Generates, or reports all that is wrong.
    pub(super) fn run(self) -> ExitCode {
        let options = Options {
            rules: self.version.rules(),
            docs: !self.no_docs,
            open_enums: self.open_enums.into_iter().collect(),
            direct_replies: self.direct_replies.into_iter().collect(),
            config: self.config.map(|symbols| symbols.into_iter().collect()),
        };
        let Generation {
            sources,
            diagnostics,
            files,
            ..
        } = generate(&self.schema, &FsLoader, &options);
        self.reporting.report(&sources, &diagnostics);
        let Some(files) = files else {
            return ExitCode::FAILURE;
        };
        match write_files(&self.output, &files) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!(
                    "qapi-gen: cannot write to {}: {error}",
                    self.output.display()
                );
                ExitCode::FAILURE
            }
        }
    }
}
