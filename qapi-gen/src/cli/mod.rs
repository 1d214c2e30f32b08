//! The command line, with a file for each subcommand.
//!
//! In: arguments. Out: an exit status.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

mod check;
mod diff;
mod dump;
mod explain;
mod fix;
mod git;
mod history;
mod input;
mod introspect;
mod json;
mod lint;
mod live;
mod options;
mod output;
mod paths;
mod report;
mod rust;
mod schema_text;
mod stale;
mod stdin;
mod terminal;
mod validate;

/// Compiles QAPI schemas, the language in which QEMU describes its interface.
#[derive(Debug, Parser)]
#[command(name = "qapi-gen", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Diff(Box<diff::Diff>),
    Dump(dump::Dump),
    Explain(explain::Explain),
    Has(paths::Has),
    History(history::ListHistory),
    Introspect(introspect::Introspect),
    Lint(Box<lint::Lint>),
    Paths(paths::Paths),
    Rust(Box<rust::Rust>),
    Since(history::Since),
    Validate(Box<validate::Validate>),
}

/// Returns the definition of the command line, from which man pages and completions
/// are written.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}

/// Runs the command that the arguments give.
#[must_use]
pub fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Check(check) => check.run(),
        Command::Diff(diff) => diff.run(),
        Command::Dump(dump) => dump.run(),
        Command::Explain(explain) => explain.run(),
        Command::Has(has) => has.run(),
        Command::History(history) => history.run(),
        Command::Introspect(introspect) => introspect.run(),
        Command::Lint(lint) => lint.run(),
        Command::Paths(paths) => paths.run(),
        Command::Rust(rust) => rust.run(),
        Command::Since(since) => since.run(),
        Command::Validate(validate) => validate.run(),
    }
}
