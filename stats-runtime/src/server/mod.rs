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
//! let monitor = Monitor::new(Arc::new(Registry::new()), Arc::new(NoHost));
//! let listener = Listener::tcp("127.0.0.1:0".parse()?)?;
//! let mut server = Server::start(monitor, [listener], Options::new().connections_max(8))?;
//! server.stop();
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod budget;
mod clients;
mod connection;
mod listener;
mod log;
mod options;
mod peer;
mod reactor;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod unix_server;
mod waker;

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

pub use listener::{Inherited, Listener};
pub use options::Options;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsBuilder, TlsError};
pub use unix_server::UnixServer;

pub use crate::net::unix::{UnixAccess, bind_private};

use self::stream::Stream;
use crate::monitor::Monitor;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    reactor: Option<Arc<reactor::Reactor>>,
}

impl Server {
    /// Serves `monitor` to the clients of `listeners`, in threads of the server.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error if a descriptor cannot be created or a thread
    /// cannot be started.
    pub fn start(
        monitor: Monitor,
        listeners: impl IntoIterator<Item = Listener>,
        options: Options,
    ) -> io::Result<Self> {
        let listeners = listeners.into_iter().collect();
        let reactor = Some(reactor::Reactor::start(monitor, listeners, options)?);
        Ok(Self { reactor })
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
        let stream = Stream::from_connected(socket)?;
        match &self.reactor {
            Some(reactor) => reactor
                .add_connected(stream)
                .map_err(|refusal| io::Error::other(refusal.to_string())),
            None => Err(io::Error::other("the server has been stopped")),
        }
    }

    /// Returns the number of connected clients.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.reactor
            .as_deref()
            .map_or(0, reactor::Reactor::connections)
    }

    /// Stops the server. Accepts no further client, and closes each connection
    /// once everything that its client has sent is answered. Waits at most
    /// [`Options::stop_timeout`] for clients that do not read their answers and
    /// for commands that do not return.
    pub fn stop(&mut self) {
        if let Some(reactor) = self.reactor.take() {
            reactor.stop();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
