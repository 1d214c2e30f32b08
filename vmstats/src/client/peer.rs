//! The process at the other end of a connection.
//!
//! In: a connection. Out: what the kernel knows of the process that listens.

use nix::sys::socket::{getsockopt, sockopt};

use crate::stream::Stream;

/// Returns the process that began to listen at a Unix socket. Returns `None` if the
/// connection is of another kind, or if the process is in a pid namespace that this
/// program does not see.
pub(super) fn process(stream: &Stream) -> Option<u32> {
    let Stream::Plain(socket) = stream else {
        return None;
    };
    let credentials = getsockopt(socket, sockopt::PeerCredentials).ok()?;
    u32::try_from(credentials.pid()).ok().filter(|pid| *pid > 0)
}
