//! Where a monitor is to be found, and a stream to it.
//!
//! In: `PATH`, `unix:PATH` or `tcp:HOST:PORT`. Out: a connected stream with a
//! time limit on every read and write. It knows no protocol.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

/// The address of a monitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// A Unix socket.
    Unix(PathBuf),
    /// A host and a port, as `HOST:PORT`.
    Tcp(String),
}

impl FromStr for Endpoint {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(address) = text.strip_prefix("tcp:") {
            return match address.rsplit_once(':') {
                Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok() => {
                    Ok(Self::Tcp(address.to_owned()))
                }
                _ => Err("expected tcp:HOST:PORT with a port from 0 to 65535".to_owned()),
            };
        }
        match text.strip_prefix("unix:").unwrap_or(text) {
            "" => Err("expected a socket's path, unix:PATH or tcp:HOST:PORT".to_owned()),
            path => Ok(Self::Unix(path.into())),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "tcp:{address}"),
        }
    }
}

impl Endpoint {
    /// Connects. No single read, write or attempt to connect takes longer than
    /// `timeout`.
    ///
    /// # Errors
    ///
    /// What the kernel says.
    pub fn connect(&self, timeout: Duration) -> io::Result<Stream> {
        match self {
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                Ok(Stream::Unix(stream))
            }
            Self::Tcp(address) => {
                let stream = connect_tcp(address, timeout)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(timeout))?;
                stream.set_write_timeout(Some(timeout))?;
                Ok(Stream::Tcp(stream))
            }
        }
    }
}

/// Tries every address that the host's name stands for.
fn connect_tcp(address: &str, timeout: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A connection to a monitor.
#[derive(Debug)]
pub enum Stream {
    /// Over a Unix socket.
    Unix(UnixStream),
    /// Over TCP.
    Tcp(TcpStream),
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
        for wrong in ["", "unix:", "tcp:", "tcp:host", "tcp::1", "tcp:host:99999"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
