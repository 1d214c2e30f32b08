//! The sockets at which scrapers connect.
//!
//! In: addresses of the command line. Out: connections, over TLS where the address says
//! so. This file knows no HTTP.

use std::io;
use std::net::SocketAddr;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use stats_runtime::server::{self, UnixAccess};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

use super::watched::Watched;
use crate::failure::Failure;
use crate::listen::Listen;
use crate::tls;

/// The time in which a client has to take a byte of what is written to it.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// The time that a handshake of TLS may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);

/// The mode of a Unix socket: the group of the process may scrape.
const MODE: u32 = 0o660;

/// A connection of any kind.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

/// A socket that listens.
pub(super) struct Listener {
    socket: Socket,
    /// The address as a URL, or as the path of a socket.
    pub(super) url: String,
}

enum Socket {
    Tcp(TcpListener),
    Tls(TcpListener, tls::Acceptor),
    /// The second listener owns the socket's file, which is removed when it is dropped.
    Unix(
        UnixListener,
        #[expect(dead_code, reason = "dropped, never used")] server::Listener,
    ),
}

impl Listener {
    /// Binds an address. Call it within a runtime of tokio.
    ///
    /// # Errors
    ///
    /// Returns an error if the address cannot be bound, or a certificate cannot be used.
    pub(super) fn bind(
        address: &Listen,
        credentials: Option<&Path>,
        subjects: &[String],
    ) -> Result<Self, Failure> {
        let cannot = |error| Failure::other(format!("cannot listen on {address}: {error}"));
        let (socket, url) = match address {
            Listen::Tcp(at) => {
                let socket = tcp(*at).map_err(cannot)?;
                let url = format!("http://{}/metrics", socket.local_addr().map_err(cannot)?);
                (Socket::Tcp(socket), url)
            }
            Listen::Tls(at) => {
                let folder = tls::folder(credentials);
                let folder = folder.map_err(|error| Failure::usage(error.to_string()))?;
                let acceptor = tls::Acceptor::new(folder, subjects).map_err(cannot)?;
                let socket = tcp(*at).map_err(cannot)?;
                let url = format!("https://{}/metrics", socket.local_addr().map_err(cannot)?);
                (Socket::Tls(socket, acceptor), url)
            }
            Listen::Unix(path) => {
                let (socket, owner) = unix(path).map_err(cannot)?;
                let url = format!("unix:{}", path.display());
                (Socket::Unix(socket, owner), url)
            }
            Listen::Vsock { .. } | Listen::Inherited(_) => {
                return Err(Failure::usage(format!("HTTP is not served on {address}")));
            }
        };
        Ok(Self { socket, url })
    }

    /// Waits for a connection.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub(super) async fn accept(&self) -> io::Result<Accepted> {
        match &self.socket {
            Socket::Tcp(socket) => {
                let (stream, _) = socket.accept().await?;
                Ok(Accepted::Tcp(stream))
            }
            Socket::Tls(socket, acceptor) => {
                let (stream, _) = socket.accept().await?;
                Ok(Accepted::Tls(stream, acceptor.clone()))
            }
            Socket::Unix(socket, _) => {
                let (stream, _) = socket.accept().await?;
                Ok(Accepted::Unix(stream))
            }
        }
    }
}

/// A connection before the handshake of TLS.
pub(super) enum Accepted {
    Tcp(TcpStream),
    Tls(TcpStream, tls::Acceptor),
    Unix(UnixStream),
}

impl Accepted {
    /// Returns the client in words, for the log.
    pub(super) fn client(&self) -> String {
        let client = match self {
            Self::Tcp(stream) | Self::Tls(stream, _) => {
                stream.peer_addr().map(|address| address.to_string())
            }
            Self::Unix(stream) => stream.peer_cred().map(|peer| {
                let pid = peer.pid().map(|pid| format!(" in process {pid}"));
                format!("user {}{}", peer.uid(), pid.unwrap_or_default())
            }),
        };
        // Fails if the client has left already.
        client.unwrap_or_else(|error| format!("a client ({error})"))
    }

    /// Makes the handshake.
    ///
    /// # Errors
    ///
    /// Returns an error if the client has no certificate that is admitted, or takes too
    /// long.
    pub(super) async fn open(self) -> io::Result<Box<dyn Connection>> {
        Ok(match self {
            Self::Tcp(stream) => Box::new(Watched::new(stream, WRITE_TIMEOUT)),
            Self::Unix(stream) => Box::new(Watched::new(stream, WRITE_TIMEOUT)),
            Self::Tls(stream, acceptor) => {
                let handshake = acceptor.accept(Watched::new(stream, WRITE_TIMEOUT));
                let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, handshake).await;
                Box::new(handshake.map_err(|_| {
                    io::Error::new(io::ErrorKind::TimedOut, "no handshake of TLS in time")
                })??)
            }
        })
    }
}

fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Binds a Unix socket, and returns it with the owner of its file.
fn unix(path: &Path) -> io::Result<(UnixListener, server::Listener)> {
    let owner = server::Listener::unix_with(path, UnixAccess::mode(MODE))?;
    let socket = owner.as_fd().try_clone_to_owned()?;
    let socket = std::os::unix::net::UnixListener::from(socket);
    socket.set_nonblocking(true)?;
    Ok((UnixListener::from_std(socket)?, owner))
}
