//! The process or address at the other end of a socket.
//!
//! In: a connected socket. Out: text for the log, read from the kernel when it is
//! printed.

use std::fmt;
use std::net::SocketAddr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::net::AddressFamily;

use crate::sys;

/// The process or the address at the other end of a socket.
#[derive(Debug)]
pub(super) struct Peer<'a> {
    pub(super) socket: &'a OwnedFd,
    pub(super) family: AddressFamily,
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.family == AddressFamily::UNIX {
            return match sys::peer_credentials(self.socket.as_fd()) {
                Ok(peer) => write!(f, "pid {}, uid {}, gid {}", peer.pid, peer.uid, peer.gid),
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
