//! The report of diagnostics.
//!
//! In: diagnostics, or a schema to check first. Out: text on the standard error
//! stream. All subcommands share the options for it.

use std::io::{self, BufWriter, IsTerminal as _, Write};
use std::path::Path;

use clap::{Args, ValueEnum};
use qapi_gen::diag::{Colors, Diagnostics, module_alone, printable};
use qapi_gen::schema::CheckedSchema;
use qapi_gen::source::SourceMap;
use qapi_gen::{CheckOptions, Loader, Rules, Style, check_with, main_files};

use super::json;
use super::terminal::for_stream;

/// The options for the report of diagnostics.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Reporting {
    /// How errors are shown, on the standard error stream
    ///
    /// With `json` each line is an object. Its members, null if there is
    /// nothing to say: `severity` (error, warning), `code` (the kind of
    /// problem), `message` (QEMU's words, maybe several lines), `help` (how
    /// to mend it), `file`, `line` and `column` (those of QEMU's message:
    /// only syntax errors have a column, and tabs count as QEMU counts them),
    /// `span` (what to underline), `definition` (what it
    /// is in: `kind`, `name`), `included_from` (an array of `file` and `line`,
    /// the main file first), `related` (an array of `message` and `span`).
    ///
    /// A span has a `file`, a `start` and an `end`, which is the place after
    /// it. Both have a `byte`, the offset in the file as it is, from 0, a
    /// `line` and a `column`, in characters (Unicode scalar values, a tab is
    /// one), from 1.
    #[arg(long, value_enum, default_value_t = Format::Human)]
    error_format: Format,

    /// Show all errors also in the short format, not only the first, and all
    /// warnings, not only the first ten
    #[arg(long)]
    all: bool,
}

/// The ways to show diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// QEMU's format to the letter, with the first error only.
    Short,
    /// Messages with the lines of the schema that they are about.
    Human,
    /// One JSON object per line.
    Json,
}

impl Reporting {
    /// Checks a schema and reports its diagnostics. Problems of documentation
    /// style are warnings.
    pub(super) fn checked(
        self,
        schema: &Path,
        loader: &dyn Loader,
        rules: Rules,
    ) -> Option<CheckedSchema> {
        let options = CheckOptions {
            rules,
            style: Style::Warn,
        };
        let outcome = check_with(schema, loader, options);
        self.report(&outcome.sources, &outcome.diagnostics);
        outcome.schema
    }

    /// Reports diagnostics, and in the format for people the number of several.
    pub(super) fn report(self, sources: &SourceMap, diagnostics: &Diagnostics) {
        let summary = (diagnostics.len() > 1).then(|| self.summary(diagnostics));
        // Ignore the error, because there is nowhere else to report it.
        let _ = self.write(sources, diagnostics, summary);
    }

    /// Reports the diagnostics of a schema, and in the format for people always
    /// their number, because silence could mean that nothing was checked.
    pub(super) fn report_verdict(
        self,
        schema: &Path,
        rules: Rules,
        sources: &SourceMap,
        diagnostics: &Diagnostics,
    ) {
        let schema = schema.to_string_lossy();
        let schema = printable(&schema);
        let mut summary = format!("qapi-gen: {schema}: {}", self.summary(diagnostics));
        // Name older rules, because a file VERSION may have chosen them.
        if rules != Rules::default() {
            summary.push_str(&format!(" by the rules of QEMU {rules}"));
        }
        let _ = self.write(sources, diagnostics, Some(summary));
    }

    /// Returns the numbers of errors and warnings.
    fn summary(self, diagnostics: &Diagnostics) -> String {
        let (_, warnings_max) = self.limits(diagnostics);
        let warnings = diagnostics.warnings().count();
        let mut summary = count(diagnostics.errors().count(), "error");
        if warnings > 0 {
            summary.push_str(", ");
            summary.push_str(&count(warnings, "warning"));
        }
        if warnings > warnings_max {
            summary.push_str(" (--all shows all of them)");
        }
        summary
    }

    fn write(
        self,
        sources: &SourceMap,
        diagnostics: &Diagnostics,
        summary: Option<String>,
    ) -> io::Result<()> {
        let stderr: Box<dyn Write> = match self.error_format {
            // The stream removes colours unless it is a terminal.
            Format::Human => Box::new(anstream::AutoStream::auto(io::stderr())),
            // Programs read these formats, so no byte may be removed.
            Format::Short | Format::Json => Box::new(io::stderr()),
        };
        let is_terminal = io::stderr().is_terminal();
        let mut out = BufWriter::new(stderr);
        let (errors_max, warnings_max) = self.limits(diagnostics);
        let errors = diagnostics.errors().take(errors_max);
        let warnings = diagnostics.warnings().take(warnings_max);
        for diagnostic in errors.chain(warnings) {
            match self.error_format {
                Format::Short => writeln!(
                    out,
                    "{}",
                    for_stream(diagnostic.short(sources), is_terminal)
                )?,
                Format::Json => writeln!(out, "{}", json::line(diagnostic, sources))?,
                Format::Human => writeln!(out, "{}\n", diagnostic.human(sources, Colors::On))?,
            }
        }
        if self.error_format == Format::Human
            && let Some(note) = module_note(sources, diagnostics)
        {
            writeln!(out, "{note}\n")?;
        }
        // The other formats are for programs, which count by themselves.
        if let (Format::Human, Some(summary)) = (self.error_format, summary) {
            writeln!(out, "{summary}")?;
        }
        out.flush()
    }

    /// Returns the number of errors and of warnings to show. A schema with older
    /// markup has thousands of warnings, which would hide the errors.
    fn limits(self, diagnostics: &Diagnostics) -> (usize, usize) {
        const WARNINGS_MAX: usize = 10;
        match self.error_format {
            _ if self.all => (usize::MAX, usize::MAX),
            Format::Json => (usize::MAX, usize::MAX),
            Format::Short if diagnostics.has_errors() => (1, 0),
            Format::Short | Format::Human => (usize::MAX, WARNINGS_MAX),
        }
    }
}

/// Returns a note on the main files, if the schema is a module of others and has
/// errors that only come from checking it alone.
fn module_note(sources: &SourceMap, diagnostics: &Diagnostics) -> Option<String> {
    let (_, main) = sources.iter().next()?;
    if !diagnostics.may_lack_main_file() {
        return None;
    }
    module_alone(main.name(), &main_files(Path::new(main.name())), Colors::On)
}

/// Returns a number with its noun.
fn count(number: usize, noun: &str) -> String {
    match number {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}
