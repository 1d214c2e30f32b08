//! The bytes of a server before its greeting.
//!
//! In: bytes as they arrive. Out: the greeting; or what the server is instead, and
//! what to do. A QEMU hands what one client has not read to the next, so a greeting
//! can follow other replies, and the end of one.

use std::time::{Duration, Instant};

use super::error::ClientError;
use super::telnet::Telnet;
use crate::json::Limits;
use crate::message::{Greeting, InvalidMessage, Message, Messages};

/// The number of bytes in which the greeting must have ended.
const GREETING_BYTES_MAX: usize = 8 << 20;

/// How long the greeting is waited for after bytes that are not messages. A server
/// of QMP sends it with the bytes that another client has not read.
const GARBAGE_TIMEOUT: Duration = Duration::from_secs(1);

/// The beginning of a greeting.
const GREETING: &[u8] = b"{\"QMP\"";

/// The number of bytes that are shown of an unknown server.
const SHOWN_BYTES: usize = 60;

/// The first bytes that other kinds of server send, with a name for each kind.
const KNOWN: [(&[u8], &str); 7] = [
    (b"HTTP/", "a web server"),
    (b"SSH-", "an SSH server"),
    (b"RFB ", "a VNC server"),
    (b"NBDMAGIC", "an NBD server"),
    (b"220 ", "a server of mail or files"),
    (b"* OK", "a mail server"),
    (b"+OK", "a mail server"),
];

/// The type of an alert, and the major version of every TLS.
const TLS_ALERT: &[u8] = b"\x15\x03";

/// The reason why no greeting will come.
pub(super) enum Absence {
    /// The deadline has passed.
    Timeout,
    /// The connection has ended with this error.
    End(ClientError),
}

/// The bytes and the messages before the greeting.
#[derive(Debug, Default)]
pub(super) struct Opening {
    telnet: Telnet,
    bytes: Vec<u8>,
    /// The number of bytes in which no greeting begins, or has been taken.
    searched: usize,
    /// The number of messages, which are those that another client has not read.
    messages: usize,
    /// The error of the last bytes that are not a message.
    garbage: Option<InvalidMessage>,
    /// The end of the time for a greeting after garbage.
    patience: Option<Instant>,
}

impl Opening {
    /// Takes bytes, and returns the greeting once it is complete. The bytes after
    /// the greeting are in `messages` then.
    pub(super) fn receive(
        &mut self,
        bytes: &[u8],
        messages: &mut Messages,
        limits: Limits,
    ) -> Option<Result<Greeting, ClientError>> {
        let mut bytes = bytes.to_vec();
        self.telnet.strip(&mut bytes);
        messages.receive(&bytes);
        self.bytes.extend(bytes);
        loop {
            while let Some(message) = messages.next_message() {
                match message {
                    Ok(Message::Greeting(greeting)) => return Some(Ok(greeting)),
                    Ok(_) => self.messages += 1,
                    Err(error) => {
                        if let Some(known) = recognize(&self.bytes) {
                            return Some(Err(known));
                        }
                        self.garbage = Some(error);
                    }
                }
            }
            // The rest of a message can end within a string, which hides the
            // beginning of the next message from the parser.
            if self.garbage.is_some()
                && let Some(rest) = self.take_greeting()
            {
                *messages = Messages::new(limits);
                messages.receive(rest);
                continue;
            }
            if self.bytes.len() > GREETING_BYTES_MAX {
                let what = format!("no greeting in the first {GREETING_BYTES_MAX} bytes");
                return Some(Err(self.not_qmp(&what)));
            }
            return None;
        }
    }

    /// Returns the moment until which the greeting is waited for: `deadline`, or an
    /// earlier one after garbage.
    pub(super) fn deadline(&mut self, deadline: Instant, now: Instant) -> Instant {
        if self.garbage.is_none() {
            return deadline;
        }
        let patience = *self.patience.get_or_insert(now + GARBAGE_TIMEOUT);
        deadline.min(patience)
    }

    /// Returns what the server has done instead of greeting.
    pub(super) fn explain(&self, absence: Absence) -> ClientError {
        if let Some(known) = recognize(&self.bytes) {
            return known;
        }
        if let Some(garbage) = &self.garbage {
            return self.not_qmp(&garbage.to_string());
        }
        if self.messages > 0 {
            return ClientError::NotQmp(
                "it sends replies but no greeting, like a guest agent; a QMP socket is made \
                 with QEMU's option -qmp"
                    .to_owned(),
            );
        }
        match absence {
            _ if !self.is_blank() => self.not_qmp("the greeting is not complete"),
            Absence::Timeout => ClientError::NoGreeting,
            Absence::End(ClientError::Closed) => ClientError::NotAdmitted,
            Absence::End(error) => error,
        }
    }

    fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    /// Returns the bytes from the beginning of a greeting on, once for each
    /// beginning.
    fn take_greeting(&mut self) -> Option<&[u8]> {
        let unsearched = self.bytes.get(self.searched..)?;
        let mut windows = unsearched.windows(GREETING.len());
        let Some(at) = windows.position(|window| window == GREETING) else {
            let tail = GREETING.len() - 1;
            self.searched += unsearched.len().saturating_sub(tail);
            return None;
        };
        let begin = self.searched + at;
        self.searched = begin + 1;
        self.bytes.get(begin..)
    }

    fn not_qmp(&self, what: &str) -> ClientError {
        let line = first_line(self.bytes.trim_ascii_start());
        ClientError::NotQmp(format!("{what}; it begins with '{line}'"))
    }
}

/// Returns the error of a server whose first bytes are known.
fn recognize(opening: &[u8]) -> Option<ClientError> {
    let opening = opening.trim_ascii_start();
    let line = first_line(opening);
    // A human monitor begins with `QEMU 7.2.22 monitor - type 'help' ...`.
    if line.starts_with("QEMU ") && line.contains(" monitor") {
        return Some(ClientError::HumanMonitor);
    }
    if opening.starts_with(TLS_ALERT) {
        return Some(ClientError::Tls);
    }
    let (_, what) = KNOWN.iter().find(|(first, _)| opening.starts_with(first))?;
    Some(ClientError::NotQmp(format!("it is {what}")))
}

/// Returns the beginning of a server's first line, without control characters.
fn first_line(opening: &[u8]) -> String {
    let shown = opening.get(..SHOWN_BYTES).unwrap_or(opening);
    let text = String::from_utf8_lossy(shown);
    let line = text.lines().next().unwrap_or_default();
    let mut printable = String::with_capacity(line.len());
    for character in line.chars() {
        if character.is_control() {
            printable.extend(character.escape_default());
        } else {
            printable.push(character);
        }
    }
    printable
}
