//! A VMM that is connected, and its VM.
//!
//! In: packets that were inspected. Out: a VM whose socket is served, until the VMM closes
//! the connection or its process ends. This file knows no epoll.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::process::{Pid, PidfdFlags, pidfd_open};
use stats_handover::receive::Message;
use stats_runtime::kvm::KvmProvider;
use stats_runtime::server::Polled;

use super::allowance::Allowance;
use super::inspector::{Claim, Packet};
use super::machine::Machine;
use super::parcel::{Head, Part, pack};

/// The number of packets that a VMM may send in a burst: 5 for the state of 1,024 vCPUs,
/// and one for each vCPU that is plugged later.
const PACKETS_MAX: u32 = 1024;

/// The time after which one more packet is read. A VMM that sends faster is read later, and
/// loses nothing.
const PACKET_INTERVAL: Duration = Duration::from_millis(20);

/// A connection to a VMM, or to somebody who adopted its files.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) connection: OwnedFd,
    /// The time at which the VMM connected.
    pub(super) since: Instant,
    pub(super) allowance: Allowance,
    /// The user of the VMM, by the kernel's word.
    pub(super) uid: u32,
    /// The VMM's process; `None` if it is not visible from here.
    pub(super) process: Option<OwnedFd>,
    pub(super) pid: Option<u32>,
    pub(super) machine: Machine,
    /// The name of the VM's socket without its ending; `None` until the hand-over is
    /// complete.
    pub(super) socket: Option<String>,
    /// The server of the VM's socket.
    pub(super) server: Option<Polled>,
    /// True once a packet has come.
    is_known: bool,
    /// The time at which the VM was stored last.
    pub(super) stored: Instant,
    /// The generation of the VM's state in the service manager's store: 0 if no state is
    /// stored, and one more with each state.
    pub(super) generation: u64,
}

/// The effect of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// More packets must come before the VM can be shown.
    Incomplete,
    /// The VM can be shown, or has changed.
    Complete,
}

/// The users who may name a process that is not theirs.
#[derive(Clone, Debug)]
pub(super) struct Adopters(pub(super) Vec<u32>);

impl Peer {
    /// Makes a peer that has sent nothing. `uid` is the user who connected.
    ///
    /// # Errors
    ///
    /// Returns an error if the VM cannot be made.
    pub(super) fn new(
        connection: OwnedFd,
        uid: u32,
        template: &KvmProvider,
        now: Instant,
    ) -> Result<Self, String> {
        Ok(Self {
            connection,
            since: now,
            allowance: Allowance::new(PACKETS_MAX, PACKET_INTERVAL, now),
            uid,
            process: None,
            pid: None,
            machine: Machine::new(template)?,
            socket: None,
            server: None,
            is_known: false,
            stored: now,
            generation: 0,
        })
    }

    /// Makes a peer from what an earlier host process knew.
    ///
    /// # Errors
    ///
    /// Returns an error if a statement fails that the earlier process could apply.
    pub(super) fn restore(
        connection: OwnedFd,
        uid: u32,
        parts: Vec<Part>,
        template: &KvmProvider,
        now: Instant,
    ) -> Result<Self, String> {
        let mut peer = Self::new(connection, uid, template, now)?;
        for part in parts {
            peer.generation = part.head.generation;
            peer.pid = part.head.pid;
            peer.socket = Some(part.head.socket);
            peer.apply(part.text.as_bytes(), part.files)?;
        }
        peer.process = peer.machine.take_process();
        peer.is_known = true;
        Ok(peer)
    }

    /// Applies a packet.
    ///
    /// # Errors
    ///
    /// Returns the reason why the packet is refused. The caller closes the connection.
    pub(super) fn take(&mut self, packet: Packet, adopters: &Adopters) -> Result<Effect, String> {
        let is_first = !self.is_known;
        if is_first {
            // A launcher may have connected for the VMM, so the sender counts.
            self.uid = packet.uid;
            self.pid = packet.pid;
            self.process = match (packet.process, packet.pid) {
                (Some(process), _) => Some(process),
                (None, Some(pid)) => Some(process(pid)?),
                (None, None) => None,
            };
            self.is_known = true;
        }
        if packet.uid != self.uid {
            return Err(format!(
                "user {} sent it, but user {} sent the first packet",
                packet.uid, self.uid
            ));
        }
        let effect = self.apply(&packet.text, packet.files)?;
        if is_first && self.machine.name().is_none() {
            return Err("the first packet has no name".to_owned());
        }
        if let Some(process) = self.machine.take_process() {
            if !is_first {
                return Err("the process was given already".to_owned());
            }
            if !adopters.0.contains(&self.uid) {
                return Err(format!(
                    "user {} may not hand over the files of another process (--adopter)",
                    self.uid
                ));
            }
            self.process = Some(process);
        }
        Ok(effect)
    }

    fn apply(&mut self, text: &[u8], files: Vec<(Claim, OwnedFd)>) -> Result<Effect, String> {
        let message = Message::parse(text, files.len()).map_err(|error| error.to_string())?;
        self.machine.apply(&message.statements, files)?;
        Ok(if message.is_complete {
            Effect::Complete
        } else {
            Effect::Incomplete
        })
    }

    /// Returns the descriptor that reports the end of the VMM's process.
    pub(super) fn process(&self) -> Option<BorrowedFd<'_>> {
        self.process.as_ref().map(AsFd::as_fd)
    }

    /// Returns whether the hand-over is still incomplete, so that its time is limited.
    pub(super) fn is_incomplete(&self) -> bool {
        self.socket.is_none()
    }

    /// Packs the state of the VM, as this generation, for another host process.
    ///
    /// # Errors
    ///
    /// Returns an error if the kernel has no room.
    pub(super) fn pack(&self, id: u64, generation: u64) -> Result<Vec<OwnedFd>, String> {
        let head = Head {
            id,
            generation,
            uid: self.uid,
            pid: self.pid,
            socket: self.socket.clone().unwrap_or_default(),
        };
        self.machine.with_statements(self.process(), |statements| {
            pack(&head, statements).map_err(|error| error.to_string())
        })?
    }
}

/// Opens a pidfd of a process, which becomes readable when the process ends.
fn process(pid: u32) -> Result<OwnedFd, String> {
    let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
    let opened = number
        .ok_or(io::ErrorKind::InvalidInput.into())
        .and_then(|number| pidfd_open(number, PidfdFlags::NONBLOCK).map_err(io::Error::from));
    opened.map_err(|error| format!("process {pid} of the VMM cannot be watched: {error}"))
}
