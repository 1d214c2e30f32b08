//! The part that all subcommands share whose result is a text about a schema.
//!
//! In: the options for a schema, and a back end. Out: the back end's text on the
//! standard output stream.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use qapi_gen::ConfigFile;
use qapi_gen::schema::CheckedSchema;

use super::options::{Folders, Version, config_file};
use super::output;
use super::report::Reporting;
use super::stdin::Stdin;

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

    /// Prints the text that `back_end` makes of the schema and the settings of its
    /// `qapi-gen.toml`, or reports the errors of the schema.
    pub(super) fn print(
        self,
        back_end: impl FnOnce(&CheckedSchema, &ConfigFile) -> String,
    ) -> ExitCode {
        let path = self.stdin.path(&self.schema);
        let file = config_file(path);
        let files = self.stdin.loader([&self.schema]);
        let loader = self.folders.loader(&file, &files, path);
        let rules = self.version.rules(&file, &path.to_string_lossy(), &loader);
        let checked = self.reporting.checked(path, &loader, rules);
        let Some(schema) = checked else {
            return ExitCode::FAILURE;
        };
        match output::print(&back_end(&schema, &file)) {
            Ok(()) => files.status(ExitCode::SUCCESS),
            Err(message) => {
                eprintln!("qapi-gen: {message}");
                ExitCode::FAILURE
            }
        }
    }
}
