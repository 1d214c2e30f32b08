//! TLS to a monitor.
//!
//! In: a folder of certificates, and a connected socket. Out: the plaintext of a
//! server whose certificate has been verified. This file knows no protocol above
//! TLS.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustls::client::{VerifierBuilderError, WebPkiServerVerifier};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore};
use stats_runtime::server::{Listener, Tls, TlsBuilder};

use crate::lock::Lock;
use qapi_wire::client::deadline::remaining;

// The names of the files are those of QEMU's `tls-creds-x509`.
const AUTHORITIES: &str = "ca-cert.pem";
const CLIENT: [&str; 2] = ["client-cert.pem", "client-key.pem"];
const REVOCATIONS: &str = "ca-crl.pem";

/// Returns the folder of certificates that was given.
///
/// # Errors
///
/// Returns [`InvalidInput`](io::ErrorKind::InvalidInput) without a folder.
pub fn folder(credentials: Option<&Path>) -> io::Result<&Path> {
    credentials.ok_or_else(|| {
        let why = "TLS needs certificates: see --tls";
        io::Error::new(io::ErrorKind::InvalidInput, why)
    })
}

/// Listens at a TCP port with the server's credentials in `folder`; see
/// [`TlsBuilder::from_folder`]. Admits clients with these subjects, or every client
/// with a valid certificate if the list is empty.
///
/// # Errors
///
/// Returns the kernel's error, or an error that names the file which is missing or
/// cannot be used.
pub fn listen(address: SocketAddr, folder: &Path, subjects: &[String]) -> io::Result<Listener> {
    Listener::tls(address, server(folder, subjects)?)
}

fn server(folder: &Path, subjects: &[String]) -> io::Result<Tls> {
    TlsBuilder::from_folder(folder)
        .and_then(|builder| builder.admit_subjects(subjects).build())
        .map_err(io::Error::other)
}

/// The credentials of a server over HTTP.
#[cfg(feature = "export")]
#[derive(Clone)]
pub struct Acceptor(tokio_rustls::TlsAcceptor);

#[cfg(feature = "export")]
impl Acceptor {
    /// Loads the credentials of [`listen`].
    ///
    /// # Errors
    ///
    /// Returns an error that names the file which is missing or cannot be used.
    pub fn new(folder: &Path, subjects: &[String]) -> io::Result<Self> {
        Ok(Self(server(folder, subjects)?.server_config().into()))
    }

    /// Makes the handshake of a connection.
    ///
    /// # Errors
    ///
    /// Returns an error if the client has no certificate that is admitted.
    pub async fn accept<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin>(
        &self,
        stream: S,
    ) -> io::Result<tokio_rustls::server::TlsStream<S>> {
        self.0.accept(stream).await.map_err(refusal)
    }
}

/// Returns an error of a handshake with the verifier's own reason, which TLS would show
/// in a form for programmers.
#[cfg(feature = "export")]
fn refusal(error: io::Error) -> io::Error {
    use rustls::Error::InvalidCertificate;
    let cause = error.get_ref().and_then(|error| error.downcast_ref());
    match cause {
        Some(InvalidCertificate(CertificateError::Other(reason))) => {
            io::Error::new(error.kind(), reason.0.to_string())
        }
        _ => error,
    }
}

/// Loads a client's certificates from a folder with `ca-cert.pem`,
/// `client-cert.pem` and `client-key.pem`. A server whose certificate is in
/// `ca-crl.pem`, if that file exists, is refused, and so is every server once the
/// list has expired.
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
    let revocations = match CertificateRevocationListDer::pem_file_iter(folder.join(REVOCATIONS)) {
        Ok(lists) => lists.collect(),
        Err(pem::Error::Io(error)) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    };
    let revocations: Vec<_> = revocations.map_err(|error| wrong(REVOCATIONS, &error))?;
    if revocations.is_empty() && folder.join(REVOCATIONS).symlink_metadata().is_ok() {
        return Err(wrong(REVOCATIONS, &"no revocation list in PEM is in it"));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .with_crls(revocations)
            .allow_unknown_revocation_status()
            .enforce_revocation_expiration()
            .build()
            .map_err(|error| match error {
                VerifierBuilderError::InvalidCrl(_) => wrong(REVOCATIONS, &error),
                _ => wrong(AUTHORITIES, &error),
            })?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(certificates(certificate)?, key)
        .map_err(|error| wrong(certificate, &error))?;
    Ok(Arc::new(config))
}

