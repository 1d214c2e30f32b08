//! Servers: monitors behind sockets.
//!
//! In: listeners, and what answers their clients. Out: served connections,
//! until the server is stopped. It knows no JSON: that is the session's.
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
mod options;
mod reactor;
mod stream;
#[cfg(feature = "tls")]
mod tls;
mod unix_server;
mod waker;

use std::io;
use std::sync::Arc;

pub use listener::Listener;
pub use options::Options;
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
pub use unix_server::UnixServer;

pub use crate::net::unix::bind_private;

use crate::commands::Monitor;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    reactor: Option<Arc<reactor::Reactor>>,
}

impl Server {
    /// Serves `monitor` to those who come to `listeners`, in threads of its
    /// own.
    ///
    /// # Errors
    ///
    /// What making descriptors or starting a thread says.
    pub fn start(
        monitor: Monitor,
        listeners: impl IntoIterator<Item = Listener>,
        options: Options,
    ) -> io::Result<Self> {
        let listeners = listeners.into_iter().collect();
        let reactor = Some(reactor::Reactor::start(monitor, listeners, options)?);
        Ok(Self { reactor })
    }

    /// How many clients are connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.reactor
            .as_deref()
            .map_or(0, reactor::Reactor::connections)
    }

    /// Stops it: no further connection is taken, and those that are open are
    /// closed once everything that their client has sent is answered. A client
    /// that does not read its answers, or whose command does not return, is
    /// waited for no longer than [`Options::stop_timeout`] says.
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
