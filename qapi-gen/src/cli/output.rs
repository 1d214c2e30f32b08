//! The output of subcommands whose exit status has three meanings.
//!
//! In: text, or the result of a subcommand. Out: the text on the standard output
//! stream, and an exit status: 0 and 1 as the subcommand says, 2 after an error.

use std::io::{self, IsTerminal as _, Write as _};
use std::process::ExitCode;

use super::terminal::for_stream;

/// Prints text. The error is a message for people; a reader that stops early, such as
/// `head`, is not an error.
pub(super) fn print(text: &str) -> Result<(), String> {
    let mut stdout = io::stdout().lock();
    let text = for_stream(text.to_owned(), stdout.is_terminal());
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(format!("cannot write: {error}"))
        }
        _ => Ok(()),
    }
}

/// Returns the exit status of a subcommand, and prints its error.
pub(super) fn finish(result: Result<ExitCode, String>) -> ExitCode {
    result.unwrap_or_else(|message| {
        let message = for_stream(message, io::stderr().is_terminal());
        eprintln!("qapi-gen: {message}");
        ExitCode::from(2)
    })
}
