//! A client's socket, which waits only where it is said to, and not for long.
//!
//! In: bytes to send. Out: bytes received; `WouldBlock` where the peer is not
//! ready. With TLS it hides everything about it but who may speak when.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{RecvFlags, SendFlags};

/// How long a thread waits for a client's next request before it looks after
/// others. Who asks again at once is answered without being waited for
/// elsewhere, which takes longer than reading the statistics of a vCPU.
const STAY_TIME: Duration = Duration::from_millis(4);

/// How long it waits for a client to take more of a long reply, and for the
/// piece that it is at then.
const TAKE_TIME: Duration = Duration::from_millis(10);

/// How much of a long reply is handed to the kernel at once.
const PIECE_BYTES: usize = 128 << 10;

/// A stream socket.
#[derive(Debug)]
pub(super) struct Stream {
    socket: OwnedFd,
    #[cfg(feature = "tls")]
    tls: Option<Box<super::tls::Channel>>,
}

impl Stream {
    /// A stream over a blocking socket.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        set_socket_timeout(&socket, Timeout::Recv, Some(STAY_TIME))?;
        set_socket_timeout(&socket, Timeout::Send, Some(TAKE_TIME))?;
        Ok(Self {
            socket,
            #[cfg(feature = "tls")]
            tls: None,
        })
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

    /// Whether it can be waited for the client: with TLS, not everything that
    /// arrives is something to read.
    pub(super) fn can_wait(&self) -> bool {
        #[cfg(feature = "tls")]
        return self.tls.is_none();
        #[cfg(not(feature = "tls"))]
        true
    }

    /// Waits a moment for something to read, and reads it; 0 at the end,
    /// `WouldBlock` if nothing has come.
    pub(super) fn wait(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let (count, _) = rustix::net::recv(&self.socket, buffer, RecvFlags::empty())?;
        Ok(count)
    }

    /// Writes, and waits a moment for the client to make room. A piece at a
    /// time, for the kernel waits anew for every 32 KiB that it copies.
    pub(super) fn write_waiting(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let begin = Instant::now();
        let mut sent_bytes = 0;
        for piece in bytes.chunks(PIECE_BYTES) {
            let send = || rustix::net::send(&self.socket, piece, SendFlags::NOSIGNAL);
            match rustix::io::retry_on_intr(send) {
                Ok(count) => sent_bytes += count,
                Err(errno) if sent_bytes == 0 => return Err(errno.into()),
                // It will be found again.
                Err(_) => break,
            }
            if begin.elapsed() >= TAKE_TIME {
                break;
            }
        }
        Ok(sent_bytes)
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

/// The socket itself, which never waits. A peer that has gone raises no signal.
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
