//! The host's one loop: VMMs that connect, send and end, and the clients of their VMs.
//!
//! In: descriptors that are ready. Out: served VMs. Everything that the loop does is short:
//! the kernel's statistics and sealed memory never block a read, and clients are served
//! without waiting for them.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{self, Sender};
use std::time::{Duration, Instant};

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};
use stats_handover::receive;
use stats_runtime::server::{Options, Polled};

use super::folder::Folder;
use super::inspector::{Inspected, Inspectors};
use super::machine::Machine;
use super::parcel;
use super::peer::{Adopters, Effect, Peer};
use super::refusals::Refusals;
use super::store::{self, Stored};
use super::users::Users;
use crate::failure::{Failure, warn};
use crate::listen::Admission;
use crate::printable::printable;
use crate::readable::is_readable;
use crate::threads::spawn;

/// How long a VMM may take from its connection to a complete hand-over.
const HANDOVER_TIME_MAX: Duration = Duration::from_secs(10);

/// The interval at which late VMMs, paused peers and a full listener are checked again.
const TICK: Duration = Duration::from_millis(50);

/// The least time between two states of one VM that are stored: a VMM may change its VM many
/// times a second, and the service manager has others to serve. A change that is not stored
/// when the host is killed is lost until the VMM gives its files again.
const STORE_INTERVAL: Duration = Duration::from_secs(1);

/// The most ready descriptors that one turn of the loop handles.
const EVENTS_MAX: usize = 64;

/// The most clients of one VM.
const CLIENTS_MAX: usize = 16;

/// The most bytes that the clients of one VM may have the host buffer: the default of the
/// library's servers. A reply about 1,024 vCPUs has up to 4 MiB.
const CLIENT_BYTES_MAX: usize = 16 << 20;

/// The rules by which VMMs and clients are admitted.
#[derive(Debug)]
pub(super) struct Rules {
    /// The users who may hand over files of other processes.
    pub(super) adopters: Adopters,
    /// The largest number of VMs.
    pub(super) vms_max: usize,
    /// The largest number of VMs of one user.
    pub(super) vms_per_user_max: usize,
    /// The largest number of files of one user's VMs.
    pub(super) files_per_user_max: usize,
    /// The rules for clients of the VMs' sockets.
    pub(super) clients: Admission,
}

/// The host.
#[derive(Debug)]
pub(super) struct EventLoop {
    epoll: OwnedFd,
    listener: OwnedFd,
    /// Readable when the host has to end.
    shutdown: UnixStream,
    folder: Folder,
    inspectors: Inspectors,
    rules: Rules,
    peers: HashMap<u64, Peer>,
    next: u64,
    /// The peers that have sent too much, and are read later.
    paused: HashSet<u64>,
    /// The VMs whose last change is not stored yet.
    unstored: BTreeSet<u64>,
    /// The time of the last [`look`](Self::look).
    looked: Instant,
    /// True while the listener is not watched, because the host has no descriptor for another
    /// VMM.
    is_full: bool,
    users: Users,
    refusals: Refusals,
    /// The thread that closes the files of VMs that have ended: the last file of a VM makes
    /// the kernel destroy the VM, which takes tens of milliseconds.
    closer: Sender<Machine>,
}

/// The owner of a descriptor in the epoll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Listener,
    Shutdown,
    Connection(u64),
    Process(u64),
    Server(u64),
}

impl Source {
    fn data(self) -> EventData {
        let (id, kind) = match self {
            Self::Listener => (0, 0),
            Self::Shutdown => (0, 1),
            Self::Connection(id) => (id, 2),
            Self::Process(id) => (id, 3),
            Self::Server(id) => (id, 4),
        };
        EventData::new_u64(id << 3 | kind)
    }

    fn of(data: EventData) -> Option<Self> {
        let number = data.u64();
        let id = number >> 3;
        match number & 7 {
            0 => Some(Self::Listener),
            1 => Some(Self::Shutdown),
            2 => Some(Self::Connection(id)),
            3 => Some(Self::Process(id)),
            4 => Some(Self::Server(id)),
            _ => None,
        }
    }
}

