//! `qapi-gen paths` and `qapi-gen has`.
//!
//! In: an interface, and for `has` a path. Out: all paths, or an exit status.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::Args;
use qapi_gen::interface::Interface;

use super::input::Reading;
use super::terminal::for_stream;

/// Lists everything that a client can ask an interface for, in libvirt's grammar.
///
/// A path is COMMAND/arg-type/..., COMMAND/ret-type/... or EVENT/arg-type/..., then
/// member, *member (an optional one), +case (of a union), ^value (of an enumeration),
/// $feature, or !builtin. Arrays and alternates add nothing.
#[derive(Debug, Args)]
pub(super) struct Paths {
    /// A schema, GIT-REV:path of one, a file with a reply to query-qmp-schema, or the
    /// socket of a monitor
    source: String,

    #[command(flatten)]
    reading: Reading,
}

/// Says by the exit status whether an interface has a path: 0 if it has, 1 if it has
/// not, 2 if it could not be read.
#[derive(Debug, Args)]
pub(super) struct Has {
    /// A schema, GIT-REV:path of one, a file with a reply to query-qmp-schema, or the
    /// socket of a monitor
    source: String,

    /// A path, as `paths` lists them
    path: String,

    #[command(flatten)]
    reading: Reading,
}

impl Paths {
    /// Prints the paths.
    pub(super) fn run(&self) -> ExitCode {
        let paths = read(&self.reading, &self.source)
            .and_then(|interface| interface.paths().map_err(|error| error.to_string()));
        let text = match paths {
            Ok(paths) => paths.join("\n") + "\n",
            Err(message) => return failed(message),
        };
        match io::stdout().lock().write_all(text.as_bytes()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                failed(format!("cannot write: {error}"))
            }
            _ => ExitCode::SUCCESS,
        }
    }
}

impl Has {
    /// Looks the path up.
    pub(super) fn run(&self) -> ExitCode {
        match read(&self.reading, &self.source) {
            Ok(interface) => ExitCode::from(u8::from(!interface.has(&self.path))),
            Err(message) => failed(message),
        }
    }
}

fn read(reading: &Reading, source: &str) -> Result<Interface, String> {
    reading.interface(source)
}

fn failed(message: String) -> ExitCode {
    let message = for_stream(message, io::stderr().is_terminal());
    eprintln!("qapi-gen: {message}");
    ExitCode::from(2)
}
