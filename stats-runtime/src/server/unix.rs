//! A server on a Unix socket.
//!
//! In: a path, a monitor. Out: a running server that several clients can use
//! at once, each in a thread of its own.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::connection;
use crate::commands::Monitor;
use crate::qmp::Limits;

/// Connections that may be open at once; a further client is turned away.
const CONNECTIONS_MAX: usize = 1024;

/// How long a stopping server waits for clients that do not read.
const STOP_TIME_MAX: Duration = Duration::from_secs(1);

/// How often it looks whether they have.
const STOP_POLL_INTERVAL: Duration = Duration::from_millis(2);

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
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    rustix::fs::fchmod(&socket, Mode::RUSR | Mode::WUSR)?;
    match rustix::net::bind(&socket, &address) {
        Err(rustix::io::Errno::ADDRINUSE) if is_stale(path) => {
            std::fs::remove_file(path)?;
            rustix::net::bind(&socket, &address)?;
        }
        bound => bound?,
    }
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(UnixListener::from(socket))
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

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct UnixServer {
    path: PathBuf,
    /// Device and inode of the socket file, so that only it is removed.
    file: Option<(u64, u64)>,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    listener: UnixListener,
    stopping: AtomicBool,
    connections: Mutex<Vec<Connection>>,
}

#[derive(Debug)]
struct Connection {
    stream: UnixStream,
    thread: JoinHandle<()>,
}

impl UnixServer {
    /// Serves `monitor` at `path`, in threads of its own, with the default
    /// limits.
    ///
    /// # Errors
    ///
    /// What binding the socket or starting a thread says.
    pub fn start(path: &Path, monitor: Monitor) -> io::Result<Self> {
        let listener = bind_private(path)?;
        let file = std::fs::symlink_metadata(path)
            .ok()
            .map(|file| (file.dev(), file.ino()));
        let shared = Arc::new(Shared {
            listener,
            stopping: AtomicBool::new(false),
            connections: Mutex::default(),
        });
        let acceptor = thread::Builder::new()
            .name("qmp-accept".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || shared.accept(&monitor)
            })?;
        Ok(Self {
            path: path.to_owned(),
            file,
            shared,
            acceptor: Some(acceptor),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stops it: no further connection is taken, those that are open are
    /// closed once everything that their client has sent is answered, and the
    /// socket file is removed. A client that does not read its answers is
    /// waited for no longer than a second.
    pub fn stop(&mut self) {
        let Some(acceptor) = self.acceptor.take() else {
            return;
        };
        self.shared.stopping.store(true, Ordering::Release);
        // Wakes the acceptor, whose `accept` fails from now on.
        let _ = rustix::net::shutdown(&self.shared.listener, rustix::net::Shutdown::Both);
        let _ = acceptor.join();
        let connections = std::mem::take(&mut *self.shared.connections());
        for connection in &connections {
            let _ = connection.stream.shutdown(std::net::Shutdown::Read);
        }
        let begin = Instant::now();
        while begin.elapsed() < STOP_TIME_MAX
            && connections
                .iter()
                .any(|connection| !connection.thread.is_finished())
        {
            thread::sleep(STOP_POLL_INTERVAL);
        }
        for connection in &connections {
            let _ = connection.stream.shutdown(std::net::Shutdown::Both);
        }
        for connection in connections {
            let _ = connection.thread.join();
        }
        let now = std::fs::symlink_metadata(&self.path)
            .ok()
            .map(|file| (file.dev(), file.ino()));
        if self.file.is_some() && now == self.file {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

impl Drop for UnixServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn connections(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn accept(&self, monitor: &Monitor) {
        while !self.stopping.load(Ordering::Acquire) {
            match self.listener.accept() {
                Ok((stream, _)) => self.take(stream, monitor),
                Err(_) if self.stopping.load(Ordering::Acquire) => return,
                // Out of descriptors, or a client that left: both pass.
                Err(_) => thread::sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Serves a client in a thread of its own. One too many, or one for whom
    /// there is no thread, is turned away by closing the connection.
    fn take(&self, stream: UnixStream, monitor: &Monitor) {
        let mut connections = self.connections();
        connections.retain(|connection| !connection.thread.is_finished());
        if connections.len() >= CONNECTIONS_MAX {
            return;
        }
        let Ok(served) = stream.try_clone() else {
            return;
        };
        let monitor = monitor.clone();
        let thread = thread::Builder::new()
            .name("qmp-client".to_owned())
            .spawn(move || {
                // The other handle stays open until the next client comes; and a
                // panicking provider ends its client's connection, not only its
                // thread.
                let served = ShutdownOnDrop(served);
                // How a connection ends is the client's affair.
                let _ = connection::serve(&served.0, &monitor, Limits::default());
            });
        if let Ok(thread) = thread {
            connections.push(Connection { stream, thread });
        }
    }
}

/// Ends a connection for both sides, whatever ends the thread.
struct ShutdownOnDrop(UnixStream);

impl Drop for ShutdownOnDrop {
    fn drop(&mut self) {
        let _ = self.0.shutdown(std::net::Shutdown::Both);
    }
}
