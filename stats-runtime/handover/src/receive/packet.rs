//! Packets as they come from a socket.
//!
//! In: a connected socket. Out: the text, files and sender of one packet, whole. This
//! file knows no statement, and looks at no file.

use std::os::fd::{BorrowedFd, OwnedFd};
use std::{fmt, io};

use rustix::io::Errno;
use rustix::net::{RecvFlags, ReturnFlags, sockopt};

use crate::grammar::{PACKET_FILES_MAX, PACKET_SIZE_MAX};
use crate::sys::{self, Room, Sender};

/// Asks the kernel to name the sender of each packet. Sockets that a listener accepts
/// inherit it, so prepare the listener: packets that were sent before a connected socket
/// is prepared have no sender.
///
/// # Errors
///
/// Returns the kernel's error.
pub fn prepare(socket: BorrowedFd<'_>) -> io::Result<()> {
    sockopt::set_socket_passcred(socket, true)?;
    // Kernels before 6.5 know only the sender's numbers.
    let _ = sys::pass_process(socket);
    Ok(())
}

/// One packet. Dropping it closes its files.
#[derive(Debug)]
pub struct Packet {
    /// The text.
    pub text: Vec<u8>,
    /// The files in their order, at most [`PACKET_FILES_MAX`], with close-on-exec.
    pub files: Vec<OwnedFd>,
    /// The process that sent the packet, by the kernel's word, or `None` if the socket
    /// was not [prepared](prepare).
    pub sender: Option<Sender>,
    /// A pidfd of the sender, or `None` if the socket has no `SO_PASSPIDFD` (Linux 6.5
    /// and later) or the sender has ended. The pidfd always means the sender, while
    /// another process may have the sender's ID by now.
    pub process: Option<OwnedFd>,
}

impl Packet {
    /// Receives the next packet, or returns `None` if the peer has closed the
    /// connection. The call does not wait.
    ///
    /// # Errors
    ///
    /// Returns [`ReceiveError::WouldBlock`] if the peer has sent nothing yet. After any other
    /// error the receiver closes the connection; the files of the packet are closed
    /// already.
    pub fn receive(socket: BorrowedFd<'_>) -> Result<Option<Self>, ReceiveError> {
        Self::take(socket, RecvFlags::empty())
    }

    /// Returns the next packet and leaves it in the socket: the files are duplicates. A
    /// packet that is only peeked at keeps its files open for as long as any process has
    /// the socket.
    ///
    /// # Errors
    ///
    /// As for [`receive`](Self::receive).
    pub fn peek(socket: BorrowedFd<'_>) -> Result<Option<Self>, ReceiveError> {
        Self::take(socket, RecvFlags::PEEK)
    }

    fn take(socket: BorrowedFd<'_>, flags: RecvFlags) -> Result<Option<Self>, ReceiveError> {
        let mut text = vec![0; PACKET_SIZE_MAX];
        let flags = flags | RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        let received = sys::receive(socket, &mut text, Room::SenderAndFiles, flags)?;
        if received.flags.contains(ReturnFlags::CTRUNC) {
            return Err(ReceiveError::FilesLost);
        }
        if received.flags.contains(ReturnFlags::TRUNC) {
            return Err(ReceiveError::TooLong);
        }
        if received.bytes == 0 && received.files.is_empty() {
            return Ok(None);
        }
        text.truncate(received.bytes);
        text.shrink_to_fit();
        Ok(Some(Self {
            text,
            files: received.files,
            sender: received.sender,
            process: received.process,
        }))
    }
}

/// Returns the sender of the next packet and leaves the packet, with its files, in the
/// socket. Returns `None` if the peer has closed the connection.
///
/// # Errors
///
/// Returns [`ReceiveError::WouldBlock`] if the peer has sent nothing yet, and
/// [`ReceiveError::NoSender`] if the socket was not [prepared](prepare).
pub fn peek_sender(socket: BorrowedFd<'_>) -> Result<Option<Sender>, ReceiveError> {
    let mut first = [0];
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT | RecvFlags::PEEK;
    let received = sys::receive(socket, &mut first, Room::Sender, flags)?;
    match received.sender {
        Some(sender) => Ok(Some(sender)),
        None if received.bytes == 0 => Ok(None),
        None => Err(ReceiveError::NoSender),
    }
}

/// The reason why a packet was not received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReceiveError {
    /// The peer has sent nothing yet.
    WouldBlock,
    /// The text of the packet is longer than [`PACKET_SIZE_MAX`].
    TooLong,
    /// Files of the packet were lost, because this process has no room for them.
    FilesLost,
    /// The kernel does not name the sender: the socket was not prepared.
    NoSender,
    /// The kernel refused to receive.
    Receive {
        /// The error's number, see errno(3).
        errno: i32,
    },
}

impl From<Errno> for ReceiveError {
    fn from(errno: Errno) -> Self {
        match errno {
            // The value of EWOULDBLOCK, too.
            Errno::AGAIN => Self::WouldBlock,
            other => Self::Receive {
                errno: other.raw_os_error(),
            },
        }
    }
}

impl fmt::Display for ReceiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WouldBlock => f.write_str("the peer has sent nothing yet"),
            Self::TooLong => write!(f, "a packet has more than {PACKET_SIZE_MAX} bytes of text"),
            Self::FilesLost => write!(
                f,
                "files of a packet were lost: this process has no room for {PACKET_FILES_MAX} \
                 more (RLIMIT_NOFILE), or a security module refused one"
            ),
            Self::NoSender => f.write_str("the sender of a packet is unknown (SO_PASSCRED)"),
            Self::Receive { errno } => {
                write!(
                    f,
                    "cannot receive: {}",
                    io::Error::from_raw_os_error(*errno)
                )
            }
        }
    }
}

impl std::error::Error for ReceiveError {}

impl From<ReceiveError> for io::Error {
    fn from(error: ReceiveError) -> Self {
        let kind = match error {
            ReceiveError::WouldBlock => io::ErrorKind::WouldBlock,
            ReceiveError::Receive { errno } => Self::from_raw_os_error(errno).kind(),
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}
