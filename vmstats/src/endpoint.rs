//! Where a monitor is to be found, and a stream to it.
//!
//! In: `PATH`, `unix:PATH`, `tcp:HOST:PORT`, `tls:HOST:PORT` or
//! `vsock:CID:PORT`. Out: a connected stream on which nothing waits beyond a
//! deadline. It knows no protocol.

use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketAddrUnix, SocketFlags, SocketType,
};

use vsock::VsockStream;

use crate::tls::TlsStream;

/// The address of a monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// A host and a port, as `HOST:PORT`.
    Tcp(String),
    /// A socket between a virtual machine and its host.
    Vsock {
        /// The context ID of the side that listens.
        cid: u32,
        /// The port.
        port: u32,
    },
    /// TCP with TLS inside.
    Tls {
        /// `HOST:PORT`.
        address: String,
        /// The folder that has this side's certificate, see
        /// [`with_credentials`](Self::with_credentials).
        credentials: Option<PathBuf>,
    },
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(address) = text.strip_prefix("tcp:") {
            return host_and_port("tcp", address).map(Self::Tcp);
        }
        if let Some(address) = text.strip_prefix("tls:") {
            let address = host_and_port("tls", address)?;
            let credentials = None;
            return Ok(Self::Tls {
                address,
                credentials,
            });
        }
        if let Some(address) = text.strip_prefix("vsock:") {
            let numbers = address.split_once(':');
            let numbers =
                numbers.and_then(|(cid, port)| Some((cid.parse().ok()?, port.parse().ok()?)));
            let (cid, port) = numbers.ok_or("expected vsock:CID:PORT with two numbers")?;
            return Ok(Self::Vsock { cid, port });
        }
        match text.strip_prefix("unix:").unwrap_or(text) {
            "" => {
                let kinds = "expected a socket's path, unix:PATH, tcp:HOST:PORT, \
                             tls:HOST:PORT or vsock:CID:PORT";
                Err(kinds.to_owned())
            }
            path => Ok(Self::Unix(path.into())),
        }
    }
}

fn host_and_port(kind: &str, address: &str) -> Result<String, String> {
    match address.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
            Ok(address.to_owned())
        }
        _ => Err(format!(
            "expected {kind}:HOST:PORT with a port from 0 to 65535"
        )),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Vsock { cid, port } => write!(f, "vsock:{cid}:{port}"),
            Self::Tls { address, .. } => write!(f, "tls:{address}"),
        }
    }
}

impl Endpoint {
    /// The same with the certificate of this folder, which TLS asks for: it has
    /// `ca-cert.pem`, `client-cert.pem` and `client-key.pem`.
    #[must_use]
    pub fn with_credentials(self, folder: Option<&Path>) -> Self {
        match self {
            Self::Tls { address, .. } => Self::Tls {
                address,
                credentials: folder.map(Path::to_owned),
            },
            other => other,
        }
    }

    /// Connects before the deadline.
    ///
    /// # Errors
    ///
    /// What the kernel says, that the time is up, or that there is no
    /// certificate for TLS.
    pub fn connect(&self, deadline: Instant) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => Ok(Stream::Plain(connect_unix(path, deadline)?.into())),
            Self::Tcp(address) => {
                let stream = connect_tcp(address, deadline)?;
                stream.set_nodelay(true)?;
                Ok(Stream::Plain(stream.into()))
            }
            // The kernel gives up after two seconds.
            Self::Vsock { cid, port } => {
                let stream = VsockStream::connect_with_cid_port(*cid, *port)?;
                Ok(Stream::Plain(stream.into()))
            }
            Self::Tls {
                address,
                credentials,
            } => {
                let folder = credentials.as_deref();
                let folder = folder.ok_or_else(|| {
                    let why = "TLS takes a certificate: see --tls";
                    io::Error::new(io::ErrorKind::InvalidInput, why)
                })?;
                let (host, _) = address.rsplit_once(':').unwrap_or((address, ""));
                let stream = connect_tcp(address, deadline)?;
                stream.set_nodelay(true)?;
                TlsStream::new(stream, host, folder).map(Stream::Tls)
            }
        }
    }
}

/// What is left of the time until a deadline.
fn remaining(deadline: Instant) -> io::Result<Duration> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        Err(io::ErrorKind::TimedOut.into())
    } else {
        Ok(left)
    }
}

