//! `qapi-gen introspect`.
//!
//! In: a schema, choices. Out: what `query-qmp-schema` returns for it, on the
//! standard output stream.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use qapi_gen::Introspection;

use super::config::Config;
use super::folders::Folders;
use super::print;
use super::report::Reporting;
use super::version::Version;

/// Prints what `query-qmp-schema` returns: a JSON array of `SchemaInfo`.
#[derive(Debug, Args)]
pub(super) struct Introspect {
    /// The main file of the schema
    #[arg(value_name = "SCHEMA")]
    schema: PathBuf,

    /// Let types keep their names instead of numbering them
    #[arg(long)]
    unmask: bool,

    #[command(flatten)]
    config: Config,

    #[command(flatten)]
    folders: Folders,

    #[command(flatten)]
    version: Version,

    #[command(flatten)]
    reporting: Reporting,
}

impl Introspect {
    /// Prints it, or reports all that is wrong.
    pub(super) fn run(self) -> ExitCode {
        let checked = self
            .reporting
            .checked(&self.schema, &self.folders, self.version.rules());
        let Some(schema) = checked else {
            return ExitCode::FAILURE;
        };
        let introspection = Introspection {
            unmask: self.unmask,
            config: self.config.defined(),
        };
        print(&introspection.json(&schema))
    }
}
