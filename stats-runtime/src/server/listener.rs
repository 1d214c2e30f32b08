//! Listening sockets of every kind.
//!
//! In: an address, or a socket that another program bound. Out: clients that
//! may connect. A listener that other machines can reach asks its clients for
//! certificates.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, sockopt};

use super::conversation::Protocol;
use super::peer::Peer;
use super::stream::{Stream, set_nodelay};
use crate::net::unix::{self, SocketFile, UnixAccess};
use crate::sys;

/// A socket that listens for clients.
#[derive(Debug)]
pub struct Listener {
    /// The file of a Unix socket, dropped before the socket: see [`SocketFile`].
    _file: Option<SocketFile>,
    socket: OwnedFd,
    family: AddressFamily,
    uids: Vec<u32>,
    gids: Vec<u32>,
    protocol: Protocol,
    #[cfg(feature = "tls")]
    tls: Option<super::tls::Tls>,
}

impl Listener {
    /// Binds a Unix socket that only its owner can connect to, like
    /// [`bind_private`](super::bind_private). Dropping the listener removes the
    /// socket's file.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error, for example if the path is too long, in use
    /// or in a folder that cannot be written.
    pub fn unix(path: &Path) -> io::Result<Self> {
        Self::unix_with(path, UnixAccess::default())
    }

    /// Binds a Unix socket whose file has this mode and group.
    ///
    /// # Errors
    ///
    /// As for [`unix`](Self::unix), and if the file cannot be given to the group.
    pub fn unix_with(path: &Path, access: UnixAccess) -> io::Result<Self> {
        let socket = unix::bind(path, access)?;
        let file = SocketFile::at(path);
        Self::new(socket.into(), AddressFamily::UNIX, Some(file))
    }

    /// Binds a TCP port on an address of this machine's loopback. Every user of
    /// the machine can connect to it.
    ///
    /// # Errors
    ///
    /// Returns an error if other machines can reach the address, for which a
    /// listener with TLS is made (feature `tls`); or the kernel's error.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        refuse_remote(address)?;
        Self::new(TcpListener::bind(address)?.into(), family_of(address), None)
    }

    /// Binds a TCP port on any address, for clients that have a certificate.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    #[cfg(feature = "tls")]
    pub fn tls(address: SocketAddr, tls: super::tls::Tls) -> io::Result<Self> {
        let socket = TcpListener::bind(address)?;
        let mut listener = Self::new(socket.into(), family_of(address), None)?;
        listener.tls = Some(tls);
        Ok(listener)
    }

    /// Binds a vsock port. On a host, every guest that has a vsock device can
    /// connect to it, whatever the context ID (`u32::MAX` means any). Serve
    /// a read-only monitor there.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error, for example if it lacks vsock.
    #[cfg(feature = "vsock")]
    pub fn vsock(cid: u32, port: u32) -> io::Result<Self> {
        let socket = vsock::VsockListener::bind_with_cid_port(cid, port)?;
        Self::new(socket.into(), AddressFamily::VSOCK, None)
    }

    /// Takes over a Unix socket that listens already, and makes it nonblocking.
    /// The socket's file, if it has one, stays.
    ///
    /// The only system call is `ioctl(FIONBIO)`, which makes this the way for a VMM
    /// whose sockets another program has bound.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error.
    pub fn from_unix_listener(socket: UnixListener) -> io::Result<Self> {
        Self::new(socket.into(), AddressFamily::UNIX, None)
    }

    /// Takes over a stream socket that listens already, and makes it
    /// nonblocking.
    ///
    /// # Errors
    ///
    /// Returns an error if the socket does not listen, or if it is a TCP socket
    /// that other machines can reach.
    pub fn from_socket(socket: OwnedFd) -> io::Result<Self> {
        if !sockopt::socket_acceptconn(&socket)? {
            return Err(invalid("the socket does not listen"));
        }
        let family = sockopt::socket_domain(&socket)?;
        let listener = Self::new(socket, family, None)?;
        if let Some(address) = listener.tcp_address() {
            refuse_remote(address)?;
        }
        Ok(listener)
    }

    /// Takes over the sockets that the service manager has opened for this
    /// process (`LISTEN_FDS`, see sd_listen_fds(3)). Each comes with its name:
    /// that of `FileDescriptorName=`, or else `0`, `1` and so on.
    ///
    /// Call this once, and before the program has further threads, because it
    /// changes the environment.
    ///
    /// # Errors
    ///
    /// Returns an error if a socket is not a stream socket of a known kind, or
    /// if it listens on TCP where other machines can reach it.
    #[cfg(feature = "activation")]
    pub fn inherited() -> io::Result<Vec<(String, Inherited)>> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':');
        let mut sockets = listenfd::ListenFd::from_env();
        let mut inherited = Vec::new();
        for index in 0..sockets.len() {
            let name = names
                .next()
                .filter(|name| !name.is_empty())
                .map_or_else(|| index.to_string(), str::to_owned);
            if let Some(socket) = take_stream(&mut sockets, index)? {
                inherited.push((name, Inherited::new(socket)?));
            }
        }
        Ok(inherited)
    }

    fn new(socket: OwnedFd, family: AddressFamily, file: Option<SocketFile>) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        set_nodelay(&socket, family);
        Ok(Self {
            socket,
            family,
            _file: file,
            uids: Vec::new(),
            gids: Vec::new(),
            protocol: Protocol::Qmp,
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// Serves the human monitor to the clients of this listener, instead of QMP.
    #[cfg(feature = "hmp")]
    #[must_use]
    pub fn human_monitor(mut self) -> Self {
        self.protocol = Protocol::Human;
        self
    }

    /// Admits only processes of these users, or of the groups of
    /// [`allow_gids`](Self::allow_gids). The kernel reports a client's user and
    /// group (`SO_PEERCRED`). The connections of other clients are closed
    /// without a message. By default every client that can connect is admitted.
    /// Clients of other than Unix sockets have no user, so none is admitted.
    #[must_use]
    pub fn allow_uids(mut self, uids: &[u32]) -> Self {
        self.uids.extend_from_slice(uids);
        self
    }

    /// Admits only processes of these groups, or of the users of
    /// [`allow_uids`](Self::allow_uids). A process's effective group counts and
    /// its supplementary groups (`SO_PEERGROUPS`), both as they were when the
    /// process connected.
    #[must_use]
    pub fn allow_gids(mut self, gids: &[u32]) -> Self {
        self.gids.extend_from_slice(gids);
        self
    }

    /// Returns the address of a TCP socket, with the port that the kernel chose
    /// if the given port was 0. Returns `None` for other sockets.
    #[must_use]
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        let address = rustix::net::getsockname(&self.socket).ok()?;
        SocketAddr::try_from(address).ok()
    }

    pub(super) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Accepts the next client. Returns `None` if no client waits.
    pub(super) fn accept(&self) -> io::Result<Option<OwnedFd>> {
        loop {
            match rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC) {
                Ok(socket) => return Ok(Some(socket)),
                Err(Errno::AGAIN) => return Ok(None),
                // The client has left already.
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Checks that a client may connect.
    pub(super) fn admit(&self, client: &OwnedFd) -> Result<(), Refusal> {
        if self.allows(client) {
            Ok(())
        } else {
            Err(Refusal::NotListed)
        }
    }

    /// Returns the stream of a client that may connect.
    pub(super) fn stream(&self, client: OwnedFd) -> io::Result<Stream> {
        let stream = Stream::new(client, self.family);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            let channel = tls.channel().map_err(io::Error::other)?;
            return Ok(stream.with_tls(channel));
        }
        Ok(stream)
    }

    /// Returns what the log says of a client.
    pub(super) fn peer<'a>(&self, client: &'a OwnedFd) -> Peer<'a> {
        Peer {
            socket: client,
            family: self.family,
        }
    }

    fn allows(&self, client: &OwnedFd) -> bool {
        if self.uids.is_empty() && self.gids.is_empty() {
            return true;
        }
        self.family == AddressFamily::UNIX
            && sys::peer_credentials(client.as_fd()).is_ok_and(|peer| {
                self.uids.contains(&peer.uid)
                    || self.gids.contains(&peer.gid)
                    || self.allows_group_of(client)
            })
    }

    /// Returns whether a supplementary group of the client is admitted.
    fn allows_group_of(&self, client: &OwnedFd) -> bool {
        !self.gids.is_empty()
            && sys::peer_groups(client.as_fd())
                .is_ok_and(|groups| groups.iter().any(|group| self.gids.contains(group)))
    }
}

