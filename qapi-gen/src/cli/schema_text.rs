//! The part that all subcommands share whose result is a text about a schema.
//!
//! In: the options for a schema, and a back end. Out: the back end's text on the
//! standard output stream.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use qapi_gen::schema::CheckedSchema;

use super::options::{Folders, Version};
use super::report::Reporting;
use super::stdin::Stdin;
use super::terminal::for_stream;

/// The options for a schema and for the report of its errors.
#[derive(Debug, Args)]
pub(super) struct SchemaText {
    /// The main file of the schema, or - for standard input
    #[arg(value_name = "SCHEMA")]
    schema: PathBuf,

    #[command(flatten)]
    stdin: Stdin,

    #[command(flatten)]
    folders: Folders,

    #[command(flatten)]
    version: Version,

    #[command(flatten)]
    reporting: Reporting,
}

impl SchemaText {
    /// Returns the schema as the command line names it.
    pub(super) fn argument(&self) -> &str {
        self.schema.to_str().unwrap_or_default()
    }

    /// Returns the path of the schema.
    pub(super) fn path(&self) -> &Path {
        self.stdin.path(&self.schema)
    }

    /// Prints the text that `back_end` makes of the schema, or reports the errors
    /// of the schema.
    pub(super) fn print(self, back_end: impl FnOnce(&CheckedSchema) -> String) -> ExitCode {
        let path = self.path();
        let files = self.stdin.loader([&self.schema]);
        let loader = self.folders.loader(&files, path);
        let checked = self.reporting.checked(path, &loader, self.version);
        let Some(schema) = checked else {
            return ExitCode::FAILURE;
        };
        let mut stdout = io::stdout().lock();
        let text = for_stream(back_end(&schema), stdout.is_terminal());
        match stdout.write_all(text.as_bytes()) {
            Ok(()) => files.status(ExitCode::SUCCESS),
            // A reader that stops early, such as `head`, is not an error.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("qapi-gen: cannot write: {error}");
                ExitCode::FAILURE
            }
        }
    }
}
