//! A server on one Unix socket with the default options: what most VMMs need.
//!
//! In: a path and a monitor. Out: a running server.

use std::io;
use std::path::{Path, PathBuf};

use super::{Listener, Options, Server};
use crate::monitor::Monitor;

/// A running server on a Unix socket that only its owner can connect to.
/// Dropping it stops it.
#[derive(Debug)]
pub struct UnixServer {
    path: PathBuf,
    server: Server,
}

impl UnixServer {
    /// Serves `monitor` at `path` with the default options.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error if the socket cannot be bound or a thread
    /// cannot be started.
    pub fn start(path: &Path, monitor: Monitor) -> io::Result<Self> {
        let listener = Listener::unix(path)?;
        Ok(Self {
            path: path.to_owned(),
            server: Server::start(monitor, [listener], Options::new())?,
        })
    }

    /// Returns the path of the socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Stops the server like [`Server::stop`] and removes the socket's file.
    pub fn stop(&mut self) {
        self.server.stop();
    }
}
