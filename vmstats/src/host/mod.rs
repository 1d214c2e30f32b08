//! `vmstats host`: the statistics of VMs whose VMMs serve nothing.
//!
//! In: statistics files that VMMs hand over. Out: a QMP socket for each VM, and metrics of
//! them all. The files are the kernel's, so the VMMs take no part in an answer.

mod allowance;
mod event_loop;
mod folder;
mod inspector;
mod machine;
mod parcel;
mod peer;
mod queue;
mod refusals;
mod sandbox;
mod store;
mod users;

use std::io::Write;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;

use rustix::net::SocketType;
use rustix::net::sockopt::{socket_acceptconn, socket_type};
use rustix::process::{Resource, getrlimit, getuid};

use crate::cli::HostArgs;
#[cfg(feature = "export")]
use crate::export::MetricsServer;
use crate::failure::Failure;
use crate::listen::Admission;
#[cfg(feature = "export")]
use crate::listen::Listen;
use crate::shutdown;
#[cfg(feature = "export")]
use crate::source::Place;
use crate::source::raise_file_limit;
use event_loop::{EventLoop, Rules};
use folder::Folder;
use inspector::Inspectors;
use peer::Adopters;
use store::Stored;

/// The name of systemd's socket for hand-overs (`FileDescriptorName=`).
const SOCKET_NAME: &str = "handover";

/// Runs `vmstats host`.
///
/// # Errors
///
/// Returns an error if the kernel is too old, the folder cannot be used, an address cannot
/// be bound, or the process cannot be confined.
pub fn run(arguments: &HostArgs, out: &mut dyn Write) -> Result<(), Failure> {
    if arguments.inspector {
        return inspector::child::run();
    }
    if !kvm_stats::keeps_vm_alive() {
        return Err(Failure::other(
            "on kernels before 6.5 a statistics file that outlives its VM makes the kernel read \
             freed memory, so this process must not hold any; ask the VMs' own monitors instead",
        ));
    }
    raise_file_limit();
    let mut passed = store::take()?;
    let shutdown = shutdown::socket()?;
    let inspectors = Inspectors::start()?;
    let mut folder = Folder::open(&arguments.folder)?;
    let position = passed.iter().position(|(name, _)| name == SOCKET_NAME);
    let listener = match position {
        Some(position) => inherited(passed.swap_remove(position).1)?,
        None => folder.listen(arguments.handover_mode, arguments.handover_group)?,
    };
    #[cfg(feature = "export")]
    let metrics = bind_metrics(arguments, &folder)?;
    if !arguments.no_sandbox {
        sandbox::confine_host(folder.path(), &metric_sockets(arguments))?;
    }
    let mut adopters = arguments.adopters.clone();
    adopters.extend([0, getuid().as_raw()]);
    let rules = Rules {
        adopters: Adopters(adopters),
        vms_max: usize::try_from(arguments.vms_max).unwrap_or(usize::MAX),
        vms_per_user_max: usize::try_from(arguments.vms_per_user_max).unwrap_or(usize::MAX),
        files_per_user_max: getrlimit(Resource::Nofile)
            .current
            .and_then(|files| usize::try_from(files / 2).ok())
            .unwrap_or(usize::MAX),
        clients: Admission {
            mode: arguments.mode,
            group: arguments.group,
            ..Admission::default()
        },
    };
    let path = folder.path().to_owned();
    let mut host = EventLoop::new(folder, listener, shutdown, inspectors, rules)?;
    host.restore(Stored::new(passed));
    writeln!(out, "{}", path.display())?;
    #[cfg(feature = "export")]
    for url in metrics.iter().flat_map(MetricsServer::urls) {
        writeln!(out, "{url}")?;
    }
    out.flush()?;
    #[cfg(feature = "export")]
    let _metrics = metrics.map(MetricsServer::start).transpose()?;
    store::ready();
    host.run()
}

/// Binds the addresses of `--listen`. Returns `None` without any.
#[cfg(feature = "export")]
fn bind_metrics(arguments: &HostArgs, folder: &Folder) -> Result<Option<MetricsServer>, Failure> {
    let exposition = &arguments.exposition;
    if exposition.listen.is_empty() {
        return match exposition.contradiction() {
            Some(why) => Err(Failure::usage(why)),
            None => Ok(None),
        };
    }
    MetricsServer::bind(vec![Place::Host(folder.vms())], exposition).map(Some)
}

/// Returns the paths of the sockets that serve metrics.
#[cfg(feature = "export")]
fn metric_sockets(arguments: &HostArgs) -> Vec<PathBuf> {
    let path = |address: &Listen| match address {
        Listen::Unix(path) => Some(path.clone()),
        _ => None,
    };
    let addresses = arguments.exposition.listen.iter();
    addresses.filter_map(path).collect()
}

/// Returns no path, because this build serves no metrics.
#[cfg(not(feature = "export"))]
fn metric_sockets(_: &HostArgs) -> Vec<PathBuf> {
    Vec::new()
}

/// Returns the socket for hand-overs that the service manager made.
fn inherited(socket: OwnedFd) -> Result<OwnedFd, Failure> {
    let is_listener = socket_acceptconn(socket.as_fd()).unwrap_or(false);
    if !is_listener || socket_type(&socket) != Ok(SocketType::SEQPACKET) {
        return Err(Failure::other(
            "the service manager's socket 'handover' does not listen for packets: use \
             ListenSequentialPacket=",
        ));
    }
    rustix::io::ioctl_fionbio(&socket, true)
        .map_err(|error| Failure::other(format!("cannot use the socket 'handover': {error}")))?;
    Ok(socket)
}
