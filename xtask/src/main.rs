//! The project's own chores: `cargo xtask --help`.

mod bench;
mod bless;
mod check;
mod conformance;
mod dist;
mod documentation;
mod imports;
mod links;
mod process;
mod progress;
mod prose;
mod scratch;
mod tidy;
mod tools;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Arguments),
    /// Rewrite the goldens, and the arrows in ARCHITECTURE.md
    Bless,
    /// Print which room of each package imports from which
    Graph {
        /// The packages; all by default
        packages: Vec<String>,
        /// Print every arrow between files, with the line that makes it one
        #[arg(long)]
        files: bool,
    },
    Conformance(conformance::Arguments),
    /// Compare the runtime's and the compiler's times with other programs'
    Bench(bench::Arguments),
    Doc(documentation::Arguments),
    Dist(dist::Arguments),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Bless => bless::run(),
        Command::Graph { packages, files } => imports::print(&packages, files),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
        Command::Doc(arguments) => documentation::run(&arguments),
        Command::Dist(arguments) => dist::run(&arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}
