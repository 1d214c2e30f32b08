//! Why a server has not greeted.
//!
//! In: a connection on which no greeting has come in time. Out: the reason in
//! words for an operator, from what the kernel knows of the socket. This file
//! sends nothing: a server that serves another client could give that client the
//! reply.

use std::fs;
use std::os::fd::AsFd;

use rustix::net::SocketAddrUnix;

use super::peer;
use crate::endpoint::SECOND_MONITOR;
use crate::stream::Stream;

const BUSY: &str = "serves one client at a time on this socket, and another one, such as \
                    libvirt, is connected";
const HANGS: &str = "does not accept the connection: is it stopped, or does it hang?";
const MUTE: &str = "accepts the connection but sends no greeting, like the socket of a guest \
                    agent or of a serial port; a QMP socket is made with QEMU's option -qmp";

/// Returns why nothing has come on this connection.
pub(super) fn explain(stream: &Stream) -> String {
    let Stream::Plain(socket) = stream else {
        return "no answer in time: a QEMU that serves another client does not greet".to_owned();
    };
    let Some(own) = peer_path(socket).and_then(|path| Connections::to(&path)) else {
        return "no greeting in time: QEMU greets one client at a time, and a server of TLS \
                (tls:HOST:PORT), a guest agent or a serial port never does"
            .to_owned();
    };
    let server = server(stream);
    let what = match own {
        Connections { queued: 0, .. } => MUTE,
        Connections { accepted: 0, .. } => HANGS,
        Connections { .. } => {
            return format!("no answer in time: {server} {BUSY}; {SECOND_MONITOR}");
        }
    };
    format!("no answer in time: {server} {what}")
}

/// Returns the path or the abstract name at which the peer listens, as
/// `/proc/net/unix` shows it.
fn peer_path(socket: impl AsFd) -> Option<Vec<u8>> {
    let peer = rustix::net::getpeername(socket).ok()??;
    let peer = SocketAddrUnix::try_from(peer).ok()?;
    match (peer.path_bytes(), peer.abstract_name()) {
        (Some(path), _) if !path.is_empty() => Some(path.to_owned()),
        (_, Some(name)) => Some([b"@".as_slice(), name].concat()),
        _ => None,
    }
}

/// The numbers of a listener's connections.
struct Connections {
    /// The connections that the server has not accepted.
    queued: usize,
    /// The connections that the server has accepted.
    accepted: usize,
}

impl Connections {
    /// Counts the connections to the listener at a path. Returns `None` if the
    /// kernel does not tell, or if several listeners have bound the same path, which
    /// may be relative to their folders.
    fn to(path: &[u8]) -> Option<Self> {
        let table = fs::read("/proc/net/unix").ok()?;
        let states: Vec<&[u8]> = table
            .split(|byte| *byte == b'\n')
            .filter_map(|line| state(line, path))
            .collect();
        let count = |wanted: &[u8]| states.iter().filter(|state| **state == wanted).count();
        // SS_UNCONNECTED, SS_CONNECTING and SS_CONNECTED of linux/net.h.
        let (listeners, queued, accepted) = (count(b"01"), count(b"02"), count(b"03"));
        (listeners <= 1 && queued + accepted > 0).then_some(Self { queued, accepted })
    }
}

/// Returns the state in a line of the kernel's table, if the line is about this
/// path: `Num: RefCount Protocol Flags Type St Inode Path`.
fn state<'a>(line: &'a [u8], path: &[u8]) -> Option<&'a [u8]> {
    let head = line.strip_suffix(path)?.strip_suffix(b" ")?;
    let fields = head.split(|byte| *byte == b' ');
    let fields: Vec<&[u8]> = fields.filter(|field| !field.is_empty()).collect();
    match fields.as_slice() {
        [_, _, _, _, _, state, _] => Some(state),
        _ => None,
    }
}

/// Returns the name and the id of the process that listens, for a sentence.
fn server(stream: &Stream) -> String {
    let Some(process) = peer::process(stream) else {
        return "the server".to_owned();
    };
    match fs::read_to_string(format!("/proc/{process}/comm")) {
        Ok(name) => format!("the server ({}, process {process})", name.trim_end()),
        Err(_) => format!("the server (process {process})"),
    }
}

#[cfg(test)]
mod tests {
    use super::state;

    #[test]
    fn state_is_read_when_the_line_has_the_path() {
        let line = b"0000000000000000: 00000003 00000000 00000000 0001 03 63425 /run/a b.sock";
        assert_eq!(state(line, b"/run/a b.sock"), Some(b"03".as_slice()));
        assert_eq!(state(line, b"b.sock"), None);
        assert_eq!(state(line, b"/run/a"), None);
    }
}
