//! `qapi-gen check`.
//!
//! In: schemas. Out: their errors.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use qapi_gen::{CheckOptions, check_with};

use super::options::{Folders, Version};
use super::report::Reporting;

/// Checks schemas.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The main files of the schemas.
    #[arg(required = true, value_name = "SCHEMA")]
    schemas: Vec<PathBuf>,

    #[command(flatten)]
    version: Version,

    #[command(flatten)]
    folders: Folders,

    #[command(flatten)]
    reporting: Reporting,
}

impl Check {
    /// Checks all schemas, also after an error in one of them.
    pub(super) fn run(self) -> ExitCode {
        let mut status = ExitCode::SUCCESS;
        let options = CheckOptions {
            rules: self.version.rules(),
            ..CheckOptions::default()
        };
        for schema in &self.schemas {
            let outcome = check_with(schema, &self.folders.loader(schema), options);
            if outcome.schema.is_none() {
                status = ExitCode::FAILURE;
                self.reporting
                    .report(&outcome.sources, &outcome.diagnostics);
            }
        }
        status
    }
}
