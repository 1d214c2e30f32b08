//! Parcels: the state and the files of a VM, packed into descriptors that another
//! process can keep.
//!
//! In: a VM's state. Out: descriptors from which another host process reads the state. A
//! parcel is a socket in whose queue one packet waits. A host peeks at the packet and
//! never receives it, so that a host that is killed at any time loses nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::SocketFlags;
use stats_handover::receive::Packet;
use stats_handover::{PACKET_FILES_MAX, PACKET_SIZE_MAX, VERSION};

use super::inspector::Claim;
use super::queue::{pair, send};

/// The first word of a parcel.
const MAGIC: &str = "vmstats-parcel/1";

/// The room for the head of a parcel.
const HEAD_BYTES_MAX: usize = 256;

/// The head of a parcel.
#[derive(Clone, Debug)]
pub(super) struct Head {
    /// The VM's number.
    pub(super) id: u64,
    /// The generation of the state; a higher one is newer.
    pub(super) generation: u64,
    /// The user of the VMM.
    pub(super) uid: u32,
    /// The process of the VMM; `None` if it is not visible.
    pub(super) pid: Option<u32>,
    /// The name of the VM's socket.
    pub(super) socket: String,
}

/// A part of a VM's state.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) head: Head,
    /// The number of this part, from 0.
    number: usize,
    /// The number of parts.
    parts: usize,
    /// The statements of this part, as the text of a packet.
    pub(super) text: String,
    /// The files of the statements, which were inspected when they came to the process that
    /// made the parcel.
    pub(super) files: Vec<(Claim, OwnedFd)>,
}

/// Makes the parcels of a VM, from the statements of a hand-over, each with its file if it has
/// one.
///
/// # Errors
///
/// Returns the kernel's error if a socket cannot be made, or refuses the packet.
pub(super) fn pack(
    head: &Head,
    statements: &[(String, Option<BorrowedFd<'_>>)],
) -> io::Result<Vec<OwnedFd>> {
    let mut parts: Vec<(String, Vec<BorrowedFd<'_>>)> = vec![(String::new(), Vec::new())];
    for (statement, file) in statements {
        if let Some((text, files)) = parts.last() {
            let is_full = files.len() == PACKET_FILES_MAX
                || text.len() + statement.len() + 1 > PACKET_SIZE_MAX - HEAD_BYTES_MAX;
            if is_full {
                parts.push((String::new(), Vec::new()));
            }
        }
        if let Some((text, files)) = parts.last_mut() {
            text.push_str(statement);
            text.push('\n');
            files.extend(*file);
        }
    }
    let Head {
        id,
        generation,
        uid,
        pid,
        socket,
    } = head;
    let pid = pid.unwrap_or_default();
    let count = parts.len();
    let pack = |(number, (text, files)): (usize, (String, Vec<BorrowedFd<'_>>))| {
        let mut packet = String::new();
        // Writing to a String does not fail.
        let _ = writeln!(
            packet,
            "{MAGIC} {id} {generation} {number} {count} {uid} {pid} {socket}"
        );
        packet.push_str(&text);
        let (reader, writer) = pair(SocketFlags::NONBLOCK)?;
        send(writer.as_fd(), packet.as_bytes(), &files)?;
        Ok(reader)
    };
    parts.into_iter().enumerate().map(pack).collect()
}

/// Reads a parcel without changing it. Returns `None` if the descriptor is not a parcel.
pub(super) fn unpack(parcel: BorrowedFd<'_>) -> Option<Part> {
    let packet = Packet::peek(parcel).ok()??;
    let text = String::from_utf8(packet.text).ok()?;
    let (head, statements) = text.split_once('\n')?;
    let mut head = head.split(' ');
    if head.next()? != MAGIC {
        return None;
    }
    let mut number = || head.next()?.parse::<u64>().ok();
    let (id, generation) = (number()?, number()?);
    let (part, parts) = (number()?, number()?);
    let uid = u32::try_from(number()?).ok()?;
    let pid = u32::try_from(number()?).ok().filter(|pid| *pid != 0);
    let socket = head.next()?.to_owned();
    let claims = statements.lines().filter_map(claim);
    Some(Part {
        head: Head {
            id,
            generation,
            uid,
            pid,
            socket,
        },
        number: usize::try_from(part).ok()?,
        parts: usize::try_from(parts).ok()?,
        text: format!("{VERSION}\n{statements}"),
        files: claims.zip(packet.files).collect(),
    })
}

/// Returns all parts of the newest state that is complete, in their order. Returns
/// `None` if no state is complete.
pub(super) fn last_generation(parts: impl Iterator<Item = Part>) -> Option<Vec<Part>> {
    let mut generations: BTreeMap<u64, Vec<Part>> = BTreeMap::new();
    for part in parts {
        generations
            .entry(part.head.generation)
            .or_default()
            .push(part);
    }
    let mut generations = generations.into_values().rev();
    let mut last = generations.find(|parts| {
        let numbers: BTreeSet<usize> = parts.iter().map(|part| part.number).collect();
        parts
            .first()
            .is_some_and(|first| numbers.len() == first.parts)
    })?;
    last.sort_by_key(|part| part.number);
    last.dedup_by_key(|part| part.number);
    Some(last)
}

/// Returns the kind of the file of a statement; `None` if the statement has no file.
fn claim(statement: &str) -> Option<Claim> {
    match statement.split(' ').next() {
        Some("vm") => Some(Claim::Vm),
        Some("vcpu") => Some(Claim::Vcpu),
        Some("object") => Some(Claim::Sealed),
        Some("process") => Some(Claim::Process),
        _ => None,
    }
}
