//! A human monitor, over QMP or on a socket of its own.
//!
//! In: lines. Out: their answers, without echo and prompt. This file prints nothing.

use std::io;
use std::time::Duration;

use qapi_stats::misc::commands::HumanMonitorCommand;
use qapi_wire::client::Transport as _;

use crate::client::{Client, ClientError};
use crate::endpoint::Endpoint;
use crate::stream::Stream;
use qapi_wire::client::deadline;

/// The prompt with which the output of a line ends.
const PROMPT: &[u8] = b"(qemu) ";

/// The longest output of a line.
const OUTPUT_BYTES_MAX: usize = 64 << 20;

/// The bytes that are read at a time.
const READ_BYTES: usize = 64 << 10;

/// A human monitor.
#[derive(Debug)]
pub(super) enum HumanMonitor {
    /// The command `human-monitor-command` of QMP.
    OverQmp {
        /// The connection.
        client: Box<Client>,
        /// The vCPU that the line `cpu N` chose. The server does not keep the
        /// choice, because each line is a command of its own.
        cpu_index: Option<i64>,
    },
    /// A socket of the human monitor's own.
    OnSocket(HumanSocket),
}

impl HumanMonitor {
    /// Returns the human monitor of a QMP server.
    pub(super) fn over_qmp(client: Client) -> Self {
        Self::OverQmp {
            client: Box::new(client),
            cpu_index: None,
        }
    }

    /// Executes a line and returns its output.
    ///
    /// # Errors
    ///
    /// Returns the client's error.
    pub(super) fn run(&mut self, line: &str) -> Result<String, ClientError> {
        let (client, cpu_index) = match self {
            Self::OnSocket(socket) => return socket.run(line),
            Self::OverQmp { client, cpu_index } => (client, cpu_index),
        };
        let text = client.execute(&HumanMonitorCommand {
            command_line: line.to_owned(),
            cpu_index: *cpu_index,
        })?;
        let mut words = line.split_whitespace();
        // An empty text means that the server has this vCPU, so remember its index.
        if let (Some("cpu"), Some(Ok(index)), true) =
            (words.next(), words.next().map(str::parse), text.is_empty())
        {
            *cpu_index = Some(index);
        }
        Ok(text)
    }

    /// Returns whether the server has ended the connection.
    pub(super) fn has_ended(&self) -> bool {
        match self {
            Self::OverQmp { client, .. } => client.has_ended(),
            Self::OnSocket(socket) => socket.has_ended,
        }
    }

    /// Waits until the server has ended the connection.
    pub(super) fn wait_for_end(&self) {
        if let Self::OverQmp { client, .. } = self {
            client.wait_for_end();
        }
    }
}

/// A connection to a human monitor's own socket, such as that of
/// `qemu-system-x86_64 -monitor unix:PATH,server=on`.
#[derive(Debug)]
pub(super) struct HumanSocket {
    stream: Stream,
    timeout: Duration,
    greeting: String,
    has_ended: bool,
}

impl HumanSocket {
    /// Connects, and reads the greeting and the first prompt.
    ///
    /// # Errors
    ///
    /// Returns the client's error if the server cannot be reached, or if no prompt
    /// comes in time.
    pub(super) fn connect(endpoint: &Endpoint, timeout: Duration) -> Result<Self, ClientError> {
        let stream = endpoint
            .connect(deadline::after(timeout))
            .map_err(|error| ClientError::Connect(endpoint.clone(), error))?;
        let mut socket = Self {
            stream,
            timeout,
            greeting: String::new(),
            has_ended: false,
        };
        socket.greeting = socket.read_output()?;
        Ok(socket)
    }

    /// Returns the text before the first prompt.
    pub(super) fn greeting(&self) -> &str {
        &self.greeting
    }

    fn run(&mut self, line: &str) -> Result<String, ClientError> {
        // Send as few bytes as possible: a tab would complete a word, and an end of
        // line would begin another line.
        let line = line.replace(['\n', '\r', '\t'], " ");
        let outcome = self
            .stream
            .write_all(
                format!("{line}\n").as_bytes(),
                deadline::after(self.timeout),
            )
            .map_err(ClientError::Transport)
            .and_then(|()| self.read_output());
        let output = outcome.inspect_err(|_| self.has_ended = true)?;
        // The line itself comes first, drawn again after each key.
        let (_echo, answer) = output.split_once("\r\n").unwrap_or_default();
        Ok(answer.to_owned())
    }

    /// Reads up to the next prompt, and returns the text before the prompt.
    fn read_output(&mut self) -> Result<String, ClientError> {
        let deadline = deadline::after(self.timeout);
        let mut output = Vec::new();
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let count = match self.stream.read(&mut buffer, Some(deadline)) {
                Ok(0) => return Err(ClientError::end()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ClientError::Transport(error)),
            };
            output.extend_from_slice(buffer.get(..count).unwrap_or_default());
            if let Some(text) = output.strip_suffix(PROMPT)
                && text.ends_with(b"\n")
            {
                return Ok(String::from_utf8_lossy(text).into_owned());
            }
            if output.len() > OUTPUT_BYTES_MAX {
                let what = format!("its output is longer than {OUTPUT_BYTES_MAX} bytes");
                return Err(ClientError::Protocol(what));
            }
        }
    }
}
