//! The addresses at which `demo` and `serve` listen.
//!
//! In: the values of `--listen`. Out: bound sockets. This file serves no client.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use rustix::process::{PidfdFlags, PidfdGetfdFlags};
use stats_runtime::server::{Inherited, Listener, UnixAccess};

use crate::failure::Failure;
use crate::tls;

/// An address to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// A Unix socket; see [`Admission`].
    Unix(PathBuf),
    /// A TCP port of the loopback.
    Tcp(SocketAddr),
    /// A TCP port for clients that have a certificate.
    Tls(SocketAddr),
    /// A vsock port: for guests, or with CID 1 for this machine.
    Vsock {
        /// The context ID to listen at; `u32::MAX` means any.
        cid: u32,
        /// The port.
        port: u32,
    },
    /// A socket of the service manager by its name, or an inherited descriptor by
    /// its number. The socket listens or is connected.
    Inherited(String),
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Tls(address) => write!(f, "tls:{address}"),
            Self::Vsock {
                cid: u32::MAX,
                port,
            } => write!(f, "vsock:any:{port}"),
            Self::Vsock { cid, port } => write!(f, "vsock:{cid}:{port}"),
            Self::Inherited(name) => write!(f, "fd:{name}"),
        }
    }
}

impl FromStr for Listen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            "expected unix:PATH, tcp:ADDRESS:PORT, tls:ADDRESS:PORT, vsock:CID:PORT (with CID \
             any for any), fd:NAME or fd:NUMBER"
                .to_owned()
        };
        let (kind, rest) = text.split_once(':').ok_or_else(wrong)?;
        match kind {
            "unix" if rest.starts_with('@') => Err(format!(
                "an abstract socket has no mode, so every user could connect; for a file with this \
                 name write unix:./{rest}"
            )),
            "unix" if !rest.is_empty() => Ok(Self::Unix(rest.into())),
            "fd" if !rest.is_empty() => Ok(Self::Inherited(rest.to_owned())),
            "tcp" => rest.parse().map(Self::Tcp).map_err(|_| wrong()),
            "tls" => rest.parse().map(Self::Tls).map_err(|_| wrong()),
            "vsock" => {
                let (cid, port) = rest.split_once(':').ok_or_else(wrong)?;
                let cid = if cid == "any" {
                    Ok(u32::MAX)
                } else {
                    cid.parse()
                };
                match (cid, port.parse()) {
                    (Ok(cid), Ok(port)) => Ok(Self::Vsock { cid, port }),
                    _ => Err(wrong()),
                }
            }
            _ => Err(wrong()),
        }
    }
}

/// The rules of who may connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The mode of a Unix socket's file.
    pub mode: u32,
    /// The group of a Unix socket's file, or `None` for that of the process.
    pub group: Option<u32>,
    /// The users whose processes are served on Unix sockets. If there are neither
    /// users nor groups, every process is served.
    pub uids: Vec<u32>,
    /// The groups whose processes are served on Unix sockets.
    pub gids: Vec<u32>,
    /// The subjects of certificates that are served over TLS. If this list is
    /// empty, every client with a valid certificate is served.
    pub subjects: Vec<String>,
}

impl Default for Admission {
    /// Returns rules that admit only the program's own user.
    fn default() -> Self {
        Self {
            mode: 0o600,
            group: None,
            uids: Vec::new(),
            gids: Vec::new(),
            subjects: Vec::new(),
        }
    }
}

impl Admission {
    /// Binds a Unix socket with these rules.
    ///
    /// # Errors
    ///
    /// Returns the kernel's error, for example that somebody listens at `path`.
    pub fn unix(&self, path: &Path) -> io::Result<Listener> {
        let mut access = UnixAccess::mode(self.mode);
        if let Some(group) = self.group {
            access = access.group(group);
        }
        let listener = Listener::unix_with(path, access)?;
        Ok(listener.allow_uids(&self.uids).allow_gids(&self.gids))
    }
}

/// The sockets at which a monitor is served.
#[derive(Debug, Default)]
pub struct Sockets {
    /// The sockets that listen.
    pub listeners: Vec<Listener>,
    /// The sockets that are connected to a client already.
    pub clients: Vec<OwnedFd>,
}

/// Binds sockets at all addresses. Call it before the program has other threads,
/// because it removes inherited sockets from the environment. `credentials` is
/// the folder with the certificates of [`tls::listen`].
///
/// # Errors
///
/// Returns an error if an address cannot be bound, if no inherited socket has the
/// given name, or if a certificate cannot be used.
pub fn bind(
    addresses: &[Listen],
    credentials: Option<&Path>,
    admission: &Admission,
) -> Result<Sockets, Failure> {
    let is_inherited = |address: &Listen| matches!(address, Listen::Inherited(_));
    let mut inherited = if addresses.iter().any(is_inherited) {
        let cannot = |error| Failure::other(format!("cannot take the inherited sockets: {error}"));
        Listener::inherited().map_err(cannot)?
    } else {
        Vec::new()
    };
    let mut sockets = Sockets::default();
    for address in addresses {
        let bound = match address {
            Listen::Unix(path) => admission.unix(path),
            Listen::Tcp(address) => Listener::tcp(*address),
            Listen::Tls(address) => {
                let folder =
                    tls::folder(credentials).map_err(|error| Failure::usage(error.to_string()))?;
                tls::listen(*address, folder, &admission.subjects)
            }
            Listen::Vsock { cid, port } => Listener::vsock(*cid, *port),
            Listen::Inherited(name) => match take_inherited(&mut inherited, name)? {
                Inherited::Listener(listener) => Ok(listener),
                Inherited::Client(socket) => {
                    sockets.clients.push(socket);
                    continue;
                }
            },
        };
        let listener = bound
            .map_err(|error| Failure::other(format!("cannot listen on {address}: {error}")))?;
        sockets.listeners.push(listener);
    }
    Ok(sockets)
}

