//! The command line.
//!
//! In: arguments. Out: an exit status: 0 for success, 1 for an error in a schema, 2
//! for an error in the arguments. The library can do everything that the command
//! line does.

use std::process::ExitCode;

fn main() -> ExitCode {
    qapi_gen::cli::run()
}
