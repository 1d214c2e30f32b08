//! Servers, which make a monitor available on sockets.
//!
//! In: listeners and a monitor. Out: served connections, until the server is
//! stopped. A server knows no JSON, which is the session's.
//!
//! ```
//! use std::sync::Arc;
//! use stats_runtime::server::{Listener, Options, Server};
//! use stats_runtime::{Monitor, NoHost, Registry};
//!
//! let monitor = Monitor::new(Registry::new(), NoHost);
//! let listener = Listener::tcp("127.0.0.1:0".parse()?)?;
//! let mut server = Server::start(monitor, [listener], Options::new().connections_max(8))?;
//! server.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod clients;
mod connection;
mod conversation;
mod listener;
mod log;
mod lost_client;
mod options;
mod peer;
mod pending;
mod polled;
mod reactor;
mod report;
mod statistics;
mod stream;
mod threads;
#[cfg(feature = "tls")]
mod tls;
mod waker;

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

pub use listener::{Inherited, Listener};
pub use lost_client::LostClient;
pub use options::Options;
pub use pending::Pending;
pub use polled::Polled;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsBuilder, TlsError};

pub use crate::net::unix::{UnixAccess, bind_packets, bind_private};

use self::conversation::Protocol;
use self::report::Counters;
use self::stream::Stream;
use crate::monitor::Monitor;
use crate::set::StatsSet;

/// The time for which a server that is dropped waits for clients that do not read
/// their answers.
const DROP_TIMEOUT: Duration = Duration::from_millis(100);

/// A server with threads of its own, all of which are made at the start. Their name
/// is `qmp-server`. The threads block all signals except synchronous ones, such as
/// SIGSEGV and SIGSYS, and inherit the filter of system calls of the thread
/// that starts the server.
///
/// Dropping the server does not delay the VMM's exit: a command that does not
/// return keeps its thread, and clients that do not read their answers are
/// disconnected after a tenth of a second. [`stop`](Self::stop) waits for both.
#[derive(Debug)]
pub struct Server {
    threads: Option<threads::Threads>,
    stop_timeout: Duration,
    counters: Arc<Counters>,
}

impl Server {
    /// Serves `monitor` to the clients of `listeners`, in threads of the server.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error if a descriptor cannot be created or a thread
    /// cannot be started, and the error of [`Options::on_thread_start`].
    pub fn start(
        monitor: Monitor,
        listeners: impl IntoIterator<Item = Listener>,
        options: Options,
    ) -> io::Result<Self> {
        let listeners = listeners.into_iter().collect();
        let stop_timeout = options.stop_timeout;
        let threads = threads::Threads::start(monitor, listeners, options)?;
        Ok(Self {
            counters: Arc::clone(threads.reactor().counters()),
            threads: Some(threads),
            stop_timeout,
        })
    }

    /// Serves a client on a socket that is connected already: one end of a socket
    /// pair, an inherited descriptor, or a connection that the VMM made. Nothing is
    /// asked of the client: the maker of the connection has admitted it. Call it
    /// again for each connection; the server closes the socket when the client has
    /// left.
    ///
    /// # Errors
    ///
    /// Returns an error if the socket is not a connected stream socket, if its peer
    /// is another machine, or if as many clients as possible are connected.
    pub fn add_client(&self, socket: OwnedFd) -> io::Result<()> {
        self.add(Stream::from_connected(socket)?)
    }

    /// Serves a client on a connected Unix socket, like
    /// [`add_client`](Self::add_client), but asks the kernel nothing about the
    /// socket. If another process has a duplicate of the descriptor, the client sees
    /// the end of the connection only when that is closed as well.
    ///
    /// # Errors
    ///
    /// Returns an error if as many clients as possible are connected.
    pub fn add_unix_client(&self, socket: UnixStream) -> io::Result<()> {
        self.add(Stream::from_unix(socket))
    }

    fn add(&self, stream: Stream) -> io::Result<()> {
        match &self.threads {
            Some(threads) => threads.reactor().add_connected(stream, Protocol::Qmp),
            None => Err(io::Error::other("the server has been stopped")),
        }
    }

    /// Returns the number of connected clients.
    #[must_use]
    pub fn connections(&self) -> usize {
        let threads = self.threads.as_ref();
        threads.map_or(0, |threads| threads.reactor().connections())
    }

    /// Returns the provider of the server's statistics of itself: its clients now; the
    /// clients that it has accepted, refused and disconnected, with the reason;
    /// commands; and bytes. They are statistics of the target `vm`.
    ///
    /// Register it under a name of the VMM's choice, and so that it answers only
    /// requests that name it: libvirt takes no statistics of a VM that has more than
    /// KVM's. It may outlive the server.
    ///
    /// ```
    /// use stats_runtime::server::{Options, Server};
    /// use stats_runtime::{Monitor, NoHost, Registration, Registry};
    ///
    /// let registry = Registry::new();
    /// let monitor = Monitor::new(registry.clone(), NoHost);
    /// let server = Server::start(monitor, [], Options::new())?;
    /// let when_named = Registration::new().only_when_named();
    /// registry.register_with("qmp-server", server.statistics(), when_named)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn statistics(&self) -> StatsSet {
        statistics::of(&self.counters)
    }

    /// Stops the server. Accepts no further client, and closes each connection
    /// once everything that its client has sent is answered. Waits at most
    /// [`Options::stop_timeout`] for clients that do not read their answers and
    /// for commands that do not return.
    pub fn stop(&mut self) {
        if let Some(mut threads) = self.threads.take() {
            threads.stop(self.stop_timeout);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut threads) = self.threads.take() {
            threads.stop(self.stop_timeout.min(DROP_TIMEOUT));
        }
    }
}
