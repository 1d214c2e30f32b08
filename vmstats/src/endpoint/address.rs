//! The address of a monitor, as people write it.
//!
//! In: a word of the command line, also as QEMU's options are written. Out: an
//! [`Endpoint`], or what to write instead. This file opens nothing.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::Ipv6Addr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::host_folder::{self, vms_folder};

/// The address of a monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// The file of a Unix socket.
    Unix(PathBuf),
    /// A Unix socket without a file, in Linux's abstract namespace, by its name.
    Abstract(OsString),
    /// A TCP port.
    Tcp(HostPort),
    /// A socket between a virtual machine and its host.
    Vsock {
        /// The context ID of the side that listens.
        cid: u32,
        /// The port.
        port: u32,
    },
    /// TLS over TCP.
    Tls {
        /// The TCP port.
        address: HostPort,
        /// The folder with this side's certificate; see
        /// [`with_credentials`](Self::with_credentials).
        credentials: Option<PathBuf>,
    },
}

/// A TCP port of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// The host's name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

const KINDS: &str = "expected a socket's path, unix:PATH, @NAME (an abstract socket), \
                     host:NAME (a virtual machine of `vmstats host`), tcp:HOST:PORT, \
                     tls:HOST:PORT or vsock:CID:PORT";

/// The kind of an address of a virtual machine of `vmstats host`.
const HOST: &str = "host:";

/// The beginnings of addresses that other programs know, and what to write
/// instead.
const FOREIGN: [(&str, &str); 11] = [
    ("socket,", CHARDEV),
    ("chardev:", CHARDEV),
    ("fd:", NO_CLIENT),
    ("file:", NO_CLIENT),
    ("pipe:", NO_CLIENT),
    (
        "websocket:",
        "QMP over WebSocket is not supported; start QEMU with -qmp unix:PATH,server=on,wait=off",
    ),
    ("qemu:", LIBVIRT),
    ("qemu+", LIBVIRT),
    ("http:", NO_URL),
    ("https:", NO_URL),
    ("ssh:", NO_URL),
];

/// The advice for a monitor that another program occupies.
pub const SECOND_MONITOR: &str = "give the VM a second monitor, with QEMU's option -qmp \
                                  unix:PATH,server=on,wait=off (in libvirt's XML within \
                                  qemu:commandline)";

const CHARDEV: &str = "write only where the chardev listens: unix:PATH (its path=), @NAME (with \
                       abstract=on) or tcp:HOST:PORT (its host= and port=)";
const NO_CLIENT: &str = "no client can connect to such a character device; start QEMU with -qmp \
                         unix:PATH,server=on,wait=off and write unix:PATH";
const LIBVIRT: &str = "a libvirt URI is not the address of a monitor; libvirt's own monitor of a \
                       VM is /var/lib/libvirt/qemu/domain-*/monitor.sock, which libvirt occupies: \
                       give the VM a second one, with -qmp unix:PATH,server=on,wait=off";
const NO_URL: &str = "a monitor is no web or SSH server; write tcp:HOST:PORT or tls:HOST:PORT";

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::parse(OsStr::new(text))
    }
}

impl Endpoint {
    /// Parses an address. Paths need not be UTF-8.
    ///
    /// # Errors
    ///
    /// Returns a text that says what to write instead.
    pub fn parse(text: &OsStr) -> Result<Self, String> {
        let starts_with = |prefix: &str| text.as_bytes().starts_with(prefix.as_bytes());
        if let Some(path) = strip_prefix(text, "unix:") {
            return unix(path);
        }
        if let Some(name) = strip_prefix(text, "@") {
            return abstract_name(name);
        }
        // Virtual machines may be called like ports, so a machine called `host` is reached
        // by `tcp:host:PORT` only.
        if let Some(name) = strip_prefix(text, HOST) {
            return host_folder::socket(&vms_folder(), name).map(Self::Unix);
        }
        if let Some((_, advice)) = FOREIGN.iter().find(|(prefix, _)| starts_with(prefix)) {
            return Err((*advice).to_owned());
        }
        // Only a path can be anything but UTF-8.
        let Some(word) = text.to_str() else {
            return Ok(Self::Unix(text.into()));
        };
        // QEMU speaks telnet by sending options of telnet first, which the client
        // skips at every server.
        for kind in ["tcp", "telnet"] {
            if let Some(rest) = strip_kind(word, kind) {
                return tcp(kind, rest).map(Self::Tcp);
            }
        }
        if let Some(rest) = strip_kind(word, "tls") {
            return Ok(Self::Tls {
                address: tcp("tls", rest)?,
                credentials: None,
            });
        }
        if let Some(rest) = strip_kind(word, "vsock") {
            let numbers = rest.split_once(':');
            let numbers =
                numbers.and_then(|(cid, port)| Some((cid.parse().ok()?, port.parse().ok()?)));
            let (cid, port) = numbers.ok_or("expected vsock:CID:PORT with two numbers")?;
            return Ok(Self::Vsock { cid, port });
        }
        match word {
            "" => Err(KINDS.to_owned()),
            _ if looks_like_host_and_port(word) => tcp("tcp", word).map(Self::Tcp),
            _ => Ok(Self::Unix(word.into())),
        }
    }

