//! TLS for clients that have a certificate.
//!
//! In: certificates and a key; ciphertext. Out: the plaintext of clients whose
//! certificate a known authority has signed.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, RootCertStore,
    ServerConfig, ServerConnection, SignatureScheme,
};
use x509_cert::Certificate;
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::CertificateList;
use x509_cert::der::{self, Decode};
use x509_cert::name::Name;

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

/// The files of a server in a folder. The names are those of QEMU's
/// `tls-creds-x509`.
const CERTIFICATES_FILE: &str = "server-cert.pem";
const KEY_FILE: &str = "server-key.pem";
const AUTHORITIES_FILE: &str = "ca-cert.pem";
const REVOCATIONS_FILE: &str = "ca-crl.pem";

/// The credentials of a server, from which a [`Tls`] is made.
///
/// ```no_run
/// use stats_runtime::server::{Listener, TlsBuilder};
///
/// let tls = TlsBuilder::from_folder("/etc/pki/qemu".as_ref())?
///     .admit_subjects(["O=Example,CN=monitoring"])
///     .build()?;
/// let listener = Listener::tls("[::]:4444".parse()?, tls)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsBuilder {
    certificates: Vec<u8>,
    key: PrivateKey,
    authorities: Vec<u8>,
    revocations: Option<Vec<u8>>,
    subjects: BTreeSet<String>,
    /// The prefix of errors: the folder that the credentials come from.
    folder: Option<PathBuf>,
}

/// A private key in PEM, which is not printed.
#[derive(Clone)]
struct PrivateKey(Vec<u8>);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey")
    }
}

impl TlsBuilder {
    /// Takes credentials in PEM: the server's certificate chain, beginning with
    /// its own certificate; the key of that certificate; and the certificates of
    /// the authorities, one of which must have signed a client's certificate.
    #[must_use]
    pub fn from_pem(certificates: &[u8], key: &[u8], client_authorities: &[u8]) -> Self {
        Self {
            certificates: certificates.to_vec(),
            key: PrivateKey(key.to_vec()),
            authorities: client_authorities.to_vec(),
            revocations: None,
            subjects: BTreeSet::new(),
            folder: None,
        }
    }

    /// Reads credentials from a folder with the files of QEMU's `tls-creds-x509`:
    /// `server-cert.pem`, `server-key.pem`, `ca-cert.pem`, and `ca-crl.pem` if it
    /// exists.
    ///
    /// # Errors
    ///
    /// Returns an error that names the file which cannot be read.
    pub fn from_folder(folder: &Path) -> Result<Self, TlsError> {
        let read = |name: &str| {
            let path = folder.join(name);
            std::fs::read(&path).map_err(|error| TlsError {
                desc: format!("cannot read {}: {error}", path.display()),
            })
        };
        let mut builder = Self::from_pem(
            &read(CERTIFICATES_FILE)?,
            &read(KEY_FILE)?,
            &read(AUTHORITIES_FILE)?,
        );
        // Use symlink_metadata, because a dangling link must fail to read; otherwise
        // revocation would be silently off.
        if folder.join(REVOCATIONS_FILE).symlink_metadata().is_ok() {
            builder = builder.revocation_lists(&read(REVOCATIONS_FILE)?);
        }
        builder.folder = Some(folder.to_owned());
        Ok(builder)
    }

    /// Refuses clients whose certificate, or whose authority's certificate, is in
    /// one of these revocation lists, in PEM. Certificates of an authority without
    /// a list are accepted, as QEMU does.
    ///
    /// The lists are read once. When the first of them expires, all clients of
    /// its authority are refused, because nobody knows what was revoked since.
    #[must_use]
    pub fn revocation_lists(mut self, pem: &[u8]) -> Self {
        self.revocations = Some(pem.to_vec());
        self
    }

    /// Admits only clients whose certificate has one of these subjects, spelled
    /// as QEMU's authorization lists (`tls-authz`) spell them: the attributes in
    /// the certificate's order, escaped as in RFC 4514, for example
    /// `C=GB,O=Example\, Ltd,CN=monitoring`. By default every client with a valid
    /// certificate is admitted.
    #[must_use]
    pub fn admit_subjects<S: Into<String>>(
        mut self,
        subjects: impl IntoIterator<Item = S>,
    ) -> Self {
        self.subjects.extend(subjects.into_iter().map(Into::into));
        self
    }

