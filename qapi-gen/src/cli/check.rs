//! `qapi-gen check`.
//!
//! In: schemas. Out: what is wrong with them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use qapi_gen::{CheckOptions, Rules, check_with};

use super::folders::Folders;
use super::report::Reporting;

/// Checks schemas.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// The main files of the schemas.
    #[arg(required = true, value_name = "SCHEMA")]
    schemas: Vec<PathBuf>,

    /// The version of QEMU whose rules the schemas have to follow.
    #[arg(long, value_enum, default_value_t = Version::V10_2)]
    rules: Version,

    #[command(flatten)]
    folders: Folders,

    #[command(flatten)]
    reporting: Reporting,
}

/// The versions of QEMU whose rules are known.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Version {
    #[value(name = "7.2")]
    V7_2,
    #[value(name = "10.0")]
    V10_0,
    #[value(name = "10.2")]
    V10_2,
}

impl From<Version> for Rules {
    fn from(version: Version) -> Self {
        match version {
            Version::V7_2 => Self::V7_2,
            Version::V10_0 => Self::V10_0,
            Version::V10_2 => Self::V10_2,
        }
    }
}

impl Check {
    /// Checks them all, whatever becomes of the first.
    pub(super) fn run(self) -> ExitCode {
        let mut status = ExitCode::SUCCESS;
        let options = CheckOptions {
            rules: self.rules.into(),
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