/// How often a server whose queue of connections is full is asked again.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// A blocking `connect` would wait for ever where the server accepts nobody.
fn connect_unix(path: &Path, deadline: Instant) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    loop {
        match rustix::net::connect(&socket, &address) {
            Ok(()) => break,
            Err(Errno::AGAIN) => {
                remaining(deadline)?;
                thread::sleep(RETRY_INTERVAL);
            }
            Err(errno) => return Err(errno.into()),
        }
    }
    let stream = UnixStream::from(socket);
    stream.set_nonblocking(false)?;
    Ok(stream)
}

/// Tries every address that the host's name stands for.
fn connect_tcp(address: &str, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, remaining(deadline)?) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A connection to a monitor.
#[derive(Debug)]
pub enum Stream {
    /// Over a socket of any kind, as it is.
    Plain(OwnedFd),
    /// Over TLS.
    Tls(TlsStream),
}

impl Stream {
    /// Another handle to the same connection, for a thread that reads.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(match self {
            Self::Plain(socket) => Self::Plain(socket.try_clone()?),
            Self::Tls(stream) => Self::Tls(stream.clone()),
        })
    }

    /// Ends the connection for both sides and every handle: who reads is told.
    pub fn shut_down(&self) {
        match self {
            Self::Plain(socket) => {
                // One that is broken needs no end.
                let _ = rustix::net::shutdown(socket, Shutdown::Both);
            }
            Self::Tls(stream) => stream.shut_down(),
        }
    }

    /// Reads what there is, however long it takes to come.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn read_patiently(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => receive(socket, buffer, None),
            Self::Tls(stream) => stream.read(buffer, None),
        }
    }

    /// Reads what there is, waiting for it until the deadline.
    ///
    /// # Errors
    ///
    /// What the kernel says, or that the time is up.
    pub fn read(&mut self, buffer: &mut [u8], deadline: Instant) -> io::Result<usize> {
        let left = remaining(deadline)?;
        match self {
            Self::Plain(socket) => receive(socket, buffer, Some(left)),
            Self::Tls(stream) => stream.read(buffer, Some(deadline)),
        }
    }

    /// Writes all of `bytes` before the deadline.
    ///
    /// # Errors
    ///
    /// What the kernel says, or that the time is up.
    pub fn write_all(&mut self, mut bytes: &[u8], deadline: Instant) -> io::Result<()> {
        while !bytes.is_empty() {
            let left = remaining(deadline)?;
            let written = match self {
                Self::Plain(socket) => send(socket, bytes, left),
                Self::Tls(stream) => stream.write(bytes, deadline),
            };
            match written {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

fn receive(socket: &OwnedFd, buffer: &mut [u8], limit: Option<Duration>) -> io::Result<usize> {
    set_socket_timeout(socket, Timeout::Recv, limit)?;
    let (count, _) = rustix::net::recv(socket, buffer, RecvFlags::empty())?;
    Ok(count)
}

fn send(socket: &OwnedFd, bytes: &[u8], limit: Duration) -> io::Result<usize> {
    set_socket_timeout(socket, Timeout::Send, Some(limit))?;
    Ok(rustix::net::send(socket, bytes, SendFlags::NOSIGNAL)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let parse = str::parse::<Endpoint>;
        assert_eq!(parse("qmp.sock"), Ok(Endpoint::Unix("qmp.sock".into())));
        assert_eq!(parse("unix:tcp:1"), Ok(Endpoint::Unix("tcp:1".into())));
        assert_eq!(
            parse("tcp:localhost:4444"),
            Ok(Endpoint::Tcp("localhost:4444".into()))
        );
        assert_eq!(parse("tcp:[::1]:1"), Ok(Endpoint::Tcp("[::1]:1".into())));
        let vsock = Endpoint::Vsock { cid: 2, port: 5 };
        assert_eq!(parse("vsock:2:5"), Ok(vsock));
        let tls = parse("tls:host:1").unwrap();
        let credentials = Some("folder".into());
        assert_eq!(
            tls.with_credentials(Some("folder".as_ref())),
            Endpoint::Tls {
                address: "host:1".to_owned(),
                credentials
            }
        );
        for wrong in [
            "",
            "unix:",
            "tcp:",
            "tcp:host",
            "tcp::1",
            "tcp:host:99999",
            "tls:host",
            "vsock:2",
            "vsock:host:1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