/// A connection to a server. Its clones are handles to the same connection, for
/// several threads.
#[derive(Clone, Debug)]
pub struct TlsStream {
    socket: Arc<TcpStream>,
    /// Never locked while a thread waits for the socket, so that one thread can
    /// read while another writes.
    connection: Arc<Lock<ClientConnection>>,
}

impl TlsStream {
    /// Begins a connection over `socket` to the server called `host`, with the
    /// certificate in `folder`. The handshake happens while the caller reads for
    /// the first time.
    ///
    /// # Errors
    ///
    /// Returns an error if a certificate cannot be used, or if `host` is not a
    /// valid name.
    pub fn new(socket: TcpStream, host: &str, folder: &Path) -> io::Result<Self> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connection = ClientConnection::new(client(folder)?, name).map_err(io::Error::other)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket: Arc::new(socket),
            connection: Arc::new(Lock::new(connection)),
        })
    }

    /// Ends the connection for both sides and every handle.
    pub fn shut_down(&self) {
        self.connection.lock().send_close_notify();
        // Ignore errors: flushing and shutting down fail if the connection has
        // already ended.
        let _ = self.flush();
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Reads the bytes that have come. Waits for the first byte until the deadline,
    /// or forever without a deadline. Returns 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// Returns [`TimedOut`](io::ErrorKind::TimedOut) if the deadline passes, and
    /// otherwise the kernel's or TLS's error.
    pub fn read(&self, buffer: &mut [u8], deadline: Option<Instant>) -> io::Result<usize> {
        loop {
            match self.connection.lock().reader().read(buffer) {
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

    /// Receives records from the socket. Returns false if none has come.
    fn receive(&self) -> io::Result<bool> {
        let mut connection = self.connection.lock();
        match connection.read_tls(&mut &*self.socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            read => read?,
        };
        let processed = connection.process_new_packets();
        drop(connection);
        processed.map_err(|error| {
            // Tells the server the reason, if it still reads.
            let _ = self.flush();
            io::Error::new(io::ErrorKind::InvalidData, explain(&error))
        })?;
        Ok(true)
    }

    /// Writes some of `bytes` before the deadline. The last byte is a record of its
    /// own, because QEMU 7.1 and 7.2 wait for another record before they look at
    /// the bytes that TLS has buffered; otherwise a request that ends with its
    /// record is never answered.
    ///
    /// # Errors
    ///
    /// Returns [`TimedOut`](io::ErrorKind::TimedOut) if the deadline passes, and
    /// otherwise the kernel's error.
    pub fn write(&self, bytes: &[u8], deadline: Instant) -> io::Result<usize> {
        let record = match bytes {
            [head @ .., _] if !head.is_empty() => head,
            last => last,
        };
        let count = self.connection.lock().writer().write(record)?;
        while !self.flush()? {
            self.wait(PollFlags::OUT, Some(deadline))?;
        }
        Ok(count)
    }

    /// Sends buffered records. Returns false if the socket does not take all of
    /// them.
    fn flush(&self) -> io::Result<bool> {
        let mut connection = self.connection.lock();
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
        let left = deadline.map(remaining).transpose()?;
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let mut sockets = [PollFd::new(&*self.socket, wanted)];
        match rustix::event::poll(&mut sockets, left.as_ref()) {
            Err(rustix::io::Errno::INTR) => Ok(()),
            polled => Ok(polled.map(drop)?),
        }
    }
}

/// Returns an error of TLS in words for an operator.
fn explain(error: &rustls::Error) -> String {
    let advice = match error {
        rustls::Error::InvalidMessage(_) => {
            return "the server does not speak TLS; without TLS it is tcp:HOST:PORT".to_owned();
        }
        rustls::Error::AlertReceived(_) => "is client-cert.pem one that the server admits?",
        // An authority of the same name signs with another key.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => "it is not issued by an authority in ca-cert.pem",
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => "write the host as the certificate names it",
        _ => return error.to_string(),
    };
    format!("{error}; {advice}")
}
