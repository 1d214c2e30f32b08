//! A human monitor on a Unix socket.
//!
//! In: a path, a monitor. Out: a thread that serves one client after the other,
//! as QEMU does: people are few, and a second one waits for their greeting. It
//! knows no command.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::LineMonitor;
use crate::commands::Monitor;
use crate::server::bind_private;

/// How much is read at a time.
const READ_BYTES: usize = 4 << 10;

/// How long it waits where the system has nothing to accept a client with.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// A running server of the human monitor. Dropping it ends its client's
/// connection and removes the socket.
#[derive(Debug)]
pub struct LineServer {
    path: PathBuf,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    listener: UnixListener,
    stopping: AtomicBool,
    /// The client that is being served.
    client: Mutex<Option<UnixStream>>,
}

impl LineServer {
    /// Serves `monitor` at `path`, on a socket of [`bind_private`].
    ///
    /// # Errors
    ///
    /// What binding the socket or starting the thread says.
    pub fn start(path: &Path, monitor: Monitor) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            listener: bind_private(path)?,
            stopping: AtomicBool::new(false),
            client: Mutex::default(),
        });
        let thread = thread::Builder::new().name("hmp".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.serve_all(&monitor)
        })?;
        Ok(Self {
            path: path.to_owned(),
            shared,
            thread: Some(thread),
        })
    }
}

impl Drop for LineServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // Wakes who accepts and who reads or writes.
        let _ = rustix::net::shutdown(&self.shared.listener, rustix::net::Shutdown::Both);
        if let Some(client) = &*self.shared.client() {
            let _ = client.shutdown(std::net::Shutdown::Both);
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Shared {
    fn client(&self) -> std::sync::MutexGuard<'_, Option<UnixStream>> {
        self.client.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve_all(&self, monitor: &Monitor) {
        while !self.stopping.load(Ordering::Acquire) {
            match self.listener.accept() {
                Ok((stream, _)) => self.serve_one(&stream, monitor),
                Err(_) if self.stopping.load(Ordering::Acquire) => return,
                Err(_) => thread::sleep(RETRY_INTERVAL),
            }
        }
    }

    fn serve_one(&self, stream: &UnixStream, monitor: &Monitor) {
        let Ok(handle) = stream.try_clone() else {
            return;
        };
        *self.client() = Some(handle);
        // Who stops before the client is known finds nobody to wake.
        if !self.stopping.load(Ordering::Acquire) {
            // How a conversation ends is the client's affair.
            let _ = converse(stream, monitor);
        }
        *self.client() = None;
    }
}

/// Serves one client until either side ends.
fn converse(mut stream: &UnixStream, monitor: &Monitor) -> io::Result<()> {
    let mut lines = LineMonitor::new(&monitor.host().version());
    let mut buffer = [0; READ_BYTES];
    let mut unread = 0..0;
    loop {
        // Before the next line is looked at, the last one's text has gone.
        let count = lines.output().len();
        stream.write_all(lines.output())?;
        lines.sent(count);
        if lines.is_over() {
            return Ok(());
        }
        if unread.is_empty() {
            match stream.read(&mut buffer) {
                Ok(0) => lines.end_of_input(),
                Ok(count) => unread = 0..count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        unread.start += lines.receive(buffer.get(unread.clone()).unwrap_or_default());
        lines.run(monitor);
    }
}
