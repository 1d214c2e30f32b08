//! The `vmstats` program: arguments in, exit status out.

use std::process::ExitCode;

use clap::Parser;
use vmstats::cli::{Cli, Command};
use vmstats::failure::Failure;
use vmstats::{decode, demo, query, serve, shell};

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Colour where the output is a terminal, and nowhere else.
    let mut out = anstream::stdout().lock();
    let outcome = match &cli.command {
        Command::Demo(arguments) => demo::run(arguments, &mut out),
        Command::Serve(arguments) => serve::run(arguments, &mut out),
        Command::Query(arguments) => query::query(arguments, &mut out),
        Command::Schemas(arguments) => query::schemas(arguments, &mut out),
        Command::Shell(arguments) => shell::run(arguments, &mut out),
        Command::Decode(arguments) => decode::run(arguments, &mut out),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("vmstats: {failure}");
            ExitCode::from(failure.exit_status())
        }
    }
}
