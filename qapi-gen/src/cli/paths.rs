//! `qapi-gen paths` and `qapi-gen has`.
//!
//! In: an interface, and for `has` a path. Out: all paths, or an exit status.

use std::process::ExitCode;

use clap::Args;

use super::input::Reading;
use super::output;

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
        output::finish(self.list())
    }

    fn list(&self) -> Result<ExitCode, String> {
        let interface = self.reading.interface(&self.source)?;
        let paths = interface.paths().map_err(|error| error.to_string())?;
        let lines: String = paths.iter().map(|path| format!("{path}\n")).collect();
        output::print(&lines)?;
        Ok(ExitCode::SUCCESS)
    }
}

impl Has {
    /// Looks the path up.
    pub(super) fn run(&self) -> ExitCode {
        let interface = self.reading.interface(&self.source);
        output::finish(
            interface.map(|interface| ExitCode::from(u8::from(!interface.has(&self.path)))),
        )
    }
}
