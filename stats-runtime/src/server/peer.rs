//! Who is at the other end of a socket.
//!
//! In: a connected socket. Out: text for the log, read from the kernel when it is
//! printed.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::net::{AddressFamily, sockopt};

/// The process or the address at the other end of a socket.
pub(super) struct Peer<'a> {
    pub(super) socket: &'a OwnedFd,
    pub(super) family: AddressFamily,
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.family == AddressFamily::UNIX {
            return match sockopt::socket_peercred(self.socket) {
                Ok(peer) => write!(
                    f,
                    "pid {}, uid {}, gid {}",
                    peer.pid.as_raw_nonzero(),
                    peer.uid.as_raw(),
                    peer.gid.as_raw()
                ),
                Err(_) => f.write_str("an unknown process"),
            };
        }
        let address = rustix::net::getpeername(self.socket).ok().flatten();
        match address.map(SocketAddr::try_from) {
            Some(Ok(address)) => address.fmt(f),
            _ if self.family == AddressFamily::VSOCK => f.write_str("a vsock peer"),
            _ => f.write_str("an unknown peer"),
        }
    }
}
