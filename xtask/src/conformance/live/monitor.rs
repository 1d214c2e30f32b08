//! A running QEMU and its monitor.
//!
//! In: a program and requests. Out: answers. QEMU's machine is empty, and its
//! folder is a temporary one.

use std::fmt;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{Running, qemu};
use crate::tools::{Failure, text};

/// The longest time for QEMU to answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server's answer to a request.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// The server would execute the command, or has executed it.
    Accepted,
    /// The server has executed the command.
    Reply(Value),
    /// The server has refused the command.
    Refused { class: String, desc: String },
}

impl Answer {
    /// Returns the reply of an executed command.
    pub(super) fn into_reply(self) -> Result<Value, Failure> {
        match self {
            Self::Reply(value) => Ok(value),
            other => Err(format!("QEMU does not reply: {other}")),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accepted => f.write_str("accepted"),
            Self::Reply(value) => write!(f, "executed: {value}"),
            Self::Refused { class, desc } => write!(f, "{class}: {desc}"),
        }
    }
}

/// A running QEMU.
pub(super) struct Monitor {
    program: PathBuf,
    stream: BufReader<UnixStream>,
    _running: Running,
    _folder: TempDir,
}

impl Monitor {
    pub(super) fn start(program: &Path) -> Result<Self, Failure> {
        let folder = tempfile::tempdir().map_err(text)?;
        let (running, stream) = qemu(program, &["-machine", "none"], folder.path())?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(text)?;
        let mut monitor = Self {
            program: program.to_owned(),
            stream: BufReader::new(stream),
            _running: running,
            _folder: folder,
        };
        monitor.read()?;
        monitor.ask("qmp_capabilities", "{}")?.into_reply()?;
        Ok(monitor)
    }

    /// Sends a command. If the command ends QEMU, starts another one and
    /// returns that the command was accepted.
    pub(super) fn ask(&mut self, command: &str, arguments: &str) -> Result<Answer, Failure> {
        let request = format!("{{\"execute\": \"{command}\", \"arguments\": {arguments}}}\n");
        let sent = self.stream.get_mut().write_all(request.as_bytes());
        let answer = sent.map_err(text).and_then(|()| self.answer());
        if answer.is_err() {
            *self = Self::start(&self.program.clone())?;
            return Ok(Answer::Accepted);
        }
        answer
    }

    fn answer(&mut self) -> Result<Answer, Failure> {
        loop {
            let mut message = self.read()?;
            if let Some(reply) = message.get_mut("return") {
                return Ok(Answer::Reply(reply.take()));
            }
            if let Some(error) = message.get("error") {
                let text = |name: &str| {
                    let text = error.get(name).and_then(Value::as_str);
                    text.unwrap_or_default().to_owned()
                };
                return Ok(Answer::Refused {
                    class: text("class"),
                    desc: text("desc"),
                });
            }
            // Skip events.
        }
    }

    fn read(&mut self) -> Result<Value, Failure> {
        let mut line = String::new();
        let count = self.stream.read_line(&mut line).map_err(text)?;
        if count == 0 {
            return Err("QEMU has closed its monitor".to_owned());
        }
        serde_json::from_str(&line).map_err(|error| format!("QEMU says '{line}': {error}"))
    }
}