impl EventLoop {
    /// Makes a host without VMs.
    ///
    /// # Errors
    ///
    /// Returns an error if the kernel has no descriptor for it.
    pub(super) fn new(
        folder: Folder,
        listener: OwnedFd,
        shutdown: UnixStream,
        inspectors: Inspectors,
        rules: Rules,
    ) -> Result<Self, Failure> {
        let cannot = |error: Errno| Failure::other(format!("cannot wait for VMMs: {error}"));
        let (closer, ended) = mpsc::channel::<Machine>();
        spawn("closer", move || ended.into_iter().for_each(drop))?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(cannot)?;
        let host = Self {
            epoll,
            listener,
            shutdown,
            folder,
            inspectors,
            rules,
            peers: HashMap::new(),
            next: 1,
            paused: HashSet::new(),
            unstored: BTreeSet::new(),
            looked: Instant::now(),
            is_full: false,
            users: Users::default(),
            refusals: Refusals::new(Instant::now()),
            closer,
        };
        // Set SO_PASSCRED on the listener, because a packet may arrive before its
        // connection is accepted and would have no sender then.
        receive::prepare(host.listener.as_fd())
            .map_err(|error| Failure::other(format!("cannot wait for VMMs: {error}")))?;
        host.watch(host.listener.as_fd(), Source::Listener)
            .map_err(cannot)?;
        host.watch(host.shutdown.as_fd(), Source::Shutdown)
            .map_err(cannot)?;
        Ok(host)
    }

