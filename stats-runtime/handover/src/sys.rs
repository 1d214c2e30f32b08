//! Receiving files and the sender's identity.
//!
//! In: a socket. Out: what the kernel put beside the bytes. This file has all `unsafe`
//! code of the crate, and knows no text.
#![allow(
    unsafe_code,
    reason = "rustix's type of a sender has no value for a process of another PID namespace, \
              whose ID is 0, so that its parser must not see one; and rustix does not know \
              SO_PASSPIDFD"
)]

use std::io::IoSliceMut;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::slice;

use rustix::io::retry_on_intr;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, recvmsg};

use crate::grammar::PACKET_FILES_MAX;

/// The process that sent a packet, by the kernel's word (`SCM_CREDENTIALS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sender {
    /// The process ID, or `None` if this process does not see the sender's PID namespace,
    /// or the packet was sent before the socket was [prepared](crate::receive::prepare).
    pub pid: Option<i32>,
    /// The user ID. It is that of `nobody` (`fs.overflowuid`) if this process's user
    /// namespace does not have the sender's, or the socket was not prepared.
    pub uid: u32,
    /// The group ID, with the same exception.
    pub gid: u32,
}

/// The room for what comes beside the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Room {
    /// The sender only: the kernel then takes no file out of a packet that is peeked at.
    Sender,
    /// The sender and all files of a packet.
    SenderAndFiles,
}

/// The result of one recvmsg(2).
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: usize,
    pub(crate) flags: ReturnFlags,
    pub(crate) files: Vec<OwnedFd>,
    pub(crate) sender: Option<Sender>,
    pub(crate) process: Option<OwnedFd>,
}

// include/uapi/asm-generic/socket.h; MIPS, PA-RISC and SPARC have other numbers.
const SOL_SOCKET: i32 = if cfg!(any(
    target_arch = "mips",
    target_arch = "mips64",
    target_arch = "mips32r6",
    target_arch = "mips64r6",
    target_arch = "sparc",
    target_arch = "sparc64"
)) {
    0xffff
} else {
    1
};
const SCM_RIGHTS: i32 = 1;
const SCM_CREDENTIALS: i32 = 2;
const SCM_PIDFD: i32 = 4;
/// The number of the option, on all architectures but PA-RISC and SPARC: there the call fails.
const SO_PASSPIDFD: i32 = 76;

/// The size of `struct cmsghdr`: the length as a `size_t`, the level and the type.
const HEADER_SIZE: usize = size_of::<usize>() + 2 * size_of::<i32>();
/// The size of `struct ucred`.
const SENDER_SIZE: usize = 3 * size_of::<i32>();
const SENDER_ROOM: usize = room(SENDER_SIZE);
/// The room of one pidfd more is for listeners whose connections inherit SO_PASSPIDFD.
const WHOLE_ROOM: usize =
    SENDER_ROOM + room(size_of::<i32>()) + room(PACKET_FILES_MAX * size_of::<i32>());

/// Returns the room of a control message with a payload of that size.
const fn room(payload: usize) -> usize {
    HEADER_SIZE + payload.next_multiple_of(size_of::<usize>())
}

/// Memory for control messages, which begin at addresses of a `size_t`.
#[repr(C, align(8))]
struct Control([MaybeUninit<u8>; WHOLE_ROOM]);

/// The size of an int.
const INT_SIZE: libc::socklen_t = 4;

/// Has the kernel send a pidfd of the sender with each packet.
pub(crate) fn pass_process(socket: BorrowedFd<'_>) -> std::io::Result<()> {
    let on: libc::c_int = 1;
    let size = INT_SIZE;
    let value = (&raw const on).cast();
    // SAFETY: the kernel reads `size` bytes at `value`, which are those of `on`.
    let set =
        unsafe { libc::setsockopt(socket.as_raw_fd(), SOL_SOCKET, SO_PASSPIDFD, value, size) };
    if set == 0 {
        Ok(())
    } else {
        Err(std::io::Error::last_os_error())
    }
}

/// Receives one packet.
pub(crate) fn receive(
    socket: BorrowedFd<'_>,
    text: &mut [u8],
    room: Room,
    flags: RecvFlags,
) -> rustix::io::Result<Received> {
    let mut control = Control([MaybeUninit::new(0); WHOLE_ROOM]);
    let size = match room {
        Room::Sender => SENDER_ROOM,
        Room::SenderAndFiles => WHOLE_ROOM,
    };
    let received = retry_on_intr(|| {
        let place = control.0.get_mut(..size).unwrap_or_default();
        let mut buffer = RecvAncillaryBuffer::new(place);
        let result = recvmsg(socket, &mut [IoSliceMut::new(text)], &mut buffer, flags);
        // Forget the buffer: its destructor would close the files, and would read the
        // sender as a rustix type that cannot represent the process ID 0. The messages
        // are read below instead.
        mem::forget(buffer);
        result
    })?;
    // SAFETY: every byte was initialized with 0, and the kernel writes whole bytes.
    let control = unsafe { slice::from_raw_parts(control.0.as_ptr().cast::<u8>(), size) };
    let mut result = Received {
        bytes: received.bytes,
        flags: received.flags,
        files: Vec::new(),
        sender: None,
        process: None,
    };
    for (kind, payload) in Messages(control) {
        match kind {
            SCM_RIGHTS => result.files.extend(numbers(payload).filter_map(owned)),
            SCM_CREDENTIALS => result.sender = sender(payload),
            SCM_PIDFD => result.process = numbers(payload).find_map(owned),
            _ => {}
        }
    }
    Ok(result)
}

