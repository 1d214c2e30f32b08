//! The child process of an inspector.
//!
//! In: connections, one after the other. Out: a report for each, and the packet if the
//! host may have it. The process ends with the host, or when a file cannot be closed.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use kvm_stats::identify;
use stats_handover::receive::{Packet, ReceiveError};

use super::report::{Claim, Report};
use crate::failure::Failure;
use crate::host::queue::send;
use crate::host::sandbox;
use crate::printable::printable;
use crate::readable::wait_readable;

/// How long a file may take to be closed.
const CLOSE_TIME_MAX: Duration = Duration::from_millis(300);

/// Runs an inspector, which serves the host on its standard input.
///
/// # Errors
///
/// Returns an error if the standard input is not the host's socket, or if the process
/// cannot be confined.
pub(in crate::host) fn run() -> Result<(), Failure> {
    let socket = io::stdin()
        .as_fd()
        .try_clone_to_owned()
        .map_err(|error| Failure::other(format!("cannot take the host's socket: {error}")))?;
    sandbox::confine_inspector()?;
    while let Some(connection) = next(socket.as_fd()) {
        let (report, mut packet) = inspect(connection.as_fd());
        let process = packet.as_mut().and_then(|packet| packet.process.take());
        let process = Vec::from_iter(process);
        // Sending fails only if the host has ended; the loop ends then.
        let sent = send(
            socket.as_fd(),
            report.to_string().as_bytes(),
            &borrowed(&process),
        );
        let sent = sent.and_then(|()| match &packet {
            // The kernel limits the files in the queues of one user's sockets. Without its files
            // the host refuses the packet, because it counts them.
            Some(packet) => send(socket.as_fd(), &packet.text, &borrowed(&packet.files))
                .or_else(|_| send(socket.as_fd(), b"lost", &[])),
            None => Ok(()),
        });
        if sent.is_err() || matches!(report, Report::Stuck { .. }) {
            break;
        }
    }
    Ok(())
}

/// Waits for the next connection; `None` if the host is gone.
fn next(socket: BorrowedFd<'_>) -> Option<OwnedFd> {
    loop {
        wait_readable(socket, None).ok()?;
        match Packet::receive(socket) {
            Ok(Some(packet)) => return packet.files.into_iter().next(),
            Err(ReceiveError::WouldBlock) => {}
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Takes the next packet from a connection, and identifies its files.
fn inspect(connection: BorrowedFd<'_>) -> (Report, Option<Packet>) {
    let packet = match Packet::receive(connection) {
        Ok(Some(packet)) => packet,
        Ok(None) => return (Report::End, None),
        Err(ReceiveError::WouldBlock) => return (Report::Nothing, None),
        Err(error) => return (Report::Refused(error.to_string()), None),
    };
    let Some(sender) = packet.sender else {
        let reason = "the kernel does not name its sender".to_owned();
        return (dispose(None, reason, packet.files), None);
    };
    match claims(&packet.files) {
        Ok(claims) => {
            let pid = sender.pid.and_then(|pid| u32::try_from(pid).ok());
            let report = Report::Packet {
                pid: pid.unwrap_or_default(),
                uid: sender.uid,
                claims,
            };
            (report, Some(packet))
        }
        Err(reason) => (dispose(Some(sender.uid), reason, packet.files), None),
    }
}

/// Returns the kinds of files, or the reason why one of them is refused.
fn claims(files: &[OwnedFd]) -> Result<Vec<Claim>, String> {
    let claim = |(number, file): (usize, &OwnedFd)| {
        let kind = identify(file).map_err(|error| error.to_string())?;
        if let Some(claim) = Claim::of(kind) {
            return Ok(claim);
        }
        // Reading the link asks the kernel, and not the file system of the file.
        let link = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .map_err(|error| error.to_string())?;
        let link = link.to_string_lossy();
        Claim::of_link(&link).ok_or_else(|| {
            format!(
                "file {number} is {}: only KVM's statistics, memory with a sealed length and \
                 processes are taken",
                printable(&link)
            )
        })
    };
    files.iter().enumerate().map(claim).collect()
}

/// Closes the files of a refused packet, in a thread that may hang. The report says whether
/// they could be closed.
fn dispose(uid: Option<u32>, reason: String, files: Vec<OwnedFd>) -> Report {
    if files.is_empty() {
        return Report::Refused(reason);
    }
    let (closed, wait) = sync_channel(1);
    let closer = thread::Builder::new().spawn(move || {
        drop(files);
        let _ = closed.send(());
    });
    match closer.map(|_| wait.recv_timeout(CLOSE_TIME_MAX)) {
        Ok(Err(RecvTimeoutError::Timeout)) => Report::Stuck { uid, reason },
        _ => Report::Refused(reason),
    }
}

fn borrowed(files: &[OwnedFd]) -> Vec<BorrowedFd<'_>> {
    files.iter().map(AsFd::as_fd).collect()
}
