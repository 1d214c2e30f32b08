//! The place of `tls.rs` in a build without feature `tls`.
//!
//! In: the same arguments. Out: an error that says what is missing. This file knows
//! no certificates.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Instant;

use stats_runtime::server::Listener;

fn unsupported<T>() -> io::Result<T> {
    let why = "this vmstats was built without TLS; build it with the cargo feature `tls`, or \
               connect through a tunnel such as `ssh -L`";
    Err(io::Error::new(io::ErrorKind::InvalidInput, why))
}

/// Refuses a folder of certificates, given or not.
///
/// # Errors
///
/// Always returns [`InvalidInput`](io::ErrorKind::InvalidInput).
pub fn folder(_credentials: Option<&Path>) -> io::Result<&Path> {
    unsupported()
}

/// Refuses to listen.
///
/// # Errors
///
/// Always returns [`InvalidInput`](io::ErrorKind::InvalidInput).
pub fn listen(_address: SocketAddr, _folder: &Path, _subjects: &[String]) -> io::Result<Listener> {
    unsupported()
}

/// Credentials that no program has.
#[cfg(feature = "export")]
#[derive(Clone, Debug)]
pub struct Acceptor(Infallible);

#[cfg(feature = "export")]
impl Acceptor {
    /// Refuses a folder.
    ///
    /// # Errors
    ///
    /// Always returns [`InvalidInput`](io::ErrorKind::InvalidInput).
    pub fn new(_folder: &Path, _subjects: &[String]) -> io::Result<Self> {
        unsupported()
    }

    pub(crate) async fn accept<S>(&self, _stream: S) -> io::Result<S> {
        match self.0 {}
    }
}

/// A connection that no program has.
#[derive(Clone, Debug)]
pub struct TlsStream(Infallible);

impl TlsStream {
    /// Refuses a connection.
    ///
    /// # Errors
    ///
    /// Always returns [`InvalidInput`](io::ErrorKind::InvalidInput).
    pub fn new(_socket: TcpStream, _host: &str, _folder: &Path) -> io::Result<Self> {
        unsupported()
    }

    pub(crate) fn shut_down(&self) {
        match self.0 {}
    }

    pub(crate) fn read(&self, _buffer: &mut [u8], _deadline: Option<Instant>) -> io::Result<usize> {
        match self.0 {}
    }

    pub(crate) fn write(&self, _bytes: &[u8], _deadline: Instant) -> io::Result<usize> {
        match self.0 {}
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::endpoint::Endpoint;

    #[test]
    fn endpoint_says_that_the_build_has_no_tls() {
        let endpoint: Endpoint = "tls:127.0.0.1:1".parse().unwrap();
        for folder in [None, Some(Path::new("/certificates"))] {
            let endpoint = endpoint.clone().with_credentials(folder);
            let error = endpoint.connect(Instant::now() + Duration::from_secs(1));
            let error = error.unwrap_err().to_string();
            assert!(error.contains("built without TLS"), "{error}");
        }
    }
}
