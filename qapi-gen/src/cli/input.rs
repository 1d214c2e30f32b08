//! The interface that an argument names.
//!
//! In: the path of a schema, `GIT-REV:path`, the path of a reply to
//! `query-qmp-schema`, or the socket of a monitor. Out: an interface, or a message for
//! people.

use std::io::Read as _;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use clap::Args;
use qapi_gen::diag::printable;
use qapi_gen::interface::Interface;
use qapi_gen::schema::CheckedSchema;
use qapi_gen::source::SourceMap;
use qapi_gen::{CheckOptions, ConfigFile, FsLoader, Loader, Outcome, Style, check_with, read_with};

use super::git::{GitLoader, Revision};
use super::live;
use super::options::{Config, Folders, Version, config_file};
use super::report::Reporting;

/// The maximum size of a reply to `query-qmp-schema`; QEMU's has about 0.2 MiB.
const REPLY_BYTES_MAX: u64 = 64 << 20;

/// The options for reading interfaces.
#[derive(Clone, Debug, Args)]
pub(super) struct Reading {
    #[command(flatten)]
    folders: Folders,

    #[command(flatten)]
    version: Version,

    #[command(flatten)]
    config: Config,

    #[command(flatten)]
    reporting: Reporting,
}

/// The kinds of places that an interface can be read from.
enum Place<'a> {
    Schema,
    Reply(Vec<u8>),
    Git(Revision<'a>),
    Socket(live::Address<'a>),
}

/// A schema with what is needed to read it.
struct Source<'a> {
    /// The path of the main file, as the loader takes it.
    path: &'a str,
    file: ConfigFile,
    loader: Box<dyn Loader>,
}

impl Reading {
    /// Reads an interface. The error is a message for people.
    pub(super) fn interface(&self, argument: &str) -> Result<Interface, String> {
        match place(argument)? {
            Place::Schema => self.schema(&self.on_disk(argument)),
            Place::Git(revision) => self.schema(&in_history(revision)?),
            Place::Reply(_) | Place::Socket(_) if self.config.is_given() => Err(format!(
                "{argument} tells what one build has; --config chooses a build of a schema"
            )),
            Place::Reply(text) => {
                Interface::of_reply(&text).map_err(|error| format!("{argument}: {error}"))
            }
            Place::Socket(address) => {
                let reply =
                    live::query_schema(address).map_err(|error| format!("{argument}: {error}"))?;
                Interface::of_schema_info(reply.value())
                    .map_err(|error| format!("{argument}: {error}"))
            }
        }
    }

    /// Checks a schema, which is a file or in the history of a repository.
    pub(super) fn checked(&self, argument: &str) -> Result<(CheckedSchema, SourceMap), String> {
        let source = match place(argument)? {
            Place::Schema => self.on_disk(argument),
            Place::Git(revision) => in_history(revision)?,
            Place::Reply(_) | Place::Socket(_) => {
                return Err(format!(
                    "{argument} is not a schema, which this command needs"
                ));
            }
        };
        self.accepted(source.path, self.outcome(&source))
    }

