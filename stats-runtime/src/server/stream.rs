//! A client's socket, which never blocks.
//!
//! In: bytes to send. Out: bytes received; `WouldBlock` where the peer is not
//! ready. Hides TLS except for the handshake: who may speak when.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::io::FdFlags;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketType, sockopt};

use super::peer::Peer;

/// The transport of a connection, which never blocks: a socket, or in tests a
/// simulation of one.
pub(super) trait Transport {
    /// Returns whether the client connected over TCP, as web browsers can.
    fn is_tcp(&self) -> bool;

    /// Returns whether the peer is known, so that the session may speak.
    fn is_established(&self) -> bool;

    /// Returns whether bytes were received that have not been read, of which
    /// the kernel knows nothing.
    fn has_input(&self) -> bool;

    /// Returns how many bytes the transport may buffer.
    fn held_bytes(&self) -> usize;

    /// Reads what was received. Returns 0 at the end of the stream.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize>;

    /// Writes as much as there is room for.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Sends what the transport has buffered.
    fn flush(&mut self) -> io::Result<()>;

    /// Tells the client that nothing follows. Call again when the socket takes
    /// output if that would block.
    fn finish(&mut self) -> io::Result<()>;
}

/// A stream socket.
#[derive(Debug)]
pub(super) struct Stream {
    socket: OwnedFd,
    family: AddressFamily,
    /// `true` if others may have duplicates of the descriptor.
    is_shared: bool,
    #[cfg(feature = "tls")]
    tls: Option<Box<super::tls::Channel>>,
}

impl Stream {
    /// Makes the stream of a socket that has just been accepted.
    pub(super) fn new(socket: OwnedFd, family: AddressFamily) -> Self {
        Self {
            socket,
            family,
            is_shared: false,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Takes over a connected stream socket, whose peer must be on this machine.
    pub(super) fn from_connected(socket: OwnedFd) -> io::Result<Self> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
        if sockopt::socket_type(&socket)? != SocketType::STREAM {
            return Err(invalid("the socket is not a stream socket".to_owned()));
        }
        // An error of the kernel says that the socket is not connected.
        let peer = rustix::net::getpeername(&socket)?;
        if let Some(Ok(address)) = peer.map(SocketAddr::try_from)
            && !address.ip().to_canonical().is_loopback()
        {
            return Err(invalid(format!(
                "{address} is another machine, and the connection is not encrypted"
            )));
        }
        rustix::io::ioctl_fionbio(&socket, true)?;
        rustix::io::fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
        let family = sockopt::socket_domain(&socket)?;
        set_nodelay(&socket, family);
        let mut stream = Self::new(socket, family);
        stream.is_shared = true;
        Ok(stream)
    }

    /// Takes over a connected Unix socket without a system call. O_NONBLOCK need not be
    /// set, because each read and write asks not to block.
    pub(super) fn from_unix(socket: UnixStream) -> Self {
        Self::new(socket.into(), AddressFamily::UNIX)
    }

    /// Returns the client's process or address.
    pub(super) fn peer(&self) -> Peer<'_> {
        Peer {
            socket: &self.socket,
            family: self.family,
        }
    }

    /// Puts a TLS channel on the socket.
    #[cfg(feature = "tls")]
    pub(super) fn with_tls(mut self, channel: super::tls::Channel) -> Self {
        self.tls = Some(Box::new(channel));
        self
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // A duplicate of the descriptor, such as one that a child inherited, must
        // not keep the connection open. Ignore the error of a peer that has left.
        if self.is_shared {
            let _ = rustix::net::shutdown(&self.socket, Shutdown::Both);
        }
    }
}

/// Has a TCP socket send at once, and the sockets that it accepts as well: each
/// reply is written whole, so delaying it to fill a packet gains nothing.
pub(super) fn set_nodelay(socket: &OwnedFd, family: AddressFamily) {
    if family != AddressFamily::UNIX {
        // The option fails on vsock, which has no delay.
        let _ = sockopt::set_tcp_nodelay(socket, true);
    }
}

impl Transport for Stream {
    fn is_tcp(&self) -> bool {
        matches!(self.family, AddressFamily::INET | AddressFamily::INET6)
    }

    fn is_established(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.is_established();
        }
        true
    }

    fn has_input(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.has_input();
        }
        false
    }

    fn held_bytes(&self) -> usize {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.held_bytes();
        }
        0
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            return tls.read(&mut Raw(&self.socket), buffer);
        }
        io::Read::read(&mut Raw(&self.socket), buffer)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            return tls.write(&mut Raw(&self.socket), bytes);
        }
        io::Write::write(&mut Raw(&self.socket), bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            return tls.flush(&mut Raw(&self.socket));
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            return tls.finish(&mut Raw(&self.socket));
        }
        Ok(())
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The socket itself. Writing to a peer that has gone raises no signal.
struct Raw<'a>(&'a OwnedFd);

impl io::Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| {
            let (count, _) = rustix::net::recv(self.0, &mut *buffer, RecvFlags::DONTWAIT)?;
            Ok(count)
        })?)
    }
}

impl io::Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| {
            rustix::net::send(self.0, bytes, SendFlags::NOSIGNAL | SendFlags::DONTWAIT)
        })?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