    /// Returns whether an address means all virtual machines of `vmstats host`.
    #[must_use]
    pub fn is_whole_host(text: &OsStr) -> bool {
        text == HOST
    }

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
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Abstract(name) => write!(f, "@{}", name.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Vsock { cid, port } => write!(f, "vsock:{cid}:{port}"),
            Self::Tls { address, .. } => write!(f, "tls:{address}"),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') {
            write!(f, "[{host}]:{port}")
        } else {
            write!(f, "{host}:{port}")
        }
    }
}

fn strip_prefix<'a>(text: &'a OsStr, prefix: &str) -> Option<&'a OsStr> {
    let rest = text.as_bytes().strip_prefix(prefix.as_bytes())?;
    Some(OsStr::from_bytes(rest))
}

/// Returns the text after `KIND:` or, as in URLs, `KIND://`.
fn strip_kind<'a>(word: &'a str, kind: &str) -> Option<&'a str> {
    let rest = word.strip_prefix(kind)?.strip_prefix(':')?;
    Some(rest.strip_prefix("//").unwrap_or(rest))
}

/// Returns whether a word without a kind is a TCP port: `HOST:PORT`, `:PORT` or
/// `[ADDRESS]:PORT`. A file with such a name is written with `./` or `unix:`.
fn looks_like_host_and_port(word: &str) -> bool {
    let Some((host, port)) = word.rsplit_once(':') else {
        return false;
    };
    let is_host = host
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]%".contains(&byte));
    is_host && !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
}

fn tcp(kind: &str, text: &str) -> Result<HostPort, String> {
    let (text, options) = split_options(text.as_bytes());
    for option in &options {
        match (kind, *option) {
            ("tls", _) | (_, b"telnet" | b"telnet=on") => {}
            (_, b"websocket" | b"websocket=on") => {
                return Err("QMP over WebSocket is not supported: leave out websocket=on".into());
            }
            (_, option) if option.starts_with(b"tls-creds=") => {
                return Err("write tls:HOST:PORT, and --tls DIR with the certificates".into());
            }
            _ => {}
        }
    }
    let wrong = || format!("expected {kind}:HOST:PORT with a port from 1 to 65535");
    let text = std::str::from_utf8(&text).map_err(|_| wrong())?;
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = match port.parse() {
        Ok(port @ 1_u16..) => port,
        _ => return Err(wrong()),
    };
    let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
        Some(Some(address)) => address,
        Some(None) => return Err(wrong()),
        None if host.contains(':') => {
            let is_address = host.parse::<Ipv6Addr>().is_ok();
            let host = if is_address { host } else { "ADDRESS" };
            return Err(format!("write {kind}:[{host}]:{port}, with brackets"));
        }
        // As in QEMU's options, where the server listens at every address.
        None if host.is_empty() => "localhost",
        None => host,
    };
    if host.is_empty() {
        return Err(wrong());
    }
    Ok(HostPort {
        host: host.to_owned(),
        port,
    })
}

fn unix(text: &OsStr) -> Result<Endpoint, String> {
    let (path, options) = split_options(text.as_bytes());
    let path = OsString::from_vec(path);
    if options.contains(&b"tight=off".as_slice()) {
        return Err("abstract sockets with tight=off are not supported: leave it out".to_owned());
    }
    if options.contains(&b"abstract=on".as_slice()) {
        return abstract_name(&path);
    }
    match strip_prefix(&path, "@") {
        Some(name) => abstract_name(name),
        None if path.is_empty() => Err("expected unix:PATH".to_owned()),
        None => Ok(Endpoint::Unix(path.into())),
    }
}

fn abstract_name(name: &OsStr) -> Result<Endpoint, String> {
    match name.len() {
        0 => Err("expected @NAME with the name of an abstract socket".to_owned()),
        1..=107 => Ok(Endpoint::Abstract(name.to_owned())),
        _ => Err("the name of an abstract socket has at most 107 bytes".to_owned()),
    }
}

/// The options of QEMU that may follow the address of a socket.
const QEMU_OPTIONS: [&str; 17] = [
    "abstract",
    "delay",
    "id",
    "ipv4",
    "ipv6",
    "keep-alive",
    "nodelay",
    "nowait",
    "reconnect",
    "reconnect-ms",
    "server",
    "telnet",
    "tight",
    "tls-creds",
    "to",
    "wait",
    "websocket",
];