    /// Checks the credentials.
    ///
    /// # Errors
    ///
    /// Returns an error that names the credential which is missing or wrong, or
    /// the revocation list which has expired.
    pub fn build(self) -> Result<Tls, TlsError> {
        let (chain, key) = (
            self.parse_certificates(CERTIFICATES_FILE, &self.certificates)?,
            PrivateKeyDer::from_pem_slice(&self.key.0)
                .map_err(|error| self.fail(KEY_FILE, &error))?,
        );
        let mut roots = RootCertStore::empty();
        for authority in self.parse_certificates(AUTHORITIES_FILE, &self.authorities)? {
            roots
                .add(authority)
                .map_err(|error| self.fail(AUTHORITIES_FILE, &error))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .with_crls(self.parse_revocations()?)
                .allow_unknown_revocation_status()
                .enforce_revocation_expiration()
                .build()
                .map_err(|error| match error {
                    VerifierBuilderError::InvalidCrl(_) => self.fail(REVOCATIONS_FILE, &error),
                    _ => self.fail(AUTHORITIES_FILE, &error),
                })?;
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| self.fail(CERTIFICATES_FILE, &error))?
            .with_client_cert_verifier(if self.subjects.is_empty() {
                verifier
            } else {
                Arc::new(SubjectVerifier {
                    verifier,
                    subjects: self.subjects.clone(),
                })
            })
            .with_single_cert(chain, key)
            .map_err(|error| self.fail(CERTIFICATES_FILE, &error))?;
        Ok(Tls {
            config: Arc::new(config),
        })
    }

    fn parse_certificates(
        &self,
        file: &str,
        pem: &[u8],
    ) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let certificates = certificates.map_err(|error| self.fail(file, &error))?;
        if certificates.is_empty() {
            return Err(self.fail(file, &"no certificate in PEM is in it"));
        }
        Ok(certificates)
    }

    fn parse_revocations(&self) -> Result<Vec<CertificateRevocationListDer<'static>>, TlsError> {
        let fail = |error: &dyn fmt::Display| self.fail(REVOCATIONS_FILE, error);
        let Some(pem) = &self.revocations else {
            return Ok(Vec::new());
        };
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
        let lists = lists.map_err(|error| fail(&error))?;
        if lists.is_empty() {
            return Err(fail(&"no revocation list in PEM is in it"));
        }
        for list in &lists {
            let list = CertificateList::<Rfc5280>::from_der(list).map_err(|error| fail(&error))?;
            let end = list.tbs_cert_list.next_update;
            if end.is_some_and(|end| end.to_system_time() < SystemTime::now()) {
                let issuer = list.tbs_cert_list.issuer;
                return Err(fail(&format!(
                    "the revocation list of '{issuer}' has expired: ask the authority for the \
                     current one"
                )));
            }
        }
        Ok(lists)
    }

    /// Makes the error of a credential, whose file has this name in a folder.
    fn fail(&self, file: &str, error: &dyn fmt::Display) -> TlsError {
        let desc = match &self.folder {
            Some(folder) => format!("{}: {error}", folder.join(file).display()),
            None => format!("{file}: {error}"),
        };
        TlsError { desc }
    }
}

impl Tls {
    /// Returns the configuration, for a server of another protocol with the same
    /// credentials.
    #[must_use]
    pub fn server_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.config)
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

/// A verifier that admits listed subjects only, after another verifier has found
/// that the certificate is valid.
#[derive(Debug)]
struct SubjectVerifier {
    verifier: Arc<dyn ClientCertVerifier>,
    subjects: BTreeSet<String>,
}

impl ClientCertVerifier for SubjectVerifier {
    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self
            .verifier
            .verify_client_cert(end_entity, intermediates, now)?;
        let subject = Certificate::from_der(end_entity)
            .map(|certificate| spell(certificate.tbs_certificate().subject()));
        if subject
            .as_ref()
            .is_ok_and(|subject| self.subjects.contains(subject))
        {
            return Ok(verified);
        }
        let refusal = OtherError(Arc::new(SubjectRefused { subject }));
        Err(CertificateError::Other(refusal).into())
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

/// Returns a name with its attributes in the certificate's order, which is the
/// order of GnuTLS's `gnutls_x509_crt_get_dn` and thereby QEMU's. RFC 4514, and
/// the `Display` of `Name`, begin at the end.
fn spell(name: &Name) -> String {
    let parts: Vec<String> = name
        .as_ref()
        .as_ref()
        .iter()
        .map(ToString::to_string)
        .collect();
    parts.join(",")
}

/// The error of a client whose subject is not admitted, or cannot be read.
#[derive(Debug)]
struct SubjectRefused {
    subject: Result<String, der::Error>,
}

impl fmt::Display for SubjectRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.subject {
            Ok(subject) => write!(f, "the certificate's subject is not admitted: {subject}"),
            Err(error) => write!(f, "the certificate's subject cannot be read: {error}"),
        }
    }
}

impl std::error::Error for SubjectRefused {}

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
