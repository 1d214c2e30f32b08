//! The service manager's store of file descriptors.
//!
//! In: descriptors with names. Out: the same descriptors after a restart of the host:
//! systemd keeps them (`FDSTORE=1` of sd_notify(3)). Without a service manager nothing is
//! stored.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use listenfd::ListenFd;
use rustix::net::{AddressFamily, SocketType};
use sd_notify::NotifyState;

use crate::failure::{Failure, warn};

/// Takes the descriptors that the service manager passed, with their names. Call this once,
/// before the program has threads.
///
/// # Errors
///
/// Returns an error if the environment of the service manager is not as
/// sd_listen_fds(3) describes.
pub(super) fn take() -> Result<Vec<(String, OwnedFd)>, Failure> {
    let cannot = |error: io::Error| {
        Failure::other(format!(
            "cannot take the descriptors of the service manager (LISTEN_FDS): {error}"
        ))
    };
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let mut names = names.split(':').map(str::to_owned);
    let mut sockets = ListenFd::from_env();
    // Everything that the host stores, and the socket for hand-overs, is of this kind.
    let family = AddressFamily::UNIX.as_raw().into();
    let kind = i32::try_from(SocketType::SEQPACKET.as_raw()).unwrap_or_default();
    let mut passed = Vec::new();
    for index in 0..sockets.len() {
        let name = names.next().unwrap_or_default();
        let hint = "socket of packets (ListenSequentialPacket=)";
        let socket = sockets.take_custom(index, family, kind, hint);
        passed.extend(socket.map_err(cannot)?.map(|socket| (name, socket)));
    }
    Ok(passed)
}

/// The connections and parcels of an earlier host process.
#[derive(Debug, Default)]
pub(super) struct Stored {
    /// The VMs, each with its connection, and with the parcels that are there.
    pub(super) vms: BTreeMap<u64, (Option<OwnedFd>, Vec<OwnedFd>)>,
    names: BTreeSet<String>,
}

impl Stored {
    /// Sorts descriptors by the VMs that they belong to.
    pub(super) fn new(passed: Vec<(String, OwnedFd)>) -> Self {
        let mut stored = Self::default();
        for (name, fd) in passed {
            let of_connection = name.strip_prefix('c').and_then(|id| id.parse::<u64>().ok());
            let of_parcel = name.strip_prefix('v').and_then(|rest| rest.split_once('-'));
            let of_parcel = of_parcel.and_then(|(id, _)| id.parse::<u64>().ok());
            if let Some(id) = of_connection {
                stored.vms.entry(id).or_default().0 = Some(fd);
            } else if let Some(id) = of_parcel {
                stored.vms.entry(id).or_default().1.push(fd);
            }
            stored.names.insert(name);
        }
        stored
    }

    /// Removes every stored descriptor except the connection and the current parcels of
    /// each VM in `vms`, a pair of VM number and generation.
    pub(super) fn keep(&self, vms: impl Iterator<Item = (u64, u64)>) {
        let names = vms.map(|(id, generation)| [connection_name(id), parcel_name(id, generation)]);
        let names: BTreeSet<String> = names.flatten().collect();
        for name in self.names.difference(&names) {
            remove(name);
        }
    }
}

/// Returns whether a service manager started the host.
pub(super) fn is_there() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Stores a connection.
pub(super) fn put_connection(id: u64, connection: &OwnedFd) {
    put(&connection_name(id), &[connection.as_fd()]);
}

/// Stores the parcels of a VM's state, and removes the parcels of the previous state.
pub(super) fn put_parcels(id: u64, generation: u64, parcels: &[OwnedFd]) {
    for parcel in parcels {
        put(&parcel_name(id, generation), &[parcel.as_fd()]);
    }
    if let Some(before) = generation.checked_sub(1) {
        remove(&parcel_name(id, before));
    }
}

/// Removes a VM from the store.
pub(super) fn forget(id: u64, generation: u64) {
    remove(&parcel_name(id, generation));
    remove(&connection_name(id));
}

/// Returns the name of a connection. Names are short, because those of all descriptors
/// together have to fit into a variable of the environment.
fn connection_name(id: u64) -> String {
    format!("c{id}")
}

/// Returns the name of a VM's parcels.
fn parcel_name(id: u64, generation: u64) -> String {
    format!("v{id}-{generation}")
}

fn put(name: &str, fds: &[BorrowedFd<'_>]) {
    // The service manager would remove a descriptor whose other end is closed.
    let states = [
        NotifyState::FdStore,
        NotifyState::FdName(name),
        NotifyState::Custom("FDPOLL=0"),
    ];
    told(sd_notify::notify_with_fds(&states, fds));
}

fn remove(name: &str) {
    told(sd_notify::notify(&[
        NotifyState::FdStoreRemove,
        NotifyState::FdName(name),
    ]));
}

/// Tells the service manager that VMMs can hand over from now on.
pub(super) fn ready() {
    told(sd_notify::notify(&[NotifyState::Ready]));
}

fn told(outcome: io::Result<()>) {
    if let Err(error) = outcome {
        warn(&format!(
            "cannot tell the service manager (NOTIFY_SOCKET): {error}; a restart may lose VMs"
        ));
    }
}