/// Splits the options of QEMU from the end of an address. A comma within an
/// address that has options is written twice, as in QEMU; an address without
/// options is taken literally.
fn split_options(text: &[u8]) -> (Vec<u8>, Vec<&[u8]>) {
    let mut address = text;
    let mut options = Vec::new();
    loop {
        let mut parts = address.rsplitn(2, |byte| *byte == b',');
        let (Some(option), Some(before)) = (parts.next(), parts.next()) else {
            break;
        };
        let name = option.split(|byte| *byte == b'=').next();
        let is_option = QEMU_OPTIONS
            .iter()
            .any(|known| name == Some(known.as_bytes()));
        if !is_option || before.ends_with(b",") {
            break;
        }
        address = before;
        options.push(option);
    }
    let mut unescaped = Vec::with_capacity(address.len());
    for byte in address {
        // After the first of two commas, leave out the second.
        if !options.is_empty() && *byte == b',' && unescaped.last() == Some(&b',') {
            continue;
        }
        unescaped.push(*byte);
    }
    (unescaped, options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Endpoint) {
        assert_eq!(text.parse(), Ok(expected), "{text}");
    }

    fn check_error(text: &str, expected: &str) {
        let error = text.parse::<Endpoint>().unwrap_err();
        assert!(error.contains(expected), "{text}: {error}");
    }

    fn unix(path: &str) -> Endpoint {
        Endpoint::Unix(path.into())
    }

    fn host_port(host: &str, port: u16) -> HostPort {
        let host = host.to_owned();
        HostPort { host, port }
    }

    fn tcp(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp(host_port(host, port))
    }

    #[test]
    fn unix_socket_is_meant_by_a_path_or_a_name() {
        check("qmp.sock", unix("qmp.sock"));
        check("unix:tcp:1", unix("tcp:1"));
        check("./host:1", unix("./host:1"));
        check("/run/a:1", unix("/run/a:1"));
        check("/run/a:b", unix("/run/a:b"));
        check("a,server=on", unix("a,server=on"));
        check("unix:///run/a", unix("///run/a"));
        check("unix:a,server=on,wait=off", unix("a"));
        check("unix:a,server,nowait", unix("a"));
        check("unix:a,b", unix("a,b"));
        check("unix:a,,b", unix("a,,b"));
        check("unix:a,,b,server=on", unix("a,b"));
        check("unix:a,,server=on", unix("a,,server=on"));
        for text in ["@a", "unix:@a", "unix:a,abstract=on,server=on"] {
            check(text, Endpoint::Abstract("a".into()));
        }
        let path = OsStr::from_bytes(b"/run/\xff");
        assert_eq!(Endpoint::parse(path), Ok(Endpoint::Unix(path.into())));
    }

    #[test]
    fn machine_of_a_host_is_meant_by_its_name() {
        let path = |name: &str| unix(vms_folder().join(name).to_str().unwrap());
        check("host:web1", path("web1.sock"));
        check("host:101", path("101.sock"));
        check("tcp:host:101", tcp("host", 101));
        check("./host:web1", unix("./host:web1"));
        check_error("host:", "expected one, as host:NAME");
        check_error("host:a/b", "without '/'");
        check_error("host:..", "not the name of a virtual machine");
    }

    #[test]
    fn tcp_port_is_meant_by_a_host_and_a_port() {
        check("tcp:localhost:4444", tcp("localhost", 4444));
        check("tcp://localhost:4444", tcp("localhost", 4444));
        check("tcp::4444", tcp("localhost", 4444));
        check(":4444", tcp("localhost", 4444));
        check("host-1.example:4444", tcp("host-1.example", 4444));
        check("[::1]:4444", tcp("::1", 4444));
        check("tcp:[fe80::1%eth0]:1", tcp("fe80::1%eth0", 1));
        check("telnet:host:1", tcp("host", 1));
        check("tcp:host:1,server=on,wait=off", tcp("host", 1));
        check("tcp::1,server,nowait,telnet=on,ipv4", tcp("localhost", 1));
        check("vsock:2:5", Endpoint::Vsock { cid: 2, port: 5 });
        let tls: Endpoint = "tls:[::1]:1".parse().unwrap();
        assert_eq!(tls.to_string(), "tls:[::1]:1");
        assert_eq!(
            tls.with_credentials(Some("folder".as_ref())),
            Endpoint::Tls {
                address: host_port("::1", 1),
                credentials: Some("folder".into())
            }
        );
    }

    #[test]
    fn error_says_what_to_write_when_no_address_is_meant() {
        for text in [
            "tcp:",
            "tcp:host",
            "tcp:host:99999",
            "tcp:host:0",
            "tcp:[]:1",
            "h:99999",
        ] {
            check_error(text, "tcp:HOST:PORT with a port from 1 to 65535");
        }
        check_error("tls:host", "tls:HOST:PORT");
        check_error("", "tcp:HOST:PORT");
        check_error("unix:", "unix:PATH");
        check_error("@", "@NAME");
        check_error("vsock:2", "vsock:CID:PORT");
        check_error("vsock:host:1", "vsock:CID:PORT");
        check_error("::1:4444", "write tcp:[::1]:4444");
        check_error("tcp:::1:4444", "write tcp:[::1]:4444");
        check_error("tcp:host:1,tls-creds=t", "tls:HOST:PORT");
        check_error("tcp:host:1,websocket=on", "WebSocket");
        check_error("websocket:host:1", "WebSocket");
        check_error("socket,id=m,path=/run/a,server=on", "unix:PATH");
        check_error("fd:3", "-qmp");
        check_error("qemu:///system", "libvirt");
        check_error("http://host:1/", "tcp:HOST:PORT");
    }
}