/// A socket that another program opened for this one.
#[derive(Debug)]
pub enum Inherited {
    /// A socket that listens.
    Listener(Listener),
    /// A connected socket, for [`Server::add_client`](super::Server::add_client).
    Client(OwnedFd),
}

impl Inherited {
    /// Finds out which kind of socket this is.
    ///
    /// # Errors
    ///
    /// Returns an error if `socket` is not a socket, or as
    /// [`Listener::from_socket`] does.
    pub fn new(socket: OwnedFd) -> io::Result<Self> {
        if sockopt::socket_acceptconn(&socket)? {
            Listener::from_socket(socket).map(Self::Listener)
        } else {
            Ok(Self::Client(socket))
        }
    }
}

/// The reason why a client may not connect.
#[derive(Debug)]
pub(super) enum Refusal {
    /// Neither the client's user nor any of its groups is listed.
    NotListed,
    /// As many clients as possible are connected.
    TooMany { connections_max: usize },
    /// The server ends.
    Ending,
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        Self::other(refusal.to_string())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotListed => f.write_str(
                "neither its user nor any of its groups is admitted (allow_uids, \
                             allow_gids)",
            ),
            Self::TooMany { connections_max } => {
                write!(
                    f,
                    "{connections_max} clients are connected, the maximum (connections_max)"
                )
            }
            Self::Ending => f.write_str("the server ends"),
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn family_of(address: SocketAddr) -> AddressFamily {
    match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    }
}

fn refuse_remote(address: SocketAddr) -> io::Result<()> {
    // An IPv4 address may be mapped into IPv6.
    let ip: IpAddr = address.ip().to_canonical();
    if ip.is_loopback() {
        return Ok(());
    }
    Err(invalid(&format!(
        "{address} can be reached from other machines: that takes TLS with client certificates"
    )))
}

fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, what)
}

#[cfg(feature = "activation")]
fn take_stream(sockets: &mut listenfd::ListenFd, index: usize) -> io::Result<Option<OwnedFd>> {
    let stream = i32::try_from(rustix::net::SocketType::STREAM.as_raw()).unwrap_or_default();
    let families = [
        AddressFamily::UNIX,
        AddressFamily::INET,
        AddressFamily::VSOCK,
    ];
    let mut outcome = Ok(None);
    for family in families {
        let family = i32::from(family.as_raw());
        outcome = sockets.take_custom(index, family, stream, "stream socket");
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}
