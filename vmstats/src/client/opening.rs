//! Servers that send something else than QMP first.
//!
//! In: the first bytes of a server. Out: the name of its protocol, and what to do.

use super::error::ClientError;
use crate::printable::printable;

/// The number of bytes that are shown of an unknown server.
const SHOWN_BYTES: usize = 60;

/// The first bytes of servers, and what these servers are.
const KNOWN: [(&[u8], &str); 8] = [
    (b"HTTP/", "a web server"),
    (b"SSH-", "an SSH server"),
    (b"RFB ", "a VNC server"),
    (b"NBDMAGIC", "an NBD server"),
    (b"220 ", "a server of mail or files"),
    (b"* OK", "a mail server"),
    (b"+OK", "a mail server"),
    // The type of an alert, and the major version of every TLS.
    (
        b"\x15\x03",
        "a server of TLS; write tls:HOST:PORT, and --tls DIR with the certificates",
    ),
];

/// Returns the error of a server whose first bytes are known.
pub(super) fn recognize(opening: &[u8]) -> Option<ClientError> {
    let opening = opening.trim_ascii_start();
    let line = first_line(opening);
    // A human monitor begins with `QEMU 7.2.22 monitor - type 'help' ...`.
    if line.starts_with("QEMU ") && line.contains(" monitor") {
        return Some(ClientError::HumanMonitor);
    }
    let (_, what) = KNOWN.iter().find(|(first, _)| opening.starts_with(first))?;
    Some(ClientError::Protocol(format!("it is {what}")))
}

/// Returns what an unknown server has sent.
pub(super) fn describe(opening: &[u8]) -> String {
    format!(
        "it begins with '{}'",
        first_line(opening.trim_ascii_start())
    )
}

fn first_line(opening: &[u8]) -> String {
    let shown = opening.get(..SHOWN_BYTES).unwrap_or(opening);
    let text = String::from_utf8_lossy(shown);
    let line = text.lines().next().unwrap_or_default();
    printable(line).into_owned()
}
