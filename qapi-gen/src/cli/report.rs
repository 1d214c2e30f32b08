//! How diagnostics are shown.
//!
//! In: diagnostics. Out: text on the standard error stream. Every subcommand
//! that can fail on a schema takes the same options for it.

use std::io::{self, BufWriter, Write};

use clap::{Args, ValueEnum};
use qapi_gen::diag::Diagnostics;
use qapi_gen::source::Sources;

use super::{human, json};

/// The options that say how diagnostics are shown.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Reporting {
    /// How errors are shown.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    error_format: Format,

    /// Show all errors also in the short format, not only the first.
    #[arg(long)]
    all: bool,
}

/// The ways to show diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// To the letter what QEMU's generator prints, the first error only.
    Short,
    /// With the lines that are meant.
    Human,
    /// One JSON object per line.
    Json,
}

impl Reporting {
    /// Shows diagnostics.
    pub(super) fn report(self, sources: &Sources, diagnostics: &Diagnostics) {
        // If nobody reads the standard error stream, there is nobody to tell.
        let _ = self.write(sources, diagnostics);
    }

    fn write(self, sources: &Sources, diagnostics: &Diagnostics) -> io::Result<()> {
        let shown = match self.error_format {
            Format::Short if !self.all => 1,
            _ => diagnostics.len(),
        };
        let stderr: Box<dyn Write> = match self.error_format {
            // Only here are there colours, to be left out where none show.
            Format::Human => Box::new(anstream::AutoStream::auto(io::stderr())),
            // These are for programs, for which not a byte may be left out.
            Format::Short | Format::Json => Box::new(io::stderr()),
        };
        let mut out = BufWriter::new(stderr);
        for diagnostic in diagnostics.iter().take(shown) {
            match self.error_format {
                Format::Short => writeln!(out, "{}", diagnostic.short(sources))?,
                Format::Json => writeln!(out, "{}", json::object(diagnostic, sources))?,
                Format::Human => writeln!(out, "{}\n", human::render(diagnostic, sources))?,
            }
        }
        if self.error_format == Format::Human && shown > 1 {
            writeln!(out, "{shown} errors")?;
        }
        out.flush()
    }
}
