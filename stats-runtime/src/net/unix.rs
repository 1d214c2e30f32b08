//! Unix sockets that listen, and their files.
//!
//! In: a path and a mode. Out: a listening socket whose file had that mode from
//! the first instant, and a handle that removes the file. This file knows no
//! server and no protocol.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::{AtFlags, FileType, FlockOperation, Gid, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::thread::UnshareFlags;

/// How often a socket has to refuse a connection to be taken for a stale one.
const STALE_TRIES: u32 = 3;

/// The time between two such tries. A program that does not take our
/// [`StartLock`] may have bound its socket and listen a moment later.
const STALE_INTERVAL: Duration = Duration::from_millis(20);

/// The length of the queue of connections that wait to be accepted.
const BACKLOG: i32 = 128;

/// The length of that queue of a socket of packets: a thousand processes may connect when a server of packets starts.
const PACKETS_BACKLOG: i32 = 1024;

/// The longest path of a socket: `sun_path` of unix(7) less its final NUL byte.
const PATH_BYTES_MAX: usize = 107;

/// How long a start waits for another start at the same path.
const LOCK_TIMEOUT: Duration = Duration::from_secs(3);

/// The time between two tries to take the lock.
const LOCK_INTERVAL: Duration = Duration::from_millis(5);

/// Binds a Unix socket that only its owner can connect to.
///
/// The socket's file has mode 0600 from the first instant, so neither the umask
/// nor a race opens it to others. A umask that takes rights from the owner
/// still takes them.
///
/// A socket file on which nobody listens any more is replaced. Several threads
/// or processes may do that at once: one of them succeeds. While a server is
/// started there is a file `PATH.lock` beside the socket.
///
/// # Errors
///
/// Returns [`AddrInUse`](io::ErrorKind::AddrInUse) if somebody listens at
/// `path` or the file there is not a socket,
/// [`ResourceBusy`](io::ErrorKind::ResourceBusy) if another start at `path`
/// holds the lock for longer than three seconds,
/// [`InvalidInput`](io::ErrorKind::InvalidInput) if `path` is empty or has a NUL
/// byte, and otherwise the kernel's error, for example that the path is too
/// long.
pub fn bind_private(path: &Path) -> io::Result<UnixListener> {
    bind(path, UnixAccess::default())
}

/// The mode and the group of a Unix socket's file: the users who may write to the
/// file can connect.
#[derive(Clone, Copy, Debug)]
pub struct UnixAccess {
    mode: Mode,
    group: Option<Gid>,
}

impl Default for UnixAccess {
    /// Returns mode 0600 and the group of the process.
    fn default() -> Self {
        Self::mode(0o600)
    }
}

impl UnixAccess {
    /// Returns `mode`, for example 0o660, and the group of the process. If `mode`
    /// gives rights to anybody but the owner, the umask takes none of them away: a
    /// caller that names rights of others means them.
    #[must_use]
    pub fn mode(mode: u32) -> Self {
        Self {
            mode: Mode::from_raw_mode(mode),
            group: None,
        }
    }

    /// Sets the group. Without privileges, the process must be a member.
    #[must_use]
    pub fn group(self, gid: u32) -> Self {
        Self {
            group: Some(Gid::from_raw(gid)),
            ..self
        }
    }
}

/// Binds a Unix socket of packets (`SOCK_SEQPACKET`), whose file has this mode and group, in
/// the way of [`bind_private`]. The caller removes the file.
///
/// # Errors
///
/// See [`bind_private`].
pub fn bind_packets(path: &Path, access: UnixAccess) -> io::Result<OwnedFd> {
    bind_as(SocketType::SEQPACKET, PACKETS_BACKLOG, path, access)
}

/// Binds a Unix socket whose file has this mode and group.
///
/// # Errors
///
/// See [`bind_private`].
pub(crate) fn bind(path: &Path, access: UnixAccess) -> io::Result<UnixListener> {
    bind_as(SocketType::STREAM, BACKLOG, path, access).map(UnixListener::from)
}

