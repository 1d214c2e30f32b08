//! TCP with TLS: clients with a certificate, and those without.

#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use stats_runtime::server::{Listener, Options, Server, Tls};
use stats_runtime::{Monitor, NoHost, Registry};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name` and its key, in PEM.
    fn issue(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }
}

type Client = BufReader<StreamOwned<ClientConnection, TcpStream>>;

fn connect(
    address: SocketAddr,
    authority: &Authority,
    identity: Option<(String, String)>,
) -> Client {
    let mut roots = RootCertStore::empty();
    let root = CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap();
    roots.add(root).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match identity {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
            config
                .with_client_auth_cert(vec![certificate], key)
                .unwrap()
        }
    };
    let name = "localhost".try_into().unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    BufReader::new(StreamOwned::new(connection, stream))
}

fn read_line(client: &mut Client) -> std::io::Result<String> {
    let mut line = String::new();
    client.read_line(&mut line)?;
    Ok(line)
}

#[test]
fn clients_show_a_certificate() {
    let [servers, clients, strangers] = [(), (), ()].map(|()| Authority::new());
    let (certificate, key) = servers.issue("localhost");
    let tls = Tls::from_pem(
        certificate.as_bytes(),
        key.as_bytes(),
        clients.pem().as_bytes(),
    )
    .unwrap();
    let listener = Listener::tls("0.0.0.0:0".parse().unwrap(), tls).unwrap();
    let port = listener.tcp_address().unwrap().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let monitor = Monitor::new(Arc::new(Registry::new()), Arc::new(NoHost));
    let options = Options::new().negotiation_timeout(Some(Duration::from_millis(500)));
    let mut server = Server::start(monitor, [listener], options).unwrap();

    let mut client = connect(address, &servers, Some(clients.issue("client")));
    assert!(read_line(&mut client).unwrap().starts_with("{\"QMP\""));
    client
        .get_mut()
        .write_all(b"{'execute': 'qmp_capabilities'}")
        .unwrap();
    assert_eq!(read_line(&mut client).unwrap(), "{\"return\": {}}\r\n");
    // More than a record, and more than the socket takes at once.
    let big = "{'execute': 'query-qmp-schema'}".repeat(200);
    let mut sent = Vec::from(big);
    sent.extend_from_slice(b"{'execute': 'query-name', 'id': 'last'}");
    client.get_mut().write_all(&sent).unwrap();
    for _ in 0..200 {
        assert!(read_line(&mut client).unwrap().len() > 1000);
    }
    let last = read_line(&mut client).unwrap();
    assert_eq!(last, "{\"return\": {}, \"id\": \"last\"}\r\n");

    // A stranger, one without a certificate, one who speaks no TLS at all.
    for identity in [None, Some(strangers.issue("client"))] {
        let mut refused = connect(address, &servers, identity);
        assert!(read_line(&mut refused).is_err());
    }
    let mut plain = TcpStream::connect(address).unwrap();
    plain.write_all(b"{'execute': 'qmp_capabilities'}").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"{"));
    // And one who says nothing is given up.
    let mut silent = TcpStream::connect(address).unwrap();
    silent
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    assert_eq!(silent.read(&mut [0; 10]).unwrap(), 0);

    assert_eq!(server.connections(), 1);
    server.stop();
}

#[test]
fn what_is_no_certificate_is_refused() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let (other, _) = authority.issue("localhost");
    let root = authority.pem();
    for [certificate, key, root] in [
        ["", &key, &root],
        [&certificate, "", &root],
        [&certificate, &key, ""],
        [&other, &key, &root],
    ] {
        assert!(Tls::from_pem(certificate.as_bytes(), key.as_bytes(), root.as_bytes()).is_err());
    }
    assert!(Tls::from_files("/nowhere".as_ref(), "".as_ref(), "".as_ref()).is_err());
}

/// What the channel has encrypted and the socket has no room for yet is not
/// lost when the conversation is over.
#[test]
fn a_client_that_says_no_more_is_sent_everything() {
    const SEND_BUFFER_BYTES: usize = 128 << 10;
    /// Of some number of replies the last one does not fit in.
    const REPLIES_MAX: usize = 60;
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let root = authority.pem();
    let tls = Tls::from_pem(certificate.as_bytes(), key.as_bytes(), root.as_bytes()).unwrap();
    let listener = Listener::tls("127.0.0.1:0".parse().unwrap(), tls).unwrap();
    // Those who come to it inherit this.
    rustix::net::sockopt::set_socket_send_buffer_size(&listener, SEND_BUFFER_BYTES).unwrap();
    let address = listener.tcp_address().unwrap();
    let monitor = Monitor::new(Arc::new(Registry::new()), Arc::new(NoHost));
    let options = Options::new().held_bytes_max(256 << 20);
    let _server = Server::start(monitor, [listener], options).unwrap();
    let mut clients: Vec<_> = (0..REPLIES_MAX)
        .map(|count| {
            let mut client = connect(address, &authority, Some(authority.issue("client")));
            assert!(read_line(&mut client).unwrap().starts_with("{\"QMP\""));
            let StreamOwned { conn, sock } = client.get_mut();
            let requests = "{'execute': 'query-qmp-schema'}".repeat(count);
            let requests = format!("{{'execute': 'qmp_capabilities'}}{requests}");
            conn.writer().write_all(requests.as_bytes()).unwrap();
            conn.send_close_notify();
            while conn.wants_write() {
                conn.write_tls(sock).unwrap();
            }
            client
        })
        .collect();
    // Meanwhile everything on the way fills.
    std::thread::sleep(Duration::from_millis(300));
    for (client, count) in clients.iter_mut().zip(0..) {
        let mut answers = 0;
        while read_line(client).unwrap().ends_with('\n') {
            answers += 1;
        }
        assert_eq!(answers, 1 + count);
    }
}