/// Takes a descriptor that the kernel has made for this process.
fn owned(fd: i32) -> Option<OwnedFd> {
    // SAFETY: the number comes from a control message that the kernel wrote during the
    // call of recvmsg above: the kernel installed the descriptor for this message, and
    // each number is read once, so that nothing else owns it. A negative number is not
    // a descriptor: SCM_PIDFD has an error's number if the sender has gone.
    (fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

fn sender(payload: &[u8]) -> Option<Sender> {
    let mut words = payload.chunks_exact(4).map(word);
    let (pid, uid, gid) = (words.next()?, words.next()?, words.next()?);
    Some(Sender {
        pid: Some(i32::from_ne_bytes(pid)).filter(|pid| *pid > 0),
        uid: u32::from_ne_bytes(uid),
        gid: u32::from_ne_bytes(gid),
    })
}

fn numbers(payload: &[u8]) -> impl Iterator<Item = i32> {
    payload.chunks_exact(4).map(word).map(i32::from_ne_bytes)
}

fn word(bytes: &[u8]) -> [u8; 4] {
    bytes.try_into().unwrap_or_default()
}

/// The control messages of a socket's level, each with its type and payload. The bytes
/// after the last message are zeros.
struct Messages<'a>(&'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = (i32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (size, header) = self.0.split_first_chunk::<{ size_of::<usize>() }>()?;
            let size = usize::from_ne_bytes(*size);
            let (level, kind) = (header.get(..4)?, header.get(4..8)?);
            let payload = self.0.get(HEADER_SIZE..size)?;
            let next = size.next_multiple_of(size_of::<usize>());
            self.0 = self.0.get(next..).unwrap_or_default();
            if i32::from_ne_bytes(word(level)) == SOL_SOCKET {
                return Some((i32::from_ne_bytes(word(kind)), payload));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use rustix::net::{
        AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags,
        SocketType, sendmsg, socketpair, sockopt,
    };

    use super::*;

    #[test]
    fn files_are_not_taken_when_there_is_room_for_the_sender_only() {
        let kind = SocketType::SEQPACKET;
        let (theirs, ours) =
            socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        sockopt::set_socket_passcred(&ours, true).unwrap();
        let files = [theirs.as_fd(); PACKET_FILES_MAX];
        let mut space = vec![MaybeUninit::uninit(); 4096];
        let mut control = SendAncillaryBuffer::new(&mut space);
        assert!(control.push(SendAncillaryMessage::ScmRights(&files)));
        let text = [std::io::IoSlice::new(b"text")];
        sendmsg(&theirs, &text, &mut control, SendFlags::empty()).unwrap();

        let mut text = [0; 8];
        let peek = RecvFlags::PEEK;
        // Leave room for the sender only, because closing a received file may block for
        // ever.
        let received = receive(ours.as_fd(), &mut text[..1], Room::Sender, peek).unwrap();
        assert_eq!((received.bytes, received.files.len()), (1, 0));
        let sender = received.sender.unwrap();
        let flags = RecvFlags::CMSG_CLOEXEC;
        let received = receive(ours.as_fd(), &mut text, Room::SenderAndFiles, flags).unwrap();
        assert_eq!(
            (received.bytes, received.files.len()),
            (4, PACKET_FILES_MAX)
        );
        assert_eq!(received.sender, Some(sender));
        assert_eq!(received.flags & ReturnFlags::CTRUNC, ReturnFlags::empty());
    }

    #[test]
    fn sender_has_no_process_when_its_namespace_is_not_visible() {
        let payload = [0_i32, 7, 8].map(i32::to_ne_bytes).concat();
        let expected = Sender {
            pid: None,
            uid: 7,
            gid: 8,
        };
        assert_eq!(sender(&payload), Some(expected));
        assert_eq!(sender(&payload[..8]), None);
    }

    #[test]
    fn messages_end_when_the_bytes_are_zeros_or_cut() {
        let mut bytes = Vec::new();
        for (level, kind, payload) in [
            (SOL_SOCKET, SCM_CREDENTIALS, &[1, 2, 3][..]),
            (SOL_SOCKET + 1, SCM_RIGHTS, &[4]),
            (SOL_SOCKET, SCM_RIGHTS, &[5, 6]),
        ] {
            bytes.extend((HEADER_SIZE + 4 * payload.len()).to_ne_bytes());
            bytes.extend([level, kind].map(i32::to_ne_bytes).concat());
            bytes.extend(payload.iter().flat_map(|word: &i32| word.to_ne_bytes()));
            bytes.resize(bytes.len().next_multiple_of(size_of::<usize>()), 0);
        }
        let whole: Vec<_> = Messages(&bytes)
            .map(|(kind, payload)| (kind, numbers(payload).collect::<Vec<_>>()))
            .collect();
        let expected = [(SCM_CREDENTIALS, vec![1, 2, 3]), (SCM_RIGHTS, vec![5, 6])];
        assert_eq!(whole, expected);
        for end in 0..bytes.len() {
            assert!(Messages(&bytes[..end]).count() < 2);
        }
        bytes.resize(bytes.len() + 100, 0);
        assert_eq!(Messages(&bytes).count(), 2);
    }
}