    fn on_disk<'a>(&self, path: &'a str) -> Source<'a> {
        let main = Path::new(path);
        let file = config_file(main);
        Source {
            path,
            loader: Box::new(self.folders.loader(&file, &FsLoader, main)),
            file,
        }
    }

    fn schema(&self, source: &Source<'_>) -> Result<Interface, String> {
        let (path, loader) = (source.path, &*source.loader);
        let mut outcome = self.outcome(source);
        // Check first, because a VERSION of another program than QEMU is often low.
        if outcome.schema.is_none() {
            let is_historic = self.version.is_historic(&source.file, path, loader);
            if is_historic != Some(false) {
                let historic = read_with(path, loader);
                if historic.schema.is_some() && is_historic.is_none() {
                    let path = printable(path);
                    eprintln!("qapi-gen: {path}: read as a schema of QEMU 6.1 or earlier");
                }
                if historic.schema.is_some() || is_historic == Some(true) {
                    outcome = historic;
                }
            }
        }
        let (schema, sources) = self.accepted(path, outcome)?;
        Ok(match self.config.clone().defined_for(&source.file) {
            None => Interface::of_schema(&schema, &sources),
            Some(defined) => Interface::of_build(&schema, &sources, &defined),
        })
    }

    /// Returns the schema of an outcome, or reports its errors.
    fn accepted(&self, path: &str, outcome: Outcome) -> Result<(CheckedSchema, SourceMap), String> {
        let Outcome {
            sources,
            diagnostics,
            schema,
            ..
        } = outcome;
        let Some(schema) = schema else {
            self.reporting.report(&sources, &diagnostics);
            return Err(format!("{path}: the schema has errors"));
        };
        Ok((schema, sources))
    }

    /// Checks a schema on disk and returns its problems, too.
    pub(super) fn outcome_on_disk(&self, path: &str) -> Result<Outcome, String> {
        match place(path)? {
            Place::Schema => Ok(self.outcome(&self.on_disk(path))),
            _ => Err(format!(
                "{path} is not a schema on disk, so that it cannot be corrected"
            )),
        }
    }

    fn outcome(&self, source: &Source<'_>) -> Outcome {
        let (path, loader) = (source.path, &*source.loader);
        let options = CheckOptions {
            rules: self.version.rules(&source.file, path, loader),
            style: Style::Warn,
        };
        check_with(path, loader, options)
    }
}

fn in_history(revision: Revision<'_>) -> Result<Source<'_>, String> {
    Ok(Source {
        path: revision.path,
        file: config_file(Path::new(revision.path)),
        loader: Box::new(GitLoader::new(revision.name)?),
    })
}

/// Returns a reply to `query-qmp-schema` in canonical form, or `None` if the argument
/// names a schema.
pub(super) fn canonical_reply(argument: &str) -> Result<Option<String>, String> {
    let named = |error| format!("{argument}: {error}");
    match place(argument)? {
        Place::Schema | Place::Git(_) => Ok(None),
        Place::Reply(text) => Interface::canonical_reply(&text).map(Some).map_err(named),
        Place::Socket(address) => {
            let reply =
                live::query_schema(address).map_err(|error| format!("{argument}: {error}"))?;
            let reply = Interface::canonical_schema_info(reply.value());
            reply.map(Some).map_err(named)
        }
    }
}

/// Finds out what an argument names.
fn place(argument: &str) -> Result<Place<'_>, String> {
    if let Some(address) = live::Address::parse(argument) {
        return Ok(Place::Socket(address));
    }
    match std::fs::metadata(argument) {
        Ok(metadata) if metadata.is_dir() => Err(format!(
            "{argument} is a folder; give the main file of the schema in it"
        )),
        Ok(metadata) if metadata.is_file() => match reply_text(argument)? {
            Some(text) => Ok(Place::Reply(text)),
            None => Ok(Place::Schema),
        },
        // The pipe of a shell's `<(...)` can be read once, and a schema is.
        Ok(metadata) if metadata.file_type().is_fifo() => Ok(Place::Schema),
        Ok(metadata) if metadata.file_type().is_socket() => {
            Ok(Place::Socket(live::Address::Unix(argument)))
        }
        Ok(_) => Err(format!("{argument} is neither a file nor a socket")),
        Err(_) => Ok(Revision::parse(argument).map_or(Place::Schema, Place::Git)),
    }
}

/// Returns the text of a file if it is JSON and no schema: in a schema strings have
/// single quotes, and comments are common.
fn reply_text(path: &str) -> Result<Option<Vec<u8>>, String> {
    let failed = |error: std::io::Error| format!("cannot read {path}: {error}");
    let mut file = std::fs::File::open(path).map_err(failed)?;
    let mut text = vec![0; 4096];
    let count = file.read(&mut text).map_err(failed)?;
    text.truncate(count);
    let mut bytes = text.iter().filter(|byte| !byte.is_ascii_whitespace());
    let is_reply = match (bytes.next(), bytes.next()) {
        (Some(b'['), _) => true,
        (Some(b'{'), second) => second == Some(&b'"'),
        _ => false,
    };
    if !is_reply {
        return Ok(None);
    }
    file.take(REPLY_BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(failed)?;
    Ok(Some(text))
}
