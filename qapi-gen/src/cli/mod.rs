//! The subcommands, one file each.
//!
//! In: arguments. Out: an exit status.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod human;
mod json;
mod report;
mod rust;

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
    Rust(rust::Rust),
}

/// Runs the command that the arguments give.
pub(crate) fn run() -> ExitCode {
    match Arguments::parse().command {
        Command::Check(check) => check.run(),
        Command::Rust(rust) => rust.run(),
    }
}
