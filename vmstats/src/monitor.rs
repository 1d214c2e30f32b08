//! The monitor that `demo` and `serve` offer: providers and a host behind a
//! socket.
//!
//! In: a KVM provider, a VM. Out: a running server.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use qapi::stats::StatsProvider;
use stats_runtime::kvm::KvmProvider;
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, Registry};
use tempfile::TempDir;

use crate::failure::Failure;
use crate::host::Vm;

/// A served monitor. Dropping it ends the server and removes its socket.
#[derive(Debug)]
pub struct Served {
    // Before the folder, so that the socket is gone when the folder goes.
    _server: Server,
    path: PathBuf,
    _folder: Option<TempDir>,
}

impl Served {
    /// Serves at `path`, or in a fresh folder that only the user can enter, and
    /// at `listeners`.
    ///
    /// # Errors
    ///
    /// What making the folder or binding the socket says.
    pub fn start(
        path: Option<&Path>,
        provider: Arc<KvmProvider>,
        vm: Vm,
        listeners: Vec<Listener>,
    ) -> Result<Self, Failure> {
        let registry = Registry::new();
        registry
            .register(StatsProvider::Kvm, provider)
            .map_err(|error| Failure::other(error.to_string()))?;
        let (path, folder) = place(path)?;
        let monitor = Monitor::new(Arc::new(registry), Arc::new(vm));
        let private = Listener::unix(&path).map_err(|error| {
            Failure::other(format!("cannot listen on {}: {error}", path.display()))
        })?;
        let listeners = std::iter::once(private).chain(listeners);
        let server = Server::start(monitor, listeners, Options::new())
            .map_err(|error| Failure::other(format!("cannot serve: {error}")))?;
        Ok(Self {
            _server: server,
            path,
            _folder: folder,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn place(path: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), Failure> {
    if let Some(path) = path {
        return Ok((path.to_owned(), None));
    }
    // The crate makes the folder with mode 0700.
    let folder = tempfile::Builder::new()
        .prefix("vmstats-")
        .tempdir()
        .map_err(|error| Failure::other(format!("cannot make a temporary folder: {error}")))?;
    Ok((folder.path().join("qmp.sock"), Some(folder)))
}