/// Removes the socket called `name` from those of the service manager, or else
/// duplicates the descriptor with that number.
fn take_inherited(
    inherited: &mut Vec<(String, Inherited)>,
    name: &str,
) -> Result<Inherited, Failure> {
    if let Some(index) = inherited.iter().position(|(other, _)| other == name) {
        return Ok(inherited.swap_remove(index).1);
    }
    let number: i32 = name.parse().map_err(|_| {
        Failure::usage(format!(
            "no inherited socket is called '{name}' (LISTEN_FDNAMES), and it is not the number \
             of a descriptor"
        ))
    })?;
    // A duplicate, because to own a descriptor by its number is unsafe: another
    // part of the program could own it. The server shuts the connection down when
    // the client has left, so the original does not keep the connection open.
    let this = rustix::process::getpid();
    rustix::process::pidfd_open(this, PidfdFlags::empty())
        .and_then(|this| rustix::process::pidfd_getfd(this, number, PidfdGetfdFlags::empty()))
        .map_err(io::Error::from)
        .and_then(Inherited::new)
        .map_err(|error| {
            Failure::other(format!(
                "cannot take descriptor {number} (fd:{number}): {error}"
            ))
        })
}

/// Connects to the programs that wait for the monitor at these addresses.
///
/// # Errors
///
/// Returns an error if nobody listens at an address.
pub fn connect(addresses: &[Connect]) -> Result<Vec<OwnedFd>, Failure> {
    let connect = |address: &Connect| {
        match address {
            Connect::Unix(path) => UnixStream::connect(path).map(OwnedFd::from),
            Connect::Tcp(address) => TcpStream::connect(address).map(OwnedFd::from),
        }
        .map_err(|error| Failure::other(format!("cannot connect to {address}: {error}")))
    };
    addresses.iter().map(connect).collect()
}

/// An address at which another program waits for the monitor to connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connect {
    /// A Unix socket.
    Unix(PathBuf),
    /// A TCP port of the loopback.
    Tcp(SocketAddr),
}

impl FromStr for Connect {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some(("unix", path)) if !path.is_empty() => Ok(Self::Unix(path.into())),
            Some(("tcp", address)) => match address.parse::<SocketAddr>() {
                Ok(address) if address.ip().is_loopback() => Ok(Self::Tcp(address)),
                Ok(_) => Err(
                    "the connection is not encrypted: only addresses of this machine \
                              are possible"
                        .to_owned(),
                ),
                Err(_) => Err("expected tcp:ADDRESS:PORT, such as tcp:127.0.0.1:4444".to_owned()),
            },
            _ => Err("expected unix:PATH or tcp:ADDRESS:PORT".to_owned()),
        }
    }
}

impl fmt::Display for Connect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_of_every_kind_is_parsed() {
        let vsock = |cid, port| Listen::Vsock { cid, port };
        for (text, expected) in [
            ("unix:a:b", Some(Listen::Unix("a:b".into()))),
            (
                "tcp:[::1]:4444",
                Some(Listen::Tcp(([0, 0, 0, 0, 0, 0, 0, 1], 4444).into())),
            ),
            (
                "tls:0.0.0.0:4444",
                Some(Listen::Tls(([0, 0, 0, 0], 4444).into())),
            ),
            ("vsock:any:5", Some(vsock(u32::MAX, 5))),
            ("vsock:2:5", Some(vsock(2, 5))),
            ("fd:monitor", Some(Listen::Inherited("monitor".to_owned()))),
            ("tcp:localhost:1", None),
            ("tcp:127.0.0.1", None),
            ("vsock:5", None),
            ("unix:", None),
            ("unix:@name", None),
            ("unix:./@name", Some(Listen::Unix("./@name".into()))),
            ("fd:", None),
            ("/path", None),
        ] {
            assert_eq!(text.parse().ok(), expected, "{text}");
        }
    }

    #[test]
    fn bind_says_why_when_it_fails() {
        let admission = Admission::default();
        let bind = |text: &str| bind(&[text.parse().unwrap()], None, &admission);
        assert_eq!(bind("tcp:127.0.0.1:0").unwrap().listeners.len(), 1);
        let tls_needs = if cfg!(feature = "tls") {
            "--tls"
        } else {
            "without TLS"
        };
        for (text, why) in [
            ("tcp:192.0.2.1:0", "TLS"),
            ("tls:127.0.0.1:0", tls_needs),
            ("fd:nobody", "no inherited socket is called 'nobody'"),
            ("fd:99999", "cannot take descriptor 99999"),
        ] {
            let error = bind(text).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
