//! `qapi-gen introspect`.
//!
//! In: a schema, and choices. Out: the reply to `query-qmp-schema`, on the standard
//! output stream.

use std::process::ExitCode;

use clap::Args;
use qapi_gen::Introspection;

use super::input;
use super::options::Config;
use super::output;
use super::schema_text::SchemaText;

/// Prints what `query-qmp-schema` returns: a JSON array of `SchemaInfo`.
///
/// SCHEMA may also be a file with a reply, or the socket of a monitor, whose array is
/// printed in the same form.
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
        match self.reply() {
            Ok(None) => {}
            Ok(Some(reply)) => {
                return output::finish(output::print(&reply).map(|()| ExitCode::SUCCESS));
            }
            Err(message) => return output::finish(Err(message)),
        }
        self.text.print(|schema, file| {
            let introspection = Introspection {
                unmask: self.unmask,
                config: self.config.defined_for(file),
            };
            introspection.json(schema)
        })
    }

    /// Returns the reply if the argument is one, or a server that can be asked.
    fn reply(&self) -> Result<Option<String>, String> {
        let argument = self.text.argument();
        if argument == "-" {
            return Ok(None);
        }
        let reply = input::canonical_reply(argument)?;
        if reply.is_some() && (self.unmask || self.config.is_given()) {
            return Err(format!(
                "{argument} tells what one build has, with its names; --unmask and --config are \
                 for schemas"
            ));
        }
        Ok(reply)
    }
}
