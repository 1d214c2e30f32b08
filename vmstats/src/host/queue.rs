//! Packets with files between processes of the host.
//!
//! In: text and files. Out: a packet in the queue of a socket. This file knows no statement.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::cmsg_space;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair,
};
use stats_handover::PACKET_FILES_MAX;

/// Makes two connected sockets of packets.
pub(super) fn pair(flags: SocketFlags) -> io::Result<(OwnedFd, OwnedFd)> {
    let flags = flags | SocketFlags::CLOEXEC;
    let pair = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    Ok(pair)
}

/// Sends a packet.
pub(super) fn send(
    socket: BorrowedFd<'_>,
    text: &[u8],
    files: &[BorrowedFd<'_>],
) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(PACKET_FILES_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() && !control.push(SendAncillaryMessage::ScmRights(files)) {
        return Err(Errno::MSGSIZE.into());
    }
    let text = [IoSlice::new(text)];
    retry_on_intr(|| sendmsg(socket, &text, &mut control, SendFlags::NOSIGNAL))?;
    Ok(())
}
