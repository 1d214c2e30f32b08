//! `qapi-gen dump`.
//!
//! In: a schema. Out: its canonical text on the standard output stream.

use std::process::ExitCode;

use clap::Args;
use qapi_gen::dump;

use super::schema_text::SchemaText;

/// Prints the canonical text of a schema.
///
/// It has everything that the schema means, and its documentation, in the form
/// of QEMU's schema tests.
#[derive(Debug, Args)]
pub(super) struct Dump {
    #[command(flatten)]
    text: SchemaText,
}

impl Dump {
    /// Prints the text, or reports the errors of the schema.
    pub(super) fn run(self) -> ExitCode {
        self.text.print(|schema, _| dump(schema))
    }
}
