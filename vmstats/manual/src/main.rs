//! Writes man pages and completions: `cargo run -p manual -- DIR [PROGRAM]`.
//!
//! In: a folder. Out: the files of [`manual::write`], or an exit status of 1.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use manual::Program;

/// Write the man pages and completions of the programs
#[derive(Parser)]
struct Arguments {
    /// The folder that gets man/, bash-completion/, fish/ and zsh/
    share: PathBuf,

    /// The program to write about, instead of all
    program: Option<Program>,
}

fn main() -> ExitCode {
    let Arguments { share, program } = Arguments::parse();
    let written = Program::ALL
        .into_iter()
        .filter(|one| program.is_none_or(|program| program == *one))
        .try_for_each(|program| manual::write(program, &share));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("manual: cannot write to {}: {error}", share.display());
            ExitCode::FAILURE
        }
    }
}