fn bind_as(kind: SocketType, backlog: i32, path: &Path, access: UnixAccess) -> io::Result<OwnedFd> {
    let UnixAccess { mode, group } = access;
    let address = address(path)?;
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, kind, flags, None)?;
    // Set the mode of the socket before it has a name: bind() gives the file the
    // mode of the socket's inode less the umask (unix_bind_bsd() in the kernel's
    // net/unix/af_unix.c). A chmod() of the path would come too late, and would
    // follow a symbolic link that somebody who may write to the folder has put
    // in the socket's place meanwhile.
    rustix::fs::fchmod(&socket, mode)?;
    // Hold the lock until the socket listens: another start would otherwise take
    // a socket that is bound and does not listen yet for a stale one.
    let _lock = StartLock::acquire(path)?;
    if (mode - Mode::RWXU).is_empty() {
        bind_or_replace(&socket, &address, path)?;
    } else {
        bind_without_umask(&socket, &address, path, mode)?;
    }
    // Before listen(): until then nobody can connect, so the mode's rights of the
    // group are never those of another group.
    if let Some(group) = group {
        let file = SocketFile::at(path);
        give_to_group(path, group)?;
        file.keep();
    }
    rustix::net::listen(&socket, backlog)?;
    Ok(socket)
}

/// Changes the group of the socket's file at `path`, which has just been bound.
fn give_to_group(path: &Path, group: Gid) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&file)?;
    // Somebody who may write to the folder may have put another file in the
    // socket's place. Change only a file that is as ours must be.
    let is_ours = FileType::from_raw_mode(stat.st_mode) == FileType::Socket
        && stat.st_uid == rustix::process::geteuid().as_raw()
        && stat.st_nlink == 1;
    if !is_ours {
        let what = "another file has taken the place of the socket";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    rustix::fs::chownat(&file, "", None, Some(group), AtFlags::EMPTY_PATH).map_err(|errno| {
        let what = format!(
            "the socket cannot be given to group {}: {}; without privileges, be a member of it",
            group.as_raw(),
            io::Error::from(errno),
        );
        io::Error::new(io::Error::from(errno).kind(), what)
    })
}

/// Returns the address of a socket that has a file at `path`.
fn address(path: &Path) -> io::Result<SocketAddrUnix> {
    let invalid = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    // Refuse both here: for an empty path the kernel would choose an abstract
    // name, and a name that begins with NUL is abstract. Abstract sockets have no
    // mode, so every user could connect.
    if path.as_os_str().is_empty() {
        return invalid("the path of the socket is empty");
    }
    if path.as_os_str().as_bytes().contains(&0) {
        return invalid("the path of the socket contains a NUL byte");
    }
    SocketAddrUnix::new(path).map_err(|errno| match errno {
        Errno::NAMETOOLONG => {
            let what = format!(
                "the path of the socket has {} bytes, and at most {PATH_BYTES_MAX} are possible: \
                 take a shorter path, or a relative one from a folder closer by",
                path.as_os_str().len(),
            );
            io::Error::new(io::ErrorKind::InvalidInput, what)
        }
        errno => errno.into(),
    })
}

/// Binds with exactly the mode that the socket has.
///
/// The umask belongs to the process, and changing it there would change the
/// mode of every file that another thread makes meanwhile. Therefore a thread of
/// its own takes a umask of its own, which it may do without privileges
/// (unshare(2), `CLONE_FS`), clears it, and binds.
fn bind_without_umask(
    socket: &OwnedFd,
    address: &SocketAddrUnix,
    path: &Path,
    mode: Mode,
) -> io::Result<()> {
    let bind = || {
        #[expect(
            deprecated,
            reason = "its successor is unsafe because of FILES, which closes descriptors under \
                      other threads; FS only copies the umask and the current folder"
        )]
        let has_own_umask = rustix::thread::unshare(UnshareFlags::FS).is_ok();
        if has_own_umask {
            rustix::process::umask(Mode::empty());
        }
        bind_or_replace(socket, address, path)?;
        // A seccomp filter, such as that of many containers, may refuse
        // unshare(). Then only report what the umask took.
        if has_own_umask || mode_of_file(path)?.contains(mode) {
            Ok(())
        } else {
            std::fs::remove_file(path)?;
            Err(io::Error::new(
                io::ErrorKind::PermissionDenied,
                "the umask takes rights that the mode gives, and unshare(2), which would avoid \
                 it, is not permitted: start with another umask",
            ))
        }
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("bind".to_owned())
            .spawn_scoped(scope, bind)?;
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the thread that binds panicked")))
    })
}

