//! Where clients come from: sockets that listen, of any kind.
//!
//! In: an address, or a socket that somebody else bound. Out: clients that may
//! be let in. What listens beyond this machine asks for certificates.

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, sockopt};

use super::stream::Stream;
use crate::net::unix::{self, SocketFile};

/// A socket that listens for clients.
#[derive(Debug)]
pub struct Listener {
    /// The file of a Unix socket, dropped before the socket: see [`SocketFile`].
    _file: Option<SocketFile>,
    socket: OwnedFd,
    family: AddressFamily,
    uids: Vec<u32>,
    gids: Vec<u32>,
    #[cfg(feature = "tls")]
    tls: Option<super::tls::Tls>,
}

impl Listener {
    /// A Unix socket that only its owner can connect to; see
    /// [`bind_private`](super::bind_private). Its file is removed when the
    /// listener is dropped.
    ///
    /// # Errors
    ///
    /// What the kernel says: a path that is too long, in use, not to be
    /// written.
    pub fn unix(path: &Path) -> io::Result<Self> {
        Self::unix_with_mode(path, 0o600)
    }

    /// The same for those whom the mode of the socket's file lets write to it,
    /// for example 0o660.
    ///
    /// # Errors
    ///
    /// As [`unix`](Self::unix).
    pub fn unix_with_mode(path: &Path, mode: u32) -> io::Result<Self> {
        let socket = unix::bind_with_mode(path, Mode::from_raw_mode(mode))?;
        let file = SocketFile::at(path);
        Self::new(socket.into(), Some(file))
    }

    /// TCP on an address of this machine's loopback. Every user of the machine
    /// can connect to it.
    ///
    /// # Errors
    ///
    /// That others could connect: [`tls`](Self::tls) is for them. Otherwise
    /// what the kernel says.
    pub fn tcp(address: SocketAddr) -> io::Result<Self> {
        refuse_remote(address)?;
        Self::new(TcpListener::bind(address)?.into(), None)
    }

    /// TCP on any address, for clients that have a certificate.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    #[cfg(feature = "tls")]
    pub fn tls(address: SocketAddr, tls: super::tls::Tls) -> io::Result<Self> {
        let mut listener = Self::new(TcpListener::bind(address)?.into(), None)?;
        listener.tls = Some(tls);
        Ok(listener)
    }

    /// A vsock port. On a host every guest that has a vsock device can connect
    /// to it, whatever the context ID (`u32::MAX` for any); who is let in is
    /// for the protocol, or the choice of commands, to say.
    ///
    /// # Errors
    ///
    /// What the kernel says, for example that it has no vsock.
    #[cfg(feature = "vsock")]
    pub fn vsock(cid: u32, port: u32) -> io::Result<Self> {
        let socket = vsock::VsockListener::bind_with_cid_port(cid, port)?;
        Self::new(socket.into(), None)
    }

    /// A stream socket that listens already. It becomes nonblocking.
    ///
    /// # Errors
    ///
    /// That it is none, or one of TCP beyond the loopback.
    pub fn from_socket(socket: OwnedFd) -> io::Result<Self> {
        if !sockopt::socket_acceptconn(&socket)? {
            return Err(invalid("the socket does not listen"));
        }
        let listener = Self::new(socket, None)?;
        if let Some(address) = listener.tcp_address() {
            refuse_remote(address)?;
        }
        Ok(listener)
    }

    /// The sockets that the service manager listens on for this process
    /// (`LISTEN_FDS`, see sd_listen_fds(3)), with their names: those of
    /// `FileDescriptorName=`, or else `0`, `1` and so on.
    ///
    /// They are handed over once: call it early, before there are further
    /// threads, because it takes them out of the environment.
    ///
    /// # Errors
    ///
    /// That one of them is no stream socket of a kind that is known here, or
    /// one of TCP beyond the loopback.
    #[cfg(feature = "activation")]
    pub fn inherited() -> io::Result<Vec<(String, Self)>> {
        let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        let mut sockets = listenfd::ListenFd::from_env();
        let mut listeners = Vec::new();
        for index in 0..sockets.len() {
            let name = names
                .next()
                .map_or_else(|| index.to_string(), str::to_owned);
            if let Some(socket) = take_stream(&mut sockets, index)? {
                listeners.push((name, Self::from_socket(socket)?));
            }
        }
        Ok(listeners)
    }

    fn new(socket: OwnedFd, file: Option<SocketFile>) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let family = sockopt::socket_domain(&socket)?;
        Ok(Self {
            socket,
            family,
            _file: file,
            uids: Vec::new(),
            gids: Vec::new(),
            #[cfg(feature = "tls")]
            tls: None,
        })
    }

    /// Lets in only processes of these users, or of the groups of
    /// [`allow_gids`](Self::allow_gids), as the kernel knows them
    /// (`SO_PEERCRED`); others are turned away without a word. Without either,
    /// everybody is let in who can connect. On other than Unix sockets nobody
    /// has a user, and so nobody is let in.
    #[must_use]
    pub fn allow_uids(mut self, uids: &[u32]) -> Self {
        self.uids.extend_from_slice(uids);
        self
    }

    /// The same for groups: a process's own group, not its supplementary ones.
    #[must_use]
    pub fn allow_gids(mut self, gids: &[u32]) -> Self {
        self.gids.extend_from_slice(gids);
        self
    }

    /// The address of a TCP socket, with the port that the kernel chose if it
    /// was to.
    #[must_use]
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        let address = rustix::net::getsockname(&self.socket).ok()?;
        SocketAddr::try_from(address).ok()
    }

    /// The next client; `None` if there is none now.
    pub(super) fn accept(&self) -> io::Result<Option<OwnedFd>> {
        loop {
            match rustix::net::accept_with(&self.socket, SocketFlags::CLOEXEC) {
                Ok(socket) => return Ok(Some(socket)),
                Err(Errno::AGAIN) => return Ok(None),
                // It has left again.
                Err(Errno::INTR | Errno::CONNABORTED) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// The stream of a client, if it may come in.
    pub(super) fn admit(&self, client: OwnedFd) -> Option<Stream> {
        if !self.allows(&client) {
            return None;
        }
        if self.family != AddressFamily::UNIX {
            // Replies are whole: there is nothing to wait for. Where there is
            // no such option, there is no such delay.
            let _ = sockopt::set_tcp_nodelay(&client, true);
        }
        let stream = Stream::new(client, self.family);
        #[cfg(feature = "tls")]
        if let Some(tls) = &self.tls {
            return Some(stream.with_tls(tls.channel().ok()?));
        }
        Some(stream)
    }

    fn allows(&self, client: &OwnedFd) -> bool {
        if self.uids.is_empty() && self.gids.is_empty() {
            return true;
        }
        self.family == AddressFamily::UNIX
            && sockopt::socket_peercred(client).is_ok_and(|peer| {
                self.uids.contains(&peer.uid.as_raw()) || self.gids.contains(&peer.gid.as_raw())
            })
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn refuse_remote(address: SocketAddr) -> io::Result<()> {
    // An IPv4 address may come as one of IPv6.
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
