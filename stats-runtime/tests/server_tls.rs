//! TCP with TLS: clients with a certificate, and those without.

#![cfg(feature = "tls")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    DistinguishedName, DnType, DnValue, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use stats_runtime::server::{Listener, Options, Server, Tls, TlsBuilder};
use stats_runtime::{Monitor, NoHost, Registry};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        // Authorities of one name would be taken for the issuers of each other's
        // certificates and lists.
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("authority {}", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name` and its key, in PEM.
    fn issue(&self, name: &str) -> (String, String) {
        self.issue_for(DistinguishedName::new(), name, 1)
    }

    fn issue_for(&self, subject: DistinguishedName, name: &str, serial: u64) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.distinguished_name = subject;
        params.serial_number = Some(serial.into());
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    /// A revocation list with these serial numbers, which is current for the given
    /// days from the year 2000 on, in PEM.
    fn revoke(&self, serials: &[u64], days: u32) -> String {
        let this_update = rcgen::date_time_ymd(2000, 1, 1);
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: (*serial).into(),
            revocation_time: this_update,
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update,
            next_update: this_update + Duration::from_secs(u64::from(days) * 86_400),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }
}

fn credentials(certificate: &str, key: &str, clients: &Authority) -> TlsBuilder {
    let authorities = clients.pem();
    TlsBuilder::from_pem(
        certificate.as_bytes(),
        key.as_bytes(),
        authorities.as_bytes(),
    )
}

fn serve(tls: Tls) -> (Server, SocketAddr) {
    let listener = Listener::tls("127.0.0.1:0".parse().unwrap(), tls).unwrap();
    let address = listener.tcp_address().unwrap();
    let monitor = Monitor::new(Registry::new(), NoHost);
    let server = Server::start(monitor, [listener], Options::new()).unwrap();
    (server, address)
}

/// A program that is killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
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
    let tls = credentials(&certificate, &key, &clients).build().unwrap();
    let listener = Listener::tls("0.0.0.0:0".parse().unwrap(), tls).unwrap();
    let port = listener.tcp_address().unwrap().port();
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let monitor = Monitor::new(Registry::new(), NoHost);
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

    // A client sees the end of its connection before the server has forgotten it.
    let begin = Instant::now();
    while server.connections() > 1 && begin.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(1));
    }
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
        let [certificate, key, root] = [certificate, key, root].map(str::as_bytes);
        assert!(
            TlsBuilder::from_pem(certificate, key, root)
                .build()
                .is_err()
        );
    }
    let error = TlsBuilder::from_folder("/nowhere".as_ref()).unwrap_err();
    assert!(
        error.to_string().contains("/nowhere/server-cert.pem"),
        "{error}"
    );
}

#[test]
fn revoked_certificate_is_refused() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let [revoked, valid] = [7, 8].map(|serial| {
        let name = DistinguishedName::new();
        authority.issue_for(name, "client", serial)
    });
    let stranger = Authority::new();
    for (list, is_of_issuer) in [
        (authority.revoke(&[6, 7], 36_500), true),
        (stranger.revoke(&[7], 36_500), false),
    ] {
        let tls = credentials(&certificate, &key, &authority);
        let tls = tls.revocation_lists(list.as_bytes()).build().unwrap();
        let (_server, address) = serve(tls);
        let greeting = |identity: &(String, String)| {
            read_line(&mut connect(address, &authority, Some(identity.clone())))
        };
        assert!(greeting(&valid).unwrap().starts_with("{\"QMP\""));
        assert_eq!(greeting(&revoked).is_err(), is_of_issuer);
    }
}

#[test]
fn revocation_list_that_is_unreadable_or_expired_is_an_error() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let expired = authority.revoke(&[], 365);
    for (list, why) in [
        ("", "no revocation list"),
        (certificate.as_str(), "no revocation list"),
        (
            "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n",
            "ca-crl.pem",
        ),
        (expired.as_str(), "has expired"),
    ] {
        let tls = credentials(&certificate, &key, &authority);
        let error = tls.revocation_lists(list.as_bytes()).build().unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn only_listed_subjects_are_admitted() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let subject = |parts: &[(DnType, &str)]| {
        let mut name = DistinguishedName::new();
        for (kind, value) in parts {
            name.push(kind.clone(), *value);
        }
        authority.issue_for(name, "client", 1)
    };
    let admitted = subject(&[
        (DnType::CountryName, "GB"),
        (DnType::OrganizationName, "Example, Ltd"),
        (DnType::CommonName, "monitoring"),
    ]);
    let prefix = subject(&[(DnType::CommonName, "monitoring")]);
    let nameless = subject(&[]);
    let tls = credentials(&certificate, &key, &authority)
        .admit_subjects([r"C=GB,O=Example\, Ltd,CN=monitoring"])
        .build()
        .unwrap();
    let (_server, address) = serve(tls);
    let greeting = |identity| read_line(&mut connect(address, &authority, Some(identity)));
    assert!(greeting(admitted).unwrap().starts_with("{\"QMP\""));
    assert!(greeting(prefix).is_err());
    assert!(greeting(nameless).is_err());
}

/// A QEMU with an authorization list, on a port of its own. Returns `None` if QEMU
/// is not installed.
fn qemu(folder: &Path, subjects: &[&str]) -> Option<(Running, SocketAddr)> {
    // QEMU does not tell which port it chose, so choose a free one.
    let address = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let rules: Vec<String> = subjects
        .iter()
        .map(|subject| {
            let subject = subject.replace('\\', r"\\");
            format!(r#"{{"match": "{subject}", "policy": "allow"}}"#)
        })
        .collect();
    let list = format!(
        r#"{{"qom-type": "authz-list", "id": "list", "policy": "deny", "rules": [{}]}}"#,
        rules.join(", ")
    );
    let child = Command::new("qemu-system-x86_64")
        .args(["-machine", "none", "-nodefaults", "-display", "none"])
        .arg("-object")
        .arg(format!(
            "tls-creds-x509,id=tls,endpoint=server,verify-peer=on,dir={}",
            folder.display()
        ))
        .args(["-object", &list])
        .arg("-chardev")
        .arg(format!(
            "socket,id=monitor,host=127.0.0.1,port={},server=on,wait=off,tls-creds=tls,\
             tls-authz=list",
            address.port()
        ))
        .args(["-mon", "chardev=monitor,mode=control"])
        .stdin(Stdio::null())
        .spawn();
    match child {
        Ok(child) => Some((Running(child), address)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skip::because("QEMU is not installed");
            None
        }
        Err(error) => panic!("QEMU does not start: {error}"),
    }
}

#[test]
fn subjects_are_spelled_as_in_the_authorization_list_of_a_qemu() {
    let authority = Authority::new();
    let (certificate, key) = authority.issue("localhost");
    let email = || DnType::CustomDnType(vec![1, 2, 840, 113_549, 1, 9, 1]);
    let cases: [(&[(DnType, &str)], &str); 5] = [
        (
            &[
                (DnType::CountryName, "GB"),
                (DnType::StateOrProvinceName, "London"),
                (DnType::LocalityName, "London"),
                (DnType::OrganizationName, "Example Home"),
                (DnType::OrganizationalUnitName, "Lab"),
                (DnType::CommonName, "laptop.example.com"),
            ],
            "C=GB,ST=London,L=London,O=Example Home,OU=Lab,CN=laptop.example.com",
        ),
        (&[(DnType::CommonName, "a, b+c=d;e")], r"CN=a\, b\+c=d\;e"),
        (&[(DnType::CommonName, "Jürgen")], "CN=Jürgen"),
        (&[(DnType::CommonName, " blanks ")], r"CN=\ blanks\ "),
        (
            &[(DnType::CommonName, "x"), (email(), "x@example.com")],
            "CN=x,EMAIL=x@example.com",
        ),
    ];
    let identities = cases.map(|(parts, _)| {
        let mut name = DistinguishedName::new();
        for (kind, value) in parts {
            // The kinds of strings that the standard admits for these attributes.
            let value = match kind {
                DnType::CountryName => DnValue::PrintableString((*value).try_into().unwrap()),
                DnType::CustomDnType(_) => DnValue::Ia5String((*value).try_into().unwrap()),
                _ => DnValue::from(*value),
            };
            name.push(kind.clone(), value);
        }
        authority.issue_for(name, "client", 1)
    });
    let subjects = cases.map(|(_, subject)| subject);
    let tls = credentials(&certificate, &key, &authority);
    let (_server, ours) = serve(tls.admit_subjects(subjects).build().unwrap());
    let greeting = |address, identity| read_line(&mut connect(address, &authority, Some(identity)));
    for (identity, subject) in identities.iter().zip(subjects) {
        let greeting = greeting(ours, identity.clone());
        assert!(
            greeting.is_ok_and(|line| line.starts_with("{\"QMP\"")),
            "{subject}"
        );
    }

    let folder = tempfile::tempdir().unwrap();
    for (name, pem) in [
        ("ca-cert.pem", &authority.pem()),
        ("server-cert.pem", &certificate),
        ("server-key.pem", &key),
    ] {
        std::fs::write(folder.path().join(name), pem).unwrap();
    }
    let Some((_qemu, theirs)) = qemu(folder.path(), &subjects) else {
        return;
    };
    let begin = Instant::now();
    while TcpStream::connect(theirs).is_err() {
        assert!(begin.elapsed() < Duration::from_secs(20), "QEMU is slow");
        thread::sleep(Duration::from_millis(20));
    }
    // QEMU serves one client at a time, and greets it when the one before has left.
    for (identity, subject) in identities.iter().zip(subjects) {
        let greeting = greeting(theirs, identity.clone());
        let is_admitted = greeting
            .as_ref()
            .is_ok_and(|line| line.starts_with("{\"QMP\""));
        assert!(is_admitted, "{subject}: {greeting:?}");
    }
    assert!(greeting(theirs, authority.issue("client")).is_err());
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
    let tls = credentials(&certificate, &key, &authority).build().unwrap();
    let listener = Listener::tls("127.0.0.1:0".parse().unwrap(), tls).unwrap();
    // Those who come to it inherit this.
    rustix::net::sockopt::set_socket_send_buffer_size(&listener, SEND_BUFFER_BYTES).unwrap();
    let address = listener.tcp_address().unwrap();
    let monitor = Monitor::new(Registry::new(), NoHost);
    let options = Options::new()
        .connections_max(REPLIES_MAX)
        .held_bytes_max(256 << 20);
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
    thread::sleep(Duration::from_millis(300));
    for (client, count) in clients.iter_mut().zip(0..) {
        let mut answers = 0;
        while read_line(client).unwrap().ends_with('\n') {
            answers += 1;
        }
        assert_eq!(answers, 1 + count);
    }
}
