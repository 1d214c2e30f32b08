//! The subcommands, one file each.
//!
//! In: arguments. Out: an exit status.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod dump;
mod human;
mod introspect;
mod json;
mod report;
mod rust;
mod version;

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
    Rust(rust::Rust),
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

/// Prints what a command was asked for.
fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // Who reads only the beginning, as `head` does, has what they want.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("qapi-gen: cannot write: {error}");
            ExitCode::FAILURE
        }
    }
}
