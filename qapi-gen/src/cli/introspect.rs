//! `qapi-gen introspect`.
//!
//! In: a schema, and choices. Out: the reply to `query-qmp-schema`, on the standard
//! output stream.

use std::process::ExitCode;

use clap::Args;
use qapi_gen::Introspection;

use super::options::Config;
use super::schema_text::SchemaText;

/// Prints what `query-qmp-schema` returns: a JSON array of `SchemaInfo`.
#[derive(Debug, Args)]
pub(super) struct Introspect {
    /// Let types keep their names instead of numbering them
    #[arg(long)]
    unmask: bool,

    #[command(flatten)]
    config: Config,

    #[command(flatten)]
    text: SchemaText,
}

impl Introspect {
    /// Prints the array, or reports the errors of the schema.
    pub(super) fn run(self) -> ExitCode {
        let introspection = Introspection {
            unmask: self.unmask,
            config: self.config.defined(),
        };
        self.text.print(|schema| introspection.json(schema))
    }
}
