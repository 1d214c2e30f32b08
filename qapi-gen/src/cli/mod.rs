//! The command line, with a file for each subcommand.
//!
//! In: arguments. Out: an exit status.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod diff;
mod dump;
mod introspect;
mod json;
mod options;
mod report;
mod rust;
mod schema_text;
mod terminal;

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
    Dump(dump::Dump),
    Introspect(introspect::Introspect),
    Rust(Box<rust::Rust>),
}

/// Runs the command that the arguments give.
pub(crate) fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Check(check) => check.run(),
        Command::Dump(dump) => dump.run(),
        Command::Introspect(introspect) => introspect.run(),
        Command::Rust(rust) => rust.run(),
    }
}