fn mode_of_file(path: &Path) -> io::Result<Mode> {
    let metadata = std::fs::symlink_metadata(path)?;
    Ok(Mode::from_raw_mode(metadata.mode()))
}

/// Binds the socket, in place of a stale one if there is one. The caller holds
/// the [`StartLock`], so no other start does the same.
fn bind_or_replace(socket: &OwnedFd, address: &SocketAddrUnix, path: &Path) -> io::Result<()> {
    match rustix::net::bind(socket, address) {
        Err(Errno::ADDRINUSE) if is_stale(path, address) => {
            std::fs::remove_file(path)?;
            Ok(rustix::net::bind(socket, address)?)
        }
        bound => Ok(bound?),
    }
}

/// Returns whether there is a socket's file at `path` on which nobody listens.
fn is_stale(path: &Path, address: &SocketAddrUnix) -> bool {
    let is_socket =
        std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.file_type().is_socket());
    is_socket
        && (0..STALE_TRIES).all(|number| {
            if number > 0 {
                thread::sleep(STALE_INTERVAL);
            }
            refuses(address)
        })
}

/// Returns whether a connection to `address` is refused. The socket does not
/// block, because a server that is stopped and whose queue is full would keep
/// connect() waiting: such a server answers `EAGAIN`, so it listens. A server of packets
/// answers `EPROTOTYPE`.
fn refuses(address: &SocketAddrUnix) -> bool {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .and_then(|socket| rustix::net::connect(&socket, address))
        == Err(Errno::CONNREFUSED)
}

/// The exclusive right to start a server at a path: a lock of the file
/// `PATH.lock`, which exists only while the right is held.
///
/// The lock is on a file with mode 0600, not on the folder, because everybody
/// who may read the folder could lock the folder and keep servers from starting.
#[derive(Debug)]
struct StartLock {
    path: PathBuf,
    _file: OwnedFd,
}

impl StartLock {
    /// Waits for the lock of `socket_path`, at most [`LOCK_TIMEOUT`].
    fn acquire(socket_path: &Path) -> io::Result<Self> {
        let mut path = socket_path.as_os_str().to_owned();
        path.push(".lock");
        let path = PathBuf::from(path);
        let deadline = Instant::now() + LOCK_TIMEOUT;
        // NONBLOCK and NOFOLLOW: the file may be a pipe or a link of somebody else.
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK;
        loop {
            let file = rustix::fs::open(&path, flags, Mode::RUSR | Mode::WUSR)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) if is_file_at(&file, &path)? => return Ok(Self { path, _file: file }),
                // The last holder has removed this file between open() and
                // flock(), so a lock of it excludes nobody: open its successor.
                Ok(()) | Err(Errno::INTR) => {}
                Err(Errno::WOULDBLOCK) if Instant::now() < deadline => {
                    thread::sleep(LOCK_INTERVAL);
                }
                Err(Errno::WOULDBLOCK) => {
                    let what = format!(
                        "another server is being started: {} is locked",
                        path.display()
                    );
                    return Err(io::Error::new(io::ErrorKind::ResourceBusy, what));
                }
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl Drop for StartLock {
    fn drop(&mut self) {
        // Remove the file while it is locked: afterwards another start could have
        // locked it.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Returns whether an open file is the one that `path` names now.
fn is_file_at(file: &OwnedFd, path: &Path) -> io::Result<bool> {
    let stat = rustix::fs::fstat(file)?;
    Ok(identity(path) == Some((stat.st_dev, stat.st_ino)))
}

/// The file of a socket. Dropping this handle removes the file, unless another
/// file has taken its place.
///
/// Drop it while the socket still listens. As long as the socket listens, no
/// other server takes it for stale and puts a socket of its own in its place,
/// so the file cannot become another server's between the look at its identity
/// and its removal.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    identity: Option<Identity>,
}

/// The device and the inode of a file.
type Identity = (u64, u64);

impl SocketFile {
    /// Takes charge of the file that has just been bound at `path`.
    pub(crate) fn at(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            identity: identity(path),
        }
    }

    /// Leaves the file in its place.
    fn keep(mut self) {
        self.identity = None;
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path) == self.identity {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Returns the identity of the file at `path`, or of the symbolic link there.
/// Returns `None` if nothing is there.
fn identity(path: &Path) -> Option<Identity> {
    let metadata = std::fs::symlink_metadata(path).ok()?;
    Some((metadata.dev(), metadata.ino()))
}