    /// Serves until the host has to end.
    ///
    /// # Errors
    ///
    /// Returns an error if no hand-over can be inspected any longer.
    pub(super) fn run(&mut self) -> Result<(), Failure> {
        let none = Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        };
        let mut events = [none; EVENTS_MAX];
        loop {
            let timeout = self.next_look();
            let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
            let count = match epoll::wait(&self.epoll, &mut events[..], timeout.as_ref()) {
                Ok(count) => count,
                Err(Errno::INTR) => 0,
                Err(error) => {
                    return Err(Failure::other(format!("cannot wait for VMMs: {error}")));
                }
            };
            for event in events.into_iter().take(count) {
                match Source::of(event.data) {
                    Some(Source::Shutdown) => {
                        for id in std::mem::take(&mut self.unstored) {
                            self.store(id);
                        }
                        return Ok(());
                    }
                    Some(Source::Listener) => self.accept(),
                    Some(Source::Connection(id)) => self.read(id)?,
                    Some(Source::Process(id)) => self.drop_peer(id, "its process has ended"),
                    Some(Source::Server(id)) => self.serve(id),
                    None => {}
                }
            }
            if self.looked.elapsed() >= TICK {
                self.look();
            }
        }
    }

    /// Returns the timeout of the next epoll wait, or `None` if nothing is due.
    fn next_look(&self) -> Option<Duration> {
        let waits = self.is_full
            || !self.paused.is_empty()
            || !self.unstored.is_empty()
            || self.peers.values().any(Peer::is_incomplete);
        waits.then_some(TICK)
    }

    /// Drops late VMMs, watches paused peers and the listener again where that is possible, and
    /// stores changed VMs.
    fn look(&mut self) {
        if self.is_full {
            self.is_full = self.watch(self.listener.as_fd(), Source::Listener).is_err();
        }
        let now = Instant::now();
        self.looked = now;
        for id in self.paused.clone() {
            let Some(peer) = self.peers.get_mut(&id) else {
                self.paused.remove(&id);
                continue;
            };
            if peer.allowance.is_left(now) && self.users.get(peer.uid, now).allowance.is_left(now) {
                self.paused.remove(&id);
                self.watch_connection(id);
            }
        }
        let is_late = |peer: &Peer| {
            peer.is_incomplete() && now.saturating_duration_since(peer.since) > HANDOVER_TIME_MAX
        };
        let is_due = |peer: &Peer| now.saturating_duration_since(peer.stored) > STORE_INTERVAL;
        let unstored = std::mem::take(&mut self.unstored);
        for id in unstored {
            match self.peers.get(&id) {
                Some(peer) if is_due(peer) => self.store(id),
                Some(_) => drop(self.unstored.insert(id)),
                None => {}
            }
        }
        let late = self.peers.iter().filter(|(_, peer)| is_late(peer));
        let late: Vec<u64> = late.map(|(id, _)| *id).collect();
        for id in late {
            self.refuse(id, "the hand-over was not complete after 10 seconds");
        }
    }

    fn watch(&self, fd: BorrowedFd<'_>, source: Source) -> rustix::io::Result<()> {
        epoll::add(&self.epoll, fd, source.data(), EventFlags::IN)
    }

    /// Stops watching a descriptor. The kernel would watch the file on if another process
    /// has it too.
    fn unwatch(&self, fd: BorrowedFd<'_>) {
        // Ignore the error: the descriptor of a paused peer is not in the epoll.
        let _ = epoll::delete(&self.epoll, fd);
    }

    fn watch_connection(&mut self, id: u64) {
        let Some(peer) = self.peers.get(&id) else {
            return;
        };
        if let Err(error) = self.watch(peer.connection.as_fd(), Source::Connection(id)) {
            self.refuse(id, &format!("it cannot be watched: {error}"));
        }
    }

    /// Accepts a VMM.
    fn accept(&mut self) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let connection = match accept_with(&self.listener, flags) {
            Ok(connection) => connection,
            Err(error @ (Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::NOBUFS)) => {
                let advice = "if descriptors are short, raise LimitNOFILE=";
                self.refusals.note("a VMM", &format!("{error}; {advice}"));
                // The listener stays readable, and would keep the loop busy.
                self.unwatch(self.listener.as_fd());
                self.is_full = true;
                return;
            }
            // The VMM has gone, or a signal came.
            Err(_) => return,
        };
        if let Err(reason) = self.add(connection) {
            self.refusals.note("a VMM", &reason);
        }
    }

    fn add(&mut self, connection: OwnedFd) -> Result<(), String> {
        let credentials =
            getsockopt(&connection, PeerCredentials).map_err(|error| error.to_string())?;
        let uid = credentials.uid();
        let now = Instant::now();
        self.users.get(uid, now).check()?;
        let vms_max = self.rules.vms_max;
        if self.peers.len() >= vms_max {
            return Err(format!("there are {vms_max} VMs already (--vms-max)"));
        }
        self.check_vms(uid, 1)?;
        receive::prepare(connection.as_fd()).map_err(|error| error.to_string())?;
        let template = &self.users.get(uid, now).template;
        let peer = Peer::new(connection, uid, template, now)?;
        let id = self.next;
        self.next += 1;
        self.peers.insert(id, peer);
        self.watch_connection(id);
        Ok(())
    }

    /// Reads a packet of a VMM.
    fn read(&mut self, id: u64) -> Result<(), Failure> {
        let Some(peer) = self.peers.get_mut(&id) else {
            return Ok(());
        };
        let now = Instant::now();
        let user = self.users.get(peer.uid, now);
        if let Err(reason) = user.check() {
            self.refuse(id, &reason);
            return Ok(());
        }
        let of_user = &mut user.allowance;
        if !of_user.is_left(now) || !peer.allowance.take(now) || !of_user.take(now) {
            self.pause(id);
            return Ok(());
        }
        let inspected = self
            .inspectors
            .inspect(peer.connection.as_fd())
            .map_err(|error| Failure::other(error.to_string()))?;
        match inspected {
            Inspected::Nothing => {}
            Inspected::End => self.drop_peer(id, "the VMM closed the connection"),
            Inspected::Refused(reason) => self.refuse(id, &reason),
            Inspected::Stuck { uid, reason } => {
                let uid = uid.unwrap_or(peer.uid);
                let ban = self.users.get(uid, now).refuse();
                self.refuse(id, &format!("{reason}; {ban}"));
            }
            Inspected::Packet(packet) => {
                let before = peer.process.is_some();
                match peer.take(packet, &self.rules.adopters) {
                    Ok(effect) => {
                        let taken = self.check_user(id);
                        let taken = taken.and_then(|()| self.watch_process(id, before));
                        let taken = taken.and_then(|()| match effect {
                            Effect::Complete => self.show(id),
                            Effect::Incomplete => Ok(()),
                        });
                        if let Err(reason) = taken {
                            self.refuse(id, &reason);
                        }
                    }
                    Err(reason) => self.refuse(id, &reason),
                }
            }
        }
        Ok(())
    }

    /// Stops reading packets of a VMM that has sent too much.
    fn pause(&mut self, id: u64) {
        if let Some(peer) = self.peers.get(&id) {
            self.unwatch(peer.connection.as_fd());
            self.paused.insert(id);
        }
    }

    /// Refuses a VM whose user has too many VMs or files, so that others can have some, too.
    fn check_user(&mut self, id: u64) -> Result<(), String> {
        // Check again, because `add` checked the user of the connecting process, and the
        // process that sends may have another user.
        let Some(uid) = self.peers.get(&id).map(|peer| peer.uid) else {
            return Ok(());
        };
        self.users.get(uid, Instant::now()).check()?;
        self.check_vms(uid, 0)?;
        let files: usize = self.of_user(uid).map(|peer| peer.machine.files()).sum();
        let most = self.rules.files_per_user_max;
        if files <= most {
            return Ok(());
        }
        Err(format!(
            "the VMs of one user may have {most} files, which is half of LimitNOFILE"
        ))
    }

    /// Refuses a VM if its user has too many together with `new` more.
    fn check_vms(&self, uid: u32, new: usize) -> Result<(), String> {
        let most = self.rules.vms_per_user_max;
        if self.of_user(uid).count() + new <= most {
            return Ok(());
        }
        Err(format!(
            "user {uid} has {most} VMs already (--vms-per-user-max)"
        ))
    }

    fn of_user(&self, uid: u32) -> impl Iterator<Item = &Peer> {
        self.peers.values().filter(move |peer| peer.uid == uid)
    }

    /// Watches the process of a VMM, unless it was watched before.
    fn watch_process(&self, id: u64, is_watched: bool) -> Result<(), String> {
        let process = self.peers.get(&id).and_then(Peer::process);
        let Some(process) = process.filter(|_| !is_watched) else {
            return Ok(());
        };
        let watched = self.watch(process, Source::Process(id));
        watched.map_err(|error| format!("its process cannot be watched: {error}"))
    }

    /// Binds the socket of a VM that has become complete, or stores the changed state of
    /// a VM that has a socket.
    fn show(&mut self, id: u64) -> Result<(), String> {
        let Some(peer) = self.peers.get(&id) else {
            return Ok(());
        };
        if peer.socket.is_some() {
            self.unstored.insert(id);
            return Ok(());
        }
        let name = self
            .folder
            .reserve(peer.machine.name().as_deref(), peer.pid, id);
        let peer = self.peers.get_mut(&id).ok_or("it is gone")?;
        peer.socket = Some(name);
        let files = peer.machine.files();
        let name = peer.socket.as_deref().unwrap_or_default();
        tracing::info!("{name}: {files} files of user {}", peer.uid);
        if store::is_there() {
            store::put_connection(id, &peer.connection);
        }
        // Store before binding: a client that has seen the VM must find it again after the
        // host was killed.
        self.store(id);
        self.bind(id)
    }

    /// Binds the socket of a VM.
    fn bind(&mut self, id: u64) -> Result<(), String> {
        let Some(peer) = self.peers.get_mut(&id) else {
            return Ok(());
        };
        let name = peer.socket.as_deref().unwrap_or_default();
        let path = self.folder.socket(name);
        let options = Options::new()
            .connections_max(CLIENTS_MAX)
            .held_bytes_max(CLIENT_BYTES_MAX);
        let monitor = peer.machine.monitor();
        let server = { &self.rules.clients }
            .unix(&path)
            .and_then(|listener| Polled::new(monitor, [listener], options))
            .map_err(|error| format!("cannot listen on {}: {error}", path.display()))?;
        let data = Source::Server(id).data();
        epoll::add(&self.epoll, &server, data, EventFlags::IN)
            .map_err(|error| format!("its socket cannot be watched: {error}"))?;
        peer.server = Some(server);
        Ok(())
    }

    /// Stores the state of a VM, which replaces the VM's earlier state in the store.
    fn store(&mut self, id: u64) {
        let Some(peer) = self.peers.get_mut(&id).filter(|_| store::is_there()) else {
            return;
        };
        peer.stored = Instant::now();
        match peer.pack(id, peer.generation + 1) {
            Ok(parcels) => {
                peer.generation += 1;
                store::put_parcels(id, peer.generation, &parcels);
            }
            Err(error) => {
                let name = peer.socket.as_deref().unwrap_or("a VM");
                let reason = format!("a restart of vmstats host would lose it: {error}");
                self.refusals.note(&format!("to store {name}"), &reason);
            }
        }
    }

    /// Lets the server of a VM work for its clients.
    fn serve(&mut self, id: u64) {
        let server = { self.peers.get_mut(&id) }.and_then(|peer| peer.server.as_mut());
        let Some(server) = server else {
            return;
        };
        if let Err(error) = server.turn() {
            self.drop_peer(id, &format!("its socket cannot be served: {error}"));
        }
    }

    /// Drops a VMM that did something wrong.
    fn refuse(&mut self, id: u64, reason: &str) {
        if let Some(peer) = self.peers.get(&id) {
            let who = match peer.pid {
                Some(pid) => format!("the hand-over of process {pid} of user {}", peer.uid),
                None => format!("the hand-over of user {}", peer.uid),
            };
            self.refusals.note(&who, reason);
        }
        self.drop_peer(id, reason);
    }

    /// Drops a VMM with its VM.
    fn drop_peer(&mut self, id: u64, reason: &str) {
        let Some(mut peer) = self.peers.remove(&id) else {
            return;
        };
        self.paused.remove(&id);
        self.unwatch(peer.connection.as_fd());
        if let Some(process) = peer.process() {
            self.unwatch(process);
        }
        if let Some(server) = peer.server.take() {
            self.unwatch(server.as_fd());
        }
        if let Some(name) = &peer.socket {
            self.folder.release(name);
            tracing::info!("{name}: dropped: {}", printable(reason));
            if store::is_there() {
                store::forget(id, peer.generation);
            }
        }
        // Sending fails only if the thread has panicked; this thread closes the files then.
        let _ = self.closer.send(peer.machine);
    }

    /// Takes back the VMs that an earlier host process stored.
    pub(super) fn restore(&mut self, mut stored: Stored) {
        for (id, (connection, parcels)) in std::mem::take(&mut stored.vms) {
            self.next = self.next.max(id + 1);
            if let Err(reason) = self.restore_one(id, connection, &parcels) {
                warn(&format!("VM {id} of an earlier process is gone: {reason}"));
            }
        }
        let vms = self.peers.iter();
        stored.keep(vms.map(|(id, peer)| (*id, peer.generation)));
    }

    fn restore_one(
        &mut self,
        id: u64,
        connection: Option<OwnedFd>,
        parcels: &[OwnedFd],
    ) -> Result<(), String> {
        let connection = connection.ok_or("its connection was not stored")?;
        let parts = parcels
            .iter()
            .filter_map(|parcel| parcel::unpack(parcel.as_fd()));
        let parts = parcel::last_generation(parts).ok_or("a part of it was not stored")?;
        let uid = parts.first().map_or(u32::MAX, |part| part.head.uid);
        let now = Instant::now();
        let template = &self.users.get(uid, now).template;
        let peer = Peer::restore(connection, uid, parts, template, now)?;
        if peer.process().is_some_and(is_readable) {
            return Err("its process has ended".to_owned());
        }
        if !peer
            .socket
            .as_deref()
            .is_some_and(|name| self.folder.reserve_again(name))
        {
            return Err("the name of its socket was not stored, or is in use".to_owned());
        }
        self.peers.insert(id, peer);
        let watched = self.watch_process(id, false).and_then(|()| self.bind(id));
        if let Err(reason) = watched {
            self.drop_peer(id, &reason);
            return Err(reason);
        }
        self.watch_connection(id);
        Ok(())
    }
}
