//! The monitor that `demo` and `serve` offer.
//!
//! In: a registry of providers, a VM, and the server's arguments. Out: a running
//! server.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use qapi_stats::stats::StatsProvider;
use stats_runtime::kvm::KvmProvider;
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, Registry};
use tempfile::TempDir;

use crate::cli::{HmpEndpoint, LimitArgs, ServerArgs};
use crate::failure::Failure;
use crate::listen::{self, Admission, Sockets};
use crate::served_vm::Vm;

/// A monitor that is being served. Dropping it stops the server and removes its
/// sockets.
#[derive(Debug)]
pub struct MonitorServer {
    // The servers are dropped before the folder, so that the folder is empty when
    // it is removed.
    _server: Server,
    _folder: Option<TempDir>,
    path: PathBuf,
    addresses: Vec<SocketAddr>,
}

/// Binds the addresses of `--listen`. Call it before the program has threads;
/// see [`listen::bind`].
///
/// # Errors
///
/// Returns an error if an address cannot be bound.
pub fn bind(arguments: &ServerArgs) -> Result<Sockets, Failure> {
    let credentials = arguments.tls.as_deref();
    listen::bind(&arguments.listen, credentials, &admission(arguments))
}

/// Makes a registry whose only provider is that of KVM.
///
/// # Errors
///
/// Returns an error if the registry refuses the provider.
pub fn kvm_registry(provider: KvmProvider) -> Result<Registry, Failure> {
    let registry = Registry::new();
    registry
        .register(StatsProvider::Kvm, provider)
        .map_err(|error| Failure::other(error.to_string()))?;
    Ok(registry)
}

impl MonitorServer {
    /// Serves a monitor at `--qmp`, on `sockets`, and to the programs of
    /// `--connect`. Without `--qmp` the
    /// monitor's socket is in a new folder that only the user can enter. With
    /// `--hmp unix:PATH` the human monitor is served at that path.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder cannot be made, a socket cannot be bound
    /// or a thread cannot be started.
    pub fn start(
        arguments: &ServerArgs,
        registry: Registry,
        vm: Vm,
        sockets: Sockets,
    ) -> Result<Self, Failure> {
        let (path, folder) = socket_path(arguments.qmp.as_deref())?;
        let monitor = Monitor::new(registry, Arc::new(vm)).with_control(arguments.control);
        let first = admission(arguments)
            .unix(&path)
            .map_err(|error| cannot_listen(&path, &error))?;
        let Sockets {
            listeners,
            mut clients,
        } = sockets;
        clients.extend(listen::connect(&arguments.connect)?);
        let addresses = listeners.iter().filter_map(Listener::tcp_address).collect();
        let hmp = match &arguments.hmp {
            Some(HmpEndpoint::Unix(path)) => {
                let listener = Listener::unix(path);
                let listener = listener.map_err(|error| cannot_listen(path, &error))?;
                Some(listener.human_monitor())
            }
            Some(HmpEndpoint::Terminal) | None => None,
        };
        let listeners = std::iter::once(first).chain(listeners).chain(hmp);
        let server = Server::start(monitor, listeners, options(&arguments.limits))
            .map_err(|error| Failure::other(format!("cannot serve: {error}")))?;
        for client in clients {
            let added = server.add_client(client);
            added.map_err(|error| Failure::other(format!("cannot serve a client: {error}")))?;
        }
        Ok(Self {
            _server: server,
            _folder: folder,
            path,
            addresses,
        })
    }

    /// Returns the path of the monitor's socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the addresses of the TCP sockets, with the ports that the kernel
    /// chose.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

fn admission(arguments: &ServerArgs) -> Admission {
    Admission {
        mode: arguments.mode,
        group: arguments.group,
        uids: arguments.allow_uid.clone(),
        gids: arguments.allow_gid.clone(),
        subjects: arguments.tls_allow.clone(),
    }
}

/// Returns the server's options. A limit that is not given has the server's
/// default.
fn options(arguments: &LimitArgs) -> Options {
    let mut options = Options::new();
    if let Some(bytes) = arguments.message_bytes_max {
        options = options.message_bytes_max(bytes);
    }
    if let Some(number) = arguments.connections_max {
        options = options.connections_max(number);
    }
    if let Some(number) = arguments.threads {
        options = options.threads(number);
    }
    if let Some(bytes) = arguments.held_bytes_max {
        options = options.held_bytes_max(bytes);
    }
    options
}

fn cannot_listen(path: &Path, error: &io::Error) -> Failure {
    Failure::other(format!("cannot listen on {}: {error}", path.display()))
}

/// Returns the path of the monitor's socket, and the folder that was made for
/// the socket.
fn socket_path(path: Option<&Path>) -> Result<(PathBuf, Option<TempDir>), Failure> {
    if let Some(path) = path {
        return Ok((path.to_owned(), None));
    }
    // The folder has mode 0700.
    let folder = tempfile::Builder::new()
        .prefix("vmstats-")
        .tempdir()
        .map_err(|error| Failure::other(format!("cannot make a temporary folder: {error}")))?;
    Ok((folder.path().join("qmp.sock"), Some(folder)))
}
