//! The `vmstats` program.
//!
//! In: the command line. Out: an exit status.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use vmstats::cli::{Cli, Command};
use vmstats::failure::Failure;
use vmstats::{decode, demo, explain, log, query, serve, shell};

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(cli.verbose);
    let mut out: Box<dyn Write> = if cli.command.is_for_programs() {
        Box::new(io::stdout().lock())
    } else {
        // Removes colours unless the output is a terminal.
        Box::new(anstream::stdout().lock())
    };
    let outcome = match &cli.command {
        Command::Demo(arguments) => demo::run(arguments, &mut out),
        Command::Serve(arguments) => serve::run(arguments, &mut out),
        #[cfg(feature = "top")]
        Command::Top(arguments) => vmstats::top::run(arguments, &mut out),
        #[cfg(feature = "record")]
        Command::Record(arguments) => vmstats::record::run(arguments),
        #[cfg(feature = "record")]
        Command::Snapshot(arguments) => vmstats::recording::copy::snapshot(arguments),
        #[cfg(feature = "record")]
        Command::Pack(arguments) => vmstats::recording::copy::pack(arguments),
        #[cfg(all(feature = "top", feature = "record"))]
        Command::Replay(arguments) => vmstats::top::replay(arguments),
        Command::Query(arguments) => query::query(arguments, &mut out),
        Command::Schemas(arguments) => query::schemas(arguments, &mut out),
        #[cfg(feature = "record")]
        Command::Diff(arguments) => vmstats::diff::run(arguments, &mut out),
        #[cfg(feature = "record")]
        Command::Report(arguments) => vmstats::report::run(arguments, &mut out),
        #[cfg(feature = "record")]
        Command::Dump(arguments) => vmstats::dump::run(arguments, &mut out),
        #[cfg(feature = "export")]
        Command::Export(arguments) => vmstats::export::run(arguments, &mut out),
        #[cfg(feature = "host")]
        Command::Host(arguments) => vmstats::host::run(arguments, &mut out),
        #[cfg(feature = "host")]
        Command::Adopt(arguments) => vmstats::adopt::run(arguments, &mut out),
        Command::Explain(arguments) => explain::run(arguments, &mut out),
        Command::Shell(arguments) => shell::run(arguments, &mut out),
        Command::Decode(arguments) => decode::run(arguments, &mut out),
    };
    match outcome {
        Ok(()) | Err(Failure::OutputClosed) => ExitCode::SUCCESS,
        Err(Failure::Command(status)) => ExitCode::from(status),
        Err(failure) => {
            // Nobody is left to be told if the stream has been closed.
            let _ = writeln!(io::stderr(), "vmstats: {failure}");
            ExitCode::from(failure.exit_status())
        }
    }
}
