//! The host's side of its inspectors.
//!
//! In: a connection that is readable. Out: its next packet. Inspectors are started before
//! the host confines itself, so there is a fixed number of them.

use std::fmt;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::net::SocketFlags;
use stats_handover::receive::{Packet as Received, ReceiveError};

use super::report::{Claim, Report};
use crate::failure::Failure;
use crate::host::queue::{pair, send};
use crate::readable::wait_readable;

/// The number of inspectors. One works; the others replace one that is stuck.
const INSPECTORS: usize = 4;

/// How long an inspector may take for a packet.
const INSPECTION_TIME_MAX: Duration = Duration::from_secs(2);

/// The inspectors that are not stuck.
#[derive(Debug)]
pub(in crate::host) struct Inspectors(Vec<Inspector>);

#[derive(Debug)]
struct Inspector {
    socket: OwnedFd,
    child: Child,
}

/// The next packet of a connection.
#[derive(Debug)]
pub(in crate::host) enum Inspected {
    /// No packet has come.
    Nothing,
    /// The VMM has closed the connection.
    End,
    /// The packet was refused, for this reason.
    Refused(String),
    /// The packet was refused, and cost an inspector.
    Stuck {
        /// The sender's user; `None` if it is not known.
        uid: Option<u32>,
        /// The reason.
        reason: String,
    },
    /// A packet.
    Packet(Packet),
}

/// A packet whose files are harmless.
#[derive(Debug)]
pub(in crate::host) struct Packet {
    /// The sender's process; `None` if it is not visible from here.
    pub(in crate::host) pid: Option<u32>,
    /// A descriptor of the sender's process; `None` if the kernel gave none.
    pub(in crate::host) process: Option<OwnedFd>,
    /// The sender's user.
    pub(in crate::host) uid: u32,
    /// The statements.
    pub(in crate::host) text: Vec<u8>,
    /// The files with their kinds.
    pub(in crate::host) files: Vec<(Claim, OwnedFd)>,
}

/// The reason why an inspector did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoAnswer {
    /// The process had ended before: the packet is still in the connection.
    HadEnded,
    /// The process ended meanwhile: the packet may be lost.
    Ended,
    /// The process is there.
    Silent,
    /// The host has no descriptors for the files of the packet.
    NoRoom,
}

/// The error that no inspector is left.
#[derive(Clone, Copy, Debug)]
pub(in crate::host) struct NoInspector;

impl fmt::Display for NoInspector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "every inspector was ended, or hangs on a file that a VMM sent, so no hand-over can \
             be read: the earlier lines name the senders; restart vmstats host, which loses no VM \
             under systemd",
        )
    }
}

impl Inspectors {
    /// Starts the inspectors, which are processes of this program.
    ///
    /// # Errors
    ///
    /// Returns an error if a process cannot be started.
    pub(in crate::host) fn start() -> Result<Self, Failure> {
        let inspectors = (0..INSPECTORS).map(|_| Inspector::start());
        inspectors.collect::<Result<_, _>>().map(Self)
    }

    /// Takes the next packet from a connection.
    ///
    /// # Errors
    ///
    /// Returns an error if no inspector is left.
    pub(in crate::host) fn inspect(
        &mut self,
        connection: BorrowedFd<'_>,
    ) -> Result<Inspected, NoInspector> {
        loop {
            let inspector = self.0.last().ok_or(NoInspector)?;
            let inspected = match inspector.inspect(connection) {
                Ok(inspected) => inspected,
                Err(NoAnswer::Silent) => Inspected::Stuck {
                    uid: None,
                    reason: "the process that looked at it did not answer".to_owned(),
                },
                Err(NoAnswer::NoRoom) => {
                    let reason = "the host has no descriptors left for its files (LimitNOFILE)";
                    Inspected::Refused(reason.to_owned())
                }
                Err(NoAnswer::Ended) => {
                    self.0.pop();
                    let reason = "the process that looked at it was ended by somebody else";
                    return Ok(Inspected::Refused(reason.to_owned()));
                }
                Err(NoAnswer::HadEnded) => {
                    self.0.pop();
                    continue;
                }
            };
            if matches!(inspected, Inspected::Stuck { .. }) {
                // Do not wait for the child: a stuck one may never end.
                self.0.pop();
            }
            return Ok(inspected);
        }
    }
}

impl Drop for Inspectors {
    fn drop(&mut self) {
        for Inspector { socket, mut child } in self.0.drain(..) {
            drop(socket);
            // An inspector that is not stuck ends at once. The host ends in any case.
            let _ = child.wait();
        }
    }
}

impl Inspector {
    fn start() -> Result<Self, Failure> {
        let cannot = |error: std::io::Error| {
            Failure::other(format!(
                "cannot start a process that looks at hand-overs: {error}"
            ))
        };
        let (socket, of_child) = pair(SocketFlags::empty()).map_err(cannot)?;
        let child = Command::new("/proc/self/exe")
            .args(["host", "--inspector"])
            .env_clear()
            .stdin(Stdio::from(of_child))
            .stdout(Stdio::null())
            .spawn()
            .map_err(cannot)?;
        Ok(Self { socket, child })
    }

    /// Returns the next packet of a connection.
    fn inspect(&self, connection: BorrowedFd<'_>) -> Result<Inspected, NoAnswer> {
        let until = Instant::now() + INSPECTION_TIME_MAX;
        send(self.socket.as_fd(), b"inspect", &[connection]).map_err(|_| NoAnswer::HadEnded)?;
        let first = self.receive(until)?;
        let line = std::str::from_utf8(&first.text).unwrap_or_default();
        let report = Report::parse(line).ok_or(NoAnswer::Ended)?;
        Ok(match report {
            Report::Nothing => Inspected::Nothing,
            Report::End => Inspected::End,
            Report::Refused(reason) => Inspected::Refused(reason),
            Report::Stuck { uid, reason } => Inspected::Stuck { uid, reason },
            Report::Packet { pid, uid, claims } => {
                let Received { text, files, .. } = self.receive(until)?;
                if files.len() != claims.len() {
                    return Err(NoAnswer::NoRoom);
                }
                Inspected::Packet(Packet {
                    pid: Some(pid).filter(|pid| *pid != 0),
                    process: first.files.into_iter().next(),
                    uid,
                    text,
                    files: claims.into_iter().zip(files).collect(),
                })
            }
        })
    }

    /// Waits for a packet of the process.
    fn receive(&self, until: Instant) -> Result<Received, NoAnswer> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if wait_readable(self.socket.as_fd(), Some(left)) == Ok(false) {
                return Err(NoAnswer::Silent);
            }
            match Received::receive(self.socket.as_fd()) {
                Ok(packet) => return packet.ok_or(NoAnswer::Ended),
                Err(ReceiveError::WouldBlock) => {}
                Err(ReceiveError::FilesLost) => return Err(NoAnswer::NoRoom),
                // The process has ended with a request unread, or says nonsense.
                Err(_) => return Err(NoAnswer::Ended),
            }
        }
    }
}
