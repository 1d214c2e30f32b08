//! A client's socket, which never waits.
//!
//! In: bytes to send. Out: bytes received; `WouldBlock` where the peer is not
//! ready. With TLS it hides everything about it but who may speak when.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::SendFlags;

/// A nonblocking stream socket.
#[derive(Debug)]
pub(super) struct Stream {
    socket: OwnedFd,
    #[cfg(feature = "tls")]
    tls: Option<Box<super::tls::Channel>>,
}

impl Stream {
    /// A stream over a nonblocking socket.
    pub(super) fn new(socket: OwnedFd) -> Self {
        Self {
            socket,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// The same with TLS inside.
    #[cfg(feature = "tls")]
    pub(super) fn with_tls(socket: OwnedFd, channel: super::tls::Channel) -> Self {
        let tls = Some(Box::new(channel));
        Self { socket, tls }
    }

    /// Whether the peer is known, so that there is something to say to it.
    pub(super) fn is_established(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.is_established();
        }
        true
    }

    /// Whether bytes were received that have not been read.
    pub(super) fn has_input(&self) -> bool {
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return tls.has_input();
        }
        false
    }

    /// Reads what there is; 0 at the end.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            return tls.read(&mut Raw(&self.socket), buffer);
        }
        io::Read::read(&mut Raw(&self.socket), buffer)
    }

    /// Writes what there is room for.
    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            return tls.write(&mut Raw(&self.socket), bytes);
        }
        io::Write::write(&mut Raw(&self.socket), bytes)
    }

    /// Sends what has been written and not sent.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            return tls.flush(&mut Raw(&self.socket));
        }
        Ok(())
    }

    /// Says that nothing follows, if there is a way to say it.
    pub(super) fn finish(&mut self) {
        #[cfg(feature = "tls")]
        if let Some(tls) = &mut self.tls {
            tls.finish(&mut Raw(&self.socket));
        }
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The socket itself. A peer that has gone raises no signal.
struct Raw<'a>(&'a OwnedFd);

impl io::Read for Raw<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| {
            rustix::io::read(self.0, &mut *buffer)
        })?)
    }
}

impl io::Write for Raw<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| {
            rustix::net::send(self.0, bytes, SendFlags::NOSIGNAL)
        })?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
