//! The address of a monitor, and how to connect to it.
//!
//! In: `PATH`, `unix:PATH`, `tcp:HOST:PORT`, `tls:HOST:PORT` or
//! `vsock:CID:PORT`. Out: a connected stream. This file knows no protocol.

use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use vsock::VsockStream;

use crate::deadline::remaining;
use crate::stream::Stream;
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
    /// TLS over TCP.
    Tls {
        /// The host and the port, as `HOST:PORT`.
        address: String,
        /// The folder with this side's certificate; see
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
    /// Adds the folder with the certificate that TLS needs: `ca-cert.pem`,
    /// `client-cert.pem` and `client-key.pem`. Other endpoints ignore it.
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
    /// Returns [`TimedOut`](io::ErrorKind::TimedOut) if the deadline passes,
    /// [`InvalidInput`](io::ErrorKind::InvalidInput) if TLS has no certificate,
    /// and otherwise the kernel's error.
    pub fn connect(&self, deadline: Instant) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => Ok(Stream::Plain(connect_unix(path, deadline)?.into())),
            Self::Tcp(address) => Ok(Stream::Plain(connect_tcp(address, deadline)?.into())),
            // The kernel gives up after two seconds, so no deadline is needed.
            Self::Vsock { cid, port } => {
                let stream = VsockStream::connect_with_cid_port(*cid, *port)?;
                Ok(Stream::Plain(stream.into()))
            }
            Self::Tls {
                address,
                credentials,
            } => {
                let folder = credentials.as_deref().ok_or_else(|| {
                    let why = "TLS needs a certificate: see --tls";
                    io::Error::new(io::ErrorKind::InvalidInput, why)
                })?;
                let (host, _) = address.rsplit_once(':').unwrap_or((address, ""));
                let stream = connect_tcp(address, deadline)?;
                TlsStream::new(stream, host, folder).map(Stream::Tls)
            }
        }
    }
}

/// The time between two tries to connect to a server whose queue is full.
const RETRY_INTERVAL: Duration = Duration::from_millis(10);

/// Connects with a socket that does not block, because a blocking `connect`
/// would wait without end for a server that accepts nobody.
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

/// Tries the addresses of a host one after the other.
fn connect_tcp(address: &str, deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, remaining(deadline)?) {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoint_parses_every_kind_of_address() {
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
