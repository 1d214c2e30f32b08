//! Unix sockets: their files, and a server on one.
//!
//! In: a path. Out: a socket that nobody could connect to who was not to, not
//! even for an instant, and whose file goes when it does.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

/// How often a socket file is asked whether anybody listens.
const STALE_TRIES: u32 = 3;

/// How long it is given in between.
const STALE_INTERVAL: Duration = Duration::from_millis(20);

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// Binds a Unix socket that only its owner can connect to.
///
/// The mode is 0600 from the first instant: it is set on the socket before it
/// gets a name, so that neither the umask nor a race opens it to others (Linux
/// takes a socket file's mode from the socket's inode: `unix_bind`). A umask
/// that takes rights from the owner still does.
///
/// A socket file that nobody listens to any more is replaced.
///
/// # Errors
///
/// What the kernel says: a path that is too long, in use, not to be written.
pub fn bind_private(path: &Path) -> io::Result<UnixListener> {
    bind_with_mode(path, Mode::RUSR | Mode::WUSR)
}

/// The same with another mode, whatever the umask: who asks for rights of
/// others means them.
pub(crate) fn bind_with_mode(path: &Path, mode: Mode) -> io::Result<UnixListener> {
    let socket = bind(path, mode)?;
    let owners = Mode::RWXU;
    if !(mode - owners).is_empty() {
        // Too late to be a right too many for a moment: only a missing one.
        let permissions = std::fs::Permissions::from_mode(mode.as_raw_mode());
        std::fs::set_permissions(path, permissions)?;
    }
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
}

fn bind(path: &Path, mode: Mode) -> io::Result<OwnedFd> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::fs::fchmod(&socket, mode)?;
    match rustix::net::bind(&socket, &address) {
        Err(rustix::io::Errno::ADDRINUSE) if is_stale(path) => {
            std::fs::remove_file(path)?;
            rustix::net::bind(&socket, &address)?;
        }
        bound => bound?,
    }
    Ok(socket)
}

/// Whether a socket file is there to which nobody listens. One that has just
/// been bound is listened to a moment later, so it is asked more than once.
fn is_stale(path: &Path) -> bool {
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    let refuses = || {
        UnixStream::connect(path)
            .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    is_socket
        && (0..STALE_TRIES).all(|number| {
            if number > 0 {
                thread::sleep(STALE_INTERVAL);
            }
            refuses()
        })
}

/// The file of a socket. Dropping it removes it, unless another has taken its
/// place.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode.
    file: Option<(u64, u64)>,
}

impl SocketFile {
    /// The file that has just been bound.
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: identity(path),
        }
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.file.is_some() && identity(&self.path) == self.file {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
