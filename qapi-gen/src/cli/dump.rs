//! `qapi-gen dump`.
//!
//! In: a schema. Out: its canonical text on the standard output stream.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use qapi_gen::dump;

use super::print;
use super::report::Reporting;
use super::version::Version;

/// Prints the canonical text of a schema.
///
/// It has everything that the schema means, and its documentation, in the form
/// of QEMU's schema tests.
#[derive(Debug, Args)]
pub(super) struct Dump {
    /// The main file of the schema
    #[arg(value_name = "SCHEMA")]
    schema: PathBuf,

    #[command(flatten)]
    version: Version,

    #[command(flatten)]
    reporting: Reporting,
}

impl Dump {
    /// Prints it, or reports all that is wrong.
    pub(super) fn run(self) -> ExitCode {
        let Some(schema) = self.reporting.checked(&self.schema, self.version.rules()) else {
            return ExitCode::FAILURE;
        };
        print(&dump(&schema))
    }
}
