//! `qapi-gen explain`.
//!
//! In: the code of a change. Out: its level in each direction, and the reason.

use std::process::ExitCode;

use clap::Args;
use qapi_gen::compare::{Code, Direction};

/// Explains the codes of changes; without CODE, lists all of them.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// The code of a change, as `diff` prints it
    code: Option<Code>,
}

impl Explain {
    /// Prints the explanation.
    pub(super) fn run(&self) -> ExitCode {
        let codes = match &self.code {
            Some(code) => std::slice::from_ref(code),
            None => Code::ALL,
        };
        for code in codes {
            let sent = code.level(Some(Direction::Send));
            let received = code.level(Some(Direction::Receive));
            let levels = if sent == received {
                sent.to_string()
            } else {
                format!("{sent} where a client sends, {received} where it receives")
            };
            println!("{code}: {levels}\n    {}", code.reason());
        }
        ExitCode::SUCCESS
    }
}
