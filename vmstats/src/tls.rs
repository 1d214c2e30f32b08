//! TLS to a monitor, and who this side is.
//!
//! In: a folder of certificates, a connected socket. Out: plaintext, of a
//! server whose certificate is known. It knows no protocol above.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use stats_runtime::server::Tls;

/// The names of the files are those that QEMU's `tls-creds-x509` has.
const AUTHORITIES: &str = "ca-cert.pem";
const SERVER: [&str; 2] = ["server-cert.pem", "server-key.pem"];
const CLIENT: [&str; 2] = ["client-cert.pem", "client-key.pem"];

/// A server's side, from a folder with `ca-cert.pem`, `server-cert.pem` and
/// `server-key.pem`.
///
/// # Errors
///
/// That one of them is missing, or not what it is to be.
pub fn server(folder: &Path) -> io::Result<Tls> {
    let [certificate, key] = SERVER.map(|name| folder.join(name));
    Tls::from_files(&certificate, &key, &folder.join(AUTHORITIES)).map_err(io::Error::other)
}

/// A client's side, from a folder with `ca-cert.pem`, `client-cert.pem` and
/// `client-key.pem`.
fn client(folder: &Path) -> io::Result<Arc<ClientConfig>> {
    let wrong = |name: &str, error: &dyn std::fmt::Display| {
        let path = folder.join(name);
        io::Error::other(format!("{}: {error}", path.display()))
    };
    let certificates = |name: &str| -> io::Result<Vec<CertificateDer<'static>>> {
        CertificateDer::pem_file_iter(folder.join(name))
            .and_then(Iterator::collect)
            .map_err(|error| wrong(name, &error))
    };
    let mut roots = RootCertStore::empty();
    for authority in certificates(AUTHORITIES)? {
        let added = roots.add(authority);
        added.map_err(|error| wrong(AUTHORITIES, &error))?;
    }
    let [certificate, key_name] = CLIENT;
    let key = PrivateKeyDer::from_pem_file(folder.join(key_name))
        .map_err(|error| wrong(key_name, &error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(certificate)?, key)
        .map_err(|error| wrong(certificate, &error))?;
    Ok(Arc::new(config))
}

/// A connection to a server. Its handles can be used from several threads.
#[derive(Clone, Debug)]
pub struct TlsStream {
    socket: Arc<TcpStream>,
    /// Locked for no longer than the socket takes or gives without waiting.
    connection: Arc<Mutex<ClientConnection>>,
}

impl TlsStream {
    /// A connection over `socket` to the server called `host`, as whom the
    /// folder's certificate says. The handshake comes with the first reading.
    ///
    /// # Errors
    ///
    /// A certificate that is missing or none, a name that cannot be one.
    pub fn new(socket: TcpStream, host: &str, folder: &Path) -> io::Result<Self> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(client(folder)?, name).map_err(io::Error::other)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Arc::new(socket),
            connection: Arc::new(Mutex::new(connection)),
        })
    }

    fn connection(&self) -> MutexGuard<'_, ClientConnection> {
        self.connection
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the connection for both sides and every handle.
    pub fn shut_down(&self) {
        self.connection().send_close_notify();
        // One that is broken needs no end.
        let _ = self.flush();
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Reads what there is, waiting for it until the deadline if there is one;
    /// 0 at the end.
    ///
    /// # Errors
    ///
    /// What the kernel or TLS says, or that the time is up.
    pub fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        loop {
            match self.connection().reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            let has_sent = self.flush()?;
            if self.receive()? {
                continue;
            }
            let wanted = if has_sent {
                PollFlags::IN
            } else {
                PollFlags::IN | PollFlags::OUT
            };
            self.wait(wanted, deadline)?;
        }
    }

    /// Takes what has come; false if nothing has.
    fn receive(&self) -> io::Result<bool> {
        let mut connection = self.connection();
        match connection.read_tls(&mut &*self.socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            read => read?,
        };
        let processed = connection.process_new_packets();
        drop(connection);
        processed.map_err(|error| {
            // The server is told why, if it listens.
            let _ = self.flush();
            io::Error::new(io::ErrorKind::InvalidData, error)
        })?;
        Ok(true)
    }

    /// Writes some of `bytes` before the deadline.
    ///
    /// # Errors
    ///
    /// What the kernel says, or that the time is up.
    pub fn write(&self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        let count = self.connection().writer().write(bytes)?;
        while !self.flush()? {
            self.wait(PollFlags::OUT, Some(deadline))?;
        }
        Ok(count)
    }

    /// Sends what waits; false if the socket does not take all of it.
    fn flush(&self) -> io::Result<bool> {
        let mut connection = self.connection();
        while connection.wants_write() {
            match connection.write_tls(&mut &*self.socket) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn wait(&self, wanted: PollFlags, deadline: Option<Instant>) -> io::Result<()> {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left == Some(Duration::ZERO) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut sockets = [PollFd::new(&*self.socket, wanted)];
        match rustix::event::poll(&mut sockets, left.as_ref()) {
            Err(rustix::io::Errno::INTR) => Ok(()),
            polled => Ok(polled.map(drop)?),
        }
    }
}
