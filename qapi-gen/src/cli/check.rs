//! `qapi-gen check`.
//!
//! In: schemas. Out: their errors and warnings, and a verdict on each.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use qapi_gen::{CheckOptions, Style, check_with};

use super::options::{Folders, Version, config_file};
use super::report::Reporting;
use super::stdin::Stdin;

/// Checks schemas and prints every error, beginning with the one that QEMU's generator
/// reports
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The main files of the schemas, or - for standard input
    #[arg(required = true, value_name = "SCHEMA")]
    schemas: Vec<PathBuf>,

    #[command(flatten)]
    version: Version,

    #[command(flatten)]
    stdin: Stdin,

    #[command(flatten)]
    folders: Folders,

    /// How problems of documentation style are treated
    #[arg(long, value_enum, default_value_t = StyleLevel::Deny)]
    style: StyleLevel,

    #[command(flatten)]
    reporting: Reporting,
}

/// The treatments of problems of documentation style.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum StyleLevel {
    /// They are errors, as for QEMU's generator.
    Deny,
    /// They are warnings.
    Warn,
}

impl Check {
    /// Checks all schemas, also after an error in one of them.
    pub(super) fn run(self) -> ExitCode {
        let mut status = ExitCode::SUCCESS;
        let style = match self.style {
            StyleLevel::Deny => Style::Deny,
            StyleLevel::Warn => Style::Warn,
        };
        let files = self.stdin.loader(&self.schemas);
        for schema in &self.schemas {
            let schema = self.stdin.path(schema);
            let file = config_file(schema);
            let loader = self.folders.loader(&file, &files, schema);
            let main = schema.to_string_lossy();
            let options = CheckOptions {
                rules: self.version.rules(&file, &main, &loader),
                style,
            };
            let outcome = check_with(schema, &loader, options);
            if outcome.schema.is_none() {
                status = ExitCode::FAILURE;
            }
            self.reporting.report_verdict(
                schema,
                options.rules,
                &outcome.sources,
                &outcome.diagnostics,
            );
        }
        files.status(status)
    }
}
