//! The monitor that `demo` and `serve` offer: providers and a host behind a
//! socket.
//!
//! In: a KVM provider, a VM. Out: a running server.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qapi_stats::stats::StatsProvider;
use stats_runtime::hmp::LineServer;
use stats_runtime::kvm::KvmProvider;
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, Registry};
use tempfile::TempDir;

use crate::cli::Serving;
use crate::failure::Failure;
use crate::host::Vm;
use crate::listen::{self, Admission};

/// A served monitor. Dropping it ends the server and removes its socket.
#[derive(Debug)]
pub struct Served {
    // Before the folder, so that the socket is gone when the folder goes.
    _server: Server,
    path: PathBuf,
    addresses: Vec<SocketAddr>,
    monitor: Monitor,
    human: Option<LineServer>,
    _folder: Option<TempDir>,
}

impl Served {
    /// Serves where and for what the arguments say, in a fresh folder that only
    /// the user can enter if they name no path, and at `listeners`.
    ///
    /// # Errors
    ///
    /// What making the folder or binding the socket says.
    pub fn start(
        arguments: &Serving,
        provider: Arc<KvmProvider>,
        vm: Vm,
        listeners: Vec<Listener>,
    ) -> Result<Self, Failure> {
        let registry = Registry::new();
        registry
            .register(StatsProvider::Kvm, provider)
            .map_err(|error| Failure::other(error.to_string()))?;
        let (path, folder) = place(arguments.qmp.as_deref())?;
        let monitor =
            Monitor::new(Arc::new(registry), Arc::new(vm)).with_control(arguments.control);
        let admission = arguments.admission();
        let private = admission
            .unix(&path)
            .map_err(|error| cannot_listen(&path, &error))?;
        let addresses = listeners.iter().filter_map(Listener::tcp_address).collect();
        let listeners = std::iter::once(private).chain(listeners);
        let server = Server::start(monitor.clone(), listeners, Options::new())
            .map_err(|error| Failure::other(format!("cannot serve: {error}")))?;
        Ok(Self {
            _server: server,
            path,
            addresses,
            monitor,
            human: None,
            _folder: folder,
        })
    }

    /// Offers the human monitor as well, at a path of its own.
    ///
    /// # Errors
    ///
    /// What binding the socket says.
    pub fn offer_human(&mut self, path: &Path) -> Result<(), Failure> {
        let server = LineServer::start(path, self.monitor.clone())
            .map_err(|error| cannot_listen(path, &error))?;
        self.human = Some(server);
        Ok(())
    }

    /// Where it listens.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where it listens on TCP, with the ports that the kernel chose.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

impl Serving {
    /// Binds what is to be listened at beside the private socket, see
    /// [`listen::bind`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn bind(&self) -> Result<Vec<Listener>, Failure> {
        listen::bind(&self.listen, self.tls.as_deref(), &self.admission())
    }

    fn admission(&self) -> Admission {
        Admission {
            mode: self.mode,
            uids: self.allow_uid.clone(),
            gids: self.allow_gid.clone(),
        }
    }
}

fn cannot_listen(path: &Path, error: &io::Error) -> Failure {
    Failure::other(format!("cannot listen on {}: {error}", path.display()))
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
