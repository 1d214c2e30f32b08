//! TLS for clients that have a certificate.
//!
//! In: certificates and a key; ciphertext. Out: the plaintext of clients whose
//! certificate a known authority has signed.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection};

/// The bytes of plaintext that rustls buffers until the client reads.
const PLAINTEXT_BYTES_MAX: usize = 64 << 10;

/// The bytes that a channel buffers at most while its client does not read:
/// plaintext, its ciphertext, and one record that has been received.
const CHANNEL_BYTES_MAX: usize = 2 * PLAINTEXT_BYTES_MAX + (18 << 10);

/// The identity of a server, and the authorities of its clients.
#[derive(Clone, Debug)]
pub struct Tls {
    config: Arc<ServerConfig>,
}

/// The reason why a certificate or key cannot be used.
#[derive(Debug)]
pub struct TlsError {
    desc: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.desc)
    }
}

impl std::error::Error for TlsError {}

impl Tls {
    /// Reads PEM files: the server's certificate chain, beginning with its own
    /// certificate; the key of that certificate; and the certificates of the
    /// authorities, one of which must have signed a client's certificate.
    ///
    /// # Errors
    ///
    /// Returns an error if a file cannot be read, or does not have what is
    /// expected in it.
    pub fn from_files(
        certificates: &Path,
        key: &Path,
        client_authorities: &Path,
    ) -> Result<Self, TlsError> {
        let (chain, roots) = (read(certificates)?, read(client_authorities)?);
        Self::from_pem(&chain, &read(key)?, &roots)
    }

    /// Like [`from_files`](Self::from_files), with the contents of the files.
    ///
    /// # Errors
    ///
    /// Returns an error if a text does not have what is expected in it.
    pub fn from_pem(
        certificates: &[u8],
        key: &[u8],
        client_authorities: &[u8],
    ) -> Result<Self, TlsError> {
        let chain = parse(certificates)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| fail("key", &error))?;
        let mut roots = RootCertStore::empty();
        for authority in parse(client_authorities)? {
            roots
                .add(authority)
                .map_err(|error| fail("authority", &error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| fail("authority", &error))?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| fail("version", &error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain, key)
            .map_err(|error| fail("certificate", &error))?;
        Ok(Self {
            config: Arc::new(config),
        })
    }

    /// Creates the channel of a client that has just connected.
    pub(super) fn channel(&self) -> Result<Channel, rustls::Error> {
        let mut connection = ServerConnection::new(Arc::clone(&self.config))?;
        connection.set_buffer_limit(Some(PLAINTEXT_BYTES_MAX));
        Ok(Channel {
            connection,
            has_input: false,
            is_finished: false,
        })
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|error| TlsError {
        desc: format!("cannot read {}: {error}", path.display()),
    })
}

fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| fail("certificate", &error))?;
    if certificates.is_empty() {
        let desc = "there is no certificate".to_owned();
        return Err(TlsError { desc });
    }
    Ok(certificates)
}

fn fail(what: &str, error: &dyn fmt::Display) -> TlsError {
    TlsError {
        desc: format!("{what}: {error}"),
    }
}

/// The TLS channel of one client.
#[derive(Debug)]
pub(super) struct Channel {
    connection: ServerConnection,
    has_input: bool,
    is_finished: bool,
}

impl Channel {
    pub(super) fn is_established(&self) -> bool {
        !self.connection.is_handshaking()
    }

    pub(super) fn has_input(&self) -> bool {
        self.has_input
    }

    /// Returns how many bytes the channel may buffer.
    pub(super) fn held_bytes(&self) -> usize {
        if self.connection.wants_write() {
            CHANNEL_BYTES_MAX
        } else {
            0
        }
    }

    pub(super) fn read<S: Read + Write>(
        &mut self,
        socket: &mut S,
        buffer: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return read,
            }
            self.has_input = false;
            if self.connection.read_tls(socket)? == 0 {
                return Ok(0);
            }
            match self.connection.process_new_packets() {
                Ok(state) => self.has_input = state.plaintext_bytes_to_read() > 0,
                Err(error) => {
                    // Send the alert that tells the client the reason.
                    let _ = self.flush(socket);
                    return Err(io::Error::new(io::ErrorKind::InvalidData, error));
                }
            }
        }
    }

    pub(super) fn write<S: Write>(&mut self, socket: &mut S, bytes: &[u8]) -> io::Result<usize> {
        self.flush(socket)?;
        let count = self.connection.writer().write(bytes)?;
        match self.flush(socket) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && count > 0 => Ok(count),
            flushed => flushed.map(|()| count),
        }
    }

    pub(super) fn flush<S: Write>(&mut self, socket: &mut S) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(socket)? == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
        }
        Ok(())
    }

    /// Tells the client that nothing follows.
    pub(super) fn finish<S: Write>(&mut self, socket: &mut S) -> io::Result<()> {
        if !self.is_finished {
            self.connection.send_close_notify();
            self.is_finished = true;
        }
        self.flush(socket)
    }
}
