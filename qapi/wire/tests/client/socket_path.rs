//! Paths of sockets, and a socket on which nobody can connect.

use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

/// A path for a socket, which is removed at the end.
pub(crate) struct SocketPath(pub(crate) PathBuf);

impl SocketPath {
    pub(crate) fn new() -> Self {
        static LAST: AtomicU32 = AtomicU32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed);
        let name = format!("qapi-wire-{}-{number}.sock", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        // Fails if the test has removed the socket.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Makes a listener that accepts nobody, and fills its queue of connections. A
/// connection that has ended stays in the queue.
pub(crate) fn fill_queue(path: &SocketPath) -> UnixListener {
    let listener = UnixListener::bind(&path.0).unwrap();
    let (sender, connected) = channel();
    let socket = path.0.clone();
    thread::spawn(
        move || {
            while UnixStream::connect(&socket).is_ok() && sender.send(()).is_ok() {}
        },
    );
    while connected.recv_timeout(Duration::from_secs(1)).is_ok() {}
    listener
}
