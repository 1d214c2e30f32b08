//! Connecting to a Unix socket.
//!
//! In: a path of any length, or an abstract name. Out: a stream, before a deadline.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::stream::Stream;
use qapi_wire::client::deadline::remaining;

/// The time between two tries to connect to a server whose queue is full.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// Connects to the socket at a path.
pub(super) fn connect(path: &Path, deadline: Instant) -> io::Result<Stream> {
    match SocketAddrUnix::new(path) {
        // A socket's address has 107 bytes for the path, so give the kernel a short
        // link to the socket.
        Err(Errno::NAMETOOLONG) => {
            let flags = OFlags::PATH | OFlags::CLOEXEC;
            let socket_file = rustix::fs::open(path, flags, Mode::empty())?;
            let link = format!("/proc/self/fd/{}", socket_file.as_raw_fd());
            connect_to(&SocketAddrUnix::new(link)?, deadline)
        }
        address => connect_to(&address?, deadline),
    }
}

/// Connects to the socket with an abstract name.
pub(super) fn connect_abstract(name: &OsStr, deadline: Instant) -> io::Result<Stream> {
    connect_to(
        &SocketAddrUnix::new_abstract_name(name.as_bytes())?,
        deadline,
    )
    .map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            io::Error::new(error.kind(), "nobody listens at that abstract name")
        }
        _ => error,
    })
}

/// Connects with a socket that does not block, because a blocking `connect`
/// would wait without end for a server that accepts nobody.
fn connect_to(address: &SocketAddrUnix, deadline: Instant) -> io::Result<Stream> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    loop {
        match rustix::net::connect(&socket, address) {
            Ok(()) => break,
            Err(Errno::AGAIN) => {
                remaining(deadline)?;
                thread::sleep(RETRY_INTERVAL);
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    rustix::io::ioctl_fionbio(&socket, false)?;
    Ok(Stream::Plain(socket))
}
