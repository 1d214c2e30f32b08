//! A human monitor on a Unix socket.
//!
//! In: a path and a monitor. Out: a few clients, each served by a thread of its
//! own, because a client that types nothing must not keep another one waiting.
//! This file knows no command.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::line::LineMonitor;
use crate::lock::{Lock, Signal};
use crate::monitor::Monitor;
use crate::net::unix::{SocketFile, bind_private};

/// The size of the buffer that a client's input is read into.
const READ_BYTES: usize = 4 << 10;

/// The time between two tries to accept a client while the system is out of
/// descriptors or memory.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// The number of clients that are served at once. The connection of a further
/// client is closed. The number is small, because the clients are people.
const CLIENTS_MAX: usize = 16;

/// The time for which a client may leave its output unread.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The time for which a stopping server waits for commands that run.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// A running server of the human monitor, for up to 16 clients at once.
/// Dropping it stops it.
#[derive(Debug)]
pub struct LineServer {
    running: Option<Running>,
    clients: Arc<Clients>,
}

/// The parts of a server that has not been stopped.
#[derive(Debug)]
struct Running {
    /// Dropped first: see [`SocketFile`].
    file: SocketFile,
    listener: Arc<UnixListener>,
    thread: JoinHandle<()>,
}

/// The clients that are being served. Their threads share it.
#[derive(Debug, Default)]
struct Clients {
    is_stopping: AtomicBool,
    /// The clients' sockets by the clients' numbers.
    sockets: Lock<BTreeMap<u64, Arc<UnixStream>>>,
    /// Signalled whenever a client has been removed.
    removed: Signal,
}

impl LineServer {
    /// Serves `monitor` at `path`, on a socket that only its owner can connect
    /// to.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error if the socket cannot be bound or the thread
    /// cannot be started.
    pub fn start(path: &Path, monitor: Monitor) -> io::Result<Self> {
        let listener = Arc::new(bind_private(path)?);
        let file = SocketFile::at(path);
        let clients = Arc::new(Clients::default());
        let thread = thread::Builder::new().name("hmp".to_owned()).spawn({
            let (listener, clients) = (Arc::clone(&listener), Arc::clone(&clients));
            move || clients.accept_all(&listener, &monitor)
        })?;
        let running = Some(Running {
            file,
            listener,
            thread,
        });
        Ok(Self { running, clients })
    }

    /// Stops the server: removes the socket's file, ends all connections, and
    /// waits for the commands that run, but no longer than a second.
    ///
    /// If a provider or the host has not returned by then, the thread of the
    /// client that asked goes on without the server. Such a thread references only
    /// the client's closed socket, the table of clients and the monitor, and ends
    /// when the call returns.
    pub fn stop(&mut self) {
        let Some(Running {
            file,
            listener,
            thread,
        }) = self.running.take()
        else {
            return;
        };
        drop(file);
        self.clients.is_stopping.store(true, Ordering::Release);
        // Wake the accepting thread, which then sees `is_stopping` and returns.
        let _ = rustix::net::shutdown(&listener, rustix::net::Shutdown::Both);
        let _ = thread.join();
        self.clients.end();
    }
}

impl Drop for LineServer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Clients {
    fn accept_all(self: Arc<Self>, listener: &UnixListener, monitor: &Monitor) {
        let mut number = 0;
        while !self.is_stopping.load(Ordering::Acquire) {
            match listener.accept() {
                Ok((socket, _)) => {
                    number += 1;
                    // Ignore an error: it closes the client's connection.
                    let _ = self.serve(number, socket, monitor.clone());
                }
                Err(_) if self.is_stopping.load(Ordering::Acquire) => return,
                Err(_) => thread::sleep(RETRY_INTERVAL),
            }
        }
    }

    /// Starts a thread that serves a client, unless there are too many clients.
    fn serve(
        self: &Arc<Self>,
        number: u64,
        socket: UnixStream,
        monitor: Monitor,
    ) -> io::Result<()> {
        socket.set_write_timeout(Some(WRITE_TIMEOUT))?;
        let socket = Arc::new(socket);
        // Hold the lock until the client is inserted: its thread removes the
        // entry under the same lock and must not do that first.
        let mut sockets = self.sockets.lock();
        if sockets.len() >= CLIENTS_MAX {
            return Ok(());
        }
        thread::Builder::new()
            .name("hmp-client".to_owned())
            .spawn({
                let (clients, socket) = (Arc::clone(self), Arc::clone(&socket));
                move || {
                    let entry = Entry { clients, number };
                    // Ignore an error: it ends only this conversation.
                    let _ = converse(&socket, &monitor);
                    // Drop the monitor before the entry: `stop` waits for the
                    // entry, and its caller may expect that this thread does
                    // not use the host any more.
                    drop(monitor);
                    drop(entry);
                }
            })?;
        sockets.insert(number, socket);
        Ok(())
    }

    /// Ends all connections and waits for their threads, at most
    /// [`STOP_TIMEOUT`].
    fn end(&self) {
        let sockets = self.sockets.lock();
        for socket in sockets.values() {
            let _ = socket.shutdown(Shutdown::Both);
        }
        let is_serving = |sockets: &mut BTreeMap<_, _>| !sockets.is_empty();
        drop(
            self.removed
                .wait_while_for(sockets, STOP_TIMEOUT, is_serving),
        );
    }
}

/// A client's entry in the table. Dropping it removes the client, also when the
/// client's thread panics.
#[derive(Debug)]
struct Entry {
    clients: Arc<Clients>,
    number: u64,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.clients.sockets.lock().remove(&self.number);
        self.clients.removed.notify_all();
    }
}

/// Serves one client until either side ends.
fn converse(mut socket: &UnixStream, monitor: &Monitor) -> io::Result<()> {
    let mut lines = LineMonitor::new(&monitor.host().version());
    let mut buffer = [0; READ_BYTES];
    let mut unread = 0..0;
    loop {
        // Send the output of one line before the next line is read.
        let count = lines.output().len();
        socket.write_all(lines.output())?;
        lines.sent(count);
        if lines.is_over() {
            return Ok(());
        }
        if unread.is_empty() {
            match socket.read(&mut buffer) {
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
