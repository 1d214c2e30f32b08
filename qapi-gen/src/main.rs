//! The command line.
//!
//! In: arguments. Out: an exit status: 0 if all is well, 1 if a schema is
//! wrong, 2 if the arguments are. Everything it does, the library can do.

use std::process::ExitCode;

mod cli;

fn main() -> ExitCode {
    cli::run()
}
