//! Writes man pages and completions: `cargo run -p manual -- DIR`.
//!
//! In: a folder. Out: the files of [`manual::write`], or an exit status of 1.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// Write the man pages and completions of vmstats
#[derive(Parser)]
struct Arguments {
    /// The folder that gets man/, bash-completion/, fish/ and zsh/
    share: PathBuf,
}

fn main() -> ExitCode {
    let Arguments { share } = Arguments::parse();
    match manual::write(&share) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("manual: cannot write to {}: {error}", share.display());
            ExitCode::FAILURE
        }
    }
}
