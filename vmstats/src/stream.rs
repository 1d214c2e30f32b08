//! A connection to a monitor.
//!
//! In: a connected socket, or TLS over one. Out: bytes, on which nobody waits
//! beyond a deadline. This file knows no protocol.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use qapi_wire::client::Transport;
use qapi_wire::client::deadline::remaining;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags, Shutdown};

use crate::tls::TlsStream;

/// A connection to a monitor.
#[derive(Debug)]
pub enum Stream {
    /// A socket of any kind.
    Plain(OwnedFd),
    /// TLS over a TCP socket.
    Tls(TlsStream),
}

impl Stream {
    /// Makes another handle to the same connection, for a thread that reads.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error if the descriptor cannot be duplicated.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Plain(socket) => Self::Plain(socket.try_clone()?),
            Self::Tls(stream) => Self::Tls(stream.clone()),
        })
    }

    /// Ends the connection for both sides and every handle. A thread that reads
    /// sees the end.
    pub fn shut_down(&self) {
        match self {
            Self::Plain(socket) => {
                // Fails if the connection has ended already.
                let _ = rustix::net::shutdown(socket, Shutdown::Both);
            }
            Self::Tls(stream) => stream.shut_down(),
        }
    }

    /// Writes all of `bytes`.
    ///
    /// # Errors
    ///
    /// Returns [`TimedOut`](io::ErrorKind::TimedOut) or
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) if the deadline passes, and
    /// otherwise the kernel's or TLS's error.
    pub fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.write(bytes, deadline) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Transport for Stream {
    fn read(&mut self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        let left = deadline.map(remaining).transpose()?;
        match self {
            Self::Plain(socket) => {
                set_socket_timeout(&*socket, Timeout::Recv, left)?;
                let (count, _) = rustix::net::recv(socket, buffer, RecvFlags::empty())?;
                Ok(count)
            }
            Self::Tls(stream) => stream.read(buffer, deadline),
        }
    }

    fn write(&mut self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        let left = remaining(deadline)?;
        match self {
            Self::Plain(socket) => send(socket, bytes, left),
            Self::Tls(stream) => stream.write(bytes, deadline),
        }
    }
}

fn send(socket: &OwnedFd, bytes: &[u8], timeout: Duration) -> io::Result<usize> {
    set_socket_timeout(socket, Timeout::Send, Some(timeout))?;
    Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)?)
}
