//! A human monitor on a Unix socket.
//!
//! In: a path, a monitor. Out: a few clients served, each by a thread of its
//! own, because one that types nothing is not to keep another waiting. It knows
//! no command.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::LineMonitor;
use crate::commands::Monitor;
use crate::net::unix::{SocketFile, bind_private};

/// How much is read at a time.
const READ_BYTES: usize = 4 << 10;

/// How long it waits where the system has nothing to accept a client with.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// Clients at once: people are few. A further one is turned away.
const CLIENTS_MAX: usize = 16;

/// How long a client may leave what it is sent unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// A running server of the human monitor, for up to 16 clients at once.
/// Dropping it ends their connections and removes the socket.
#[derive(Debug)]
pub struct LineServer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// Removed behind the listener.
    _file: SocketFile,
}

#[derive(Debug)]
struct Shared {
    listener: UnixListener,
    stopping: AtomicBool,
    /// Those that are being served, by number.
    clients: Mutex<BTreeMap<u64, Client>>,
}

#[derive(Debug)]
struct Client {
    stream: Arc<UnixStream>,
    thread: JoinHandle<()>,
}

impl LineServer {
    /// Serves `monitor` at `path`, on a socket of [`bind_private`].
    ///
    /// # Errors
    ///
    /// What binding the socket or starting the thread says.
    pub fn start(path: &Path, monitor: Monitor) -> io::Result<Self> {
        let listener = bind_private(path)?;
        let file = SocketFile::at(path);
        let shared = Arc::new(Shared {
            listener,
            stopping: AtomicBool::new(false),
            clients: Mutex::default(),
        });
        let thread = thread::Builder::new().name("hmp".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.serve_all(&monitor)
        })?;
        Ok(Self {
            shared,
            thread: Some(thread),
            _file: file,
        })
    }
}

impl Drop for LineServer {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::Release);
        // Wakes who accepts; then there are no further clients.
        let _ = rustix::net::shutdown(&self.shared.listener, rustix::net::Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        let clients = std::mem::take(&mut *self.shared.clients());
        for client in clients.values() {
            let _ = client.stream.shutdown(std::net::Shutdown::Both);
        }
        for client in clients.into_values() {
            let _ = client.thread.join();
        }
    }
}

impl Shared {
    fn clients(&self) -> MutexGuard<'_, BTreeMap<u64, Client>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve_all(self: Arc<Self>, monitor: &Monitor) {
        let mut number = 0;
        while !self.stopping.load(Ordering::Acquire) {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    number += 1;
                    // One for whom there is no room sees an end.
                    let _ = self.take(number, stream, monitor.clone());
                }
                Err(_) if self.stopping.load(Ordering::Acquire) => return,
                Err(_) => thread::sleep(RETRY_INTERVAL),
            }
        }
    }

    /// Begins to serve a client, if there is room.
    fn take(self: &Arc<Self>, number: u64, stream: UnixStream, monitor: Monitor) -> io::Result<()> {
        stream.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let stream = Arc::new(stream);
        // Until it is among them, its thread cannot leave.
        let mut clients = self.clients();
        if clients.len() >= CLIENTS_MAX {
            return Ok(());
        }
        let thread = thread::Builder::new()
            .name("hmp-client".to_owned())
            .spawn({
                let (shared, stream) = (Arc::clone(self), Arc::clone(&stream));
                move || {
                    // How a conversation ends is the client's affair.
                    let _ = converse(&stream, &monitor);
                    shared.clients().remove(&number);
                }
            })?;
        clients.insert(number, Client { stream, thread });
        Ok(())
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
