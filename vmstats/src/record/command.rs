//! The command that is recorded while it runs.
//!
//! In: words. Out: a process that is asked to end, and its exit status. Nothing here knows
//! recordings.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::os::unix::process::ExitStatusExt;
use std::process::{self, Child, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};

use super::progress::tell;
use crate::failure::Failure;

/// The exit status of shells for a command that is not found.
const NOT_FOUND: u8 = 127;

/// The exit status of shells for a command that cannot be started.
const CANNOT_START: u8 = 126;

/// A command that runs, if there is one.
pub(super) struct Command {
    child: Option<Child>,
    /// True if the command was asked to end.
    is_asked: bool,
}

impl Command {
    /// Starts a command, unless the list of words is empty.
    pub(super) fn start(words: &[OsString]) -> Result<Self, Failure> {
        let Some((program, rest)) = words.split_first() else {
            return Ok(Self {
                child: None,
                is_asked: false,
            });
        };
        match process::Command::new(program).args(rest).spawn() {
            Ok(child) => Ok(Self {
                child: Some(child),
                is_asked: false,
            }),
            Err(error) => {
                tell(&format!("{}: {error}", program.display()));
                Err(Failure::Command(match error.kind() {
                    ErrorKind::NotFound => NOT_FOUND,
                    _ => CANNOT_START,
                }))
            }
        }
    }

    /// Returns the outcome of the program if the command has ended.
    pub(super) fn outcome(&mut self) -> Result<Option<Result<(), Failure>>, Failure> {
        let Some(child) = &mut self.child else {
            return Ok(None);
        };
        let status = child.try_wait();
        let status = status
            .map_err(|error| Failure::other(format!("cannot wait for the command: {error}")))?;
        Ok(status.map(pass_on))
    }

    /// Asks the command to end, and kills it the second time. Returns false if only the
    /// recorder runs.
    pub(super) fn end(&mut self) -> bool {
        let Some(child) = &self.child else {
            return false;
        };
        let signal = if self.is_asked {
            Signal::KILL
        } else {
            Signal::TERM
        };
        self.is_asked = true;
        if let Some(id) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            // Fails if the command has ended.
            let _ = kill_process(id, signal);
        }
        true
    }
}

/// Ends the program with the status of the command, as a shell does.
fn pass_on(status: ExitStatus) -> Result<(), Failure> {
    let code = match (status.code(), status.signal()) {
        (Some(code), _) => code,
        (None, signal) => 128 + signal.unwrap_or(0),
    };
    match u8::try_from(code) {
        Ok(0) => Ok(()),
        code => Err(Failure::Command(code.unwrap_or(u8::MAX))),
    }
}
