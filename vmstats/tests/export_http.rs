//! `vmstats export` as clients that behave badly, or have no right, see it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod authority;
mod program;
mod scraper;
mod simulated;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use authority::Authority;
use program::Running;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use scraper::{Exporter, get, glob};

const METRICS: &[u8] = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";

/// Fails unless the exporter says at once that it is well.
fn assert_healthy(exporter: &Exporter) {
    let begin = Instant::now();
    let (head, body) = get(&exporter.address, "/-/healthy", "");
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert_eq!(body, b"ok\n");
    assert!(begin.elapsed() < Duration::from_secs(3));
}

#[test]
fn scrapes_go_on_when_many_clients_say_nothing_or_read_nothing() {
    let folder = tempfile::tempdir().unwrap();
    simulated::many(folder.path(), 40);
    let all = ["--names", "*", "--per-vcpu", &glob(folder.path())];
    let exporter = Exporter::start(&all);
    let text = exporter.metrics("");
    assert!(text.len() > 2 << 20, "{}", text.len());
    let connect = || TcpStream::connect(&exporter.address).unwrap();
    let idle: Vec<_> = (0..200).map(|_| connect()).collect();
    assert_healthy(&exporter);
    let before = exporter.memory("VmRSS:");
    let greedy: Vec<_> = (0..200)
        .map(|_| {
            let mut client = connect();
            client.write_all(METRICS).unwrap();
            client
        })
        .collect();
    assert_healthy(&exporter);
    // So many scrapes at once may be too many, for a moment.
    let begin = Instant::now();
    loop {
        let (head, body) = get(&exporter.address, "/metrics", "");
        if head.starts_with("HTTP/1.1 200") {
            let text = String::from_utf8(body).unwrap();
            break assert!(text.contains("vmstats_vms 40\n"));
        }
        assert!(head.starts_with("HTTP/1.1 503"), "{head}");
        assert!(begin.elapsed() < Duration::from_secs(20));
        thread::sleep(Duration::from_millis(100));
    }
    assert_healthy(&exporter);
    // Of the texts of 128 clients, each larger than 2 MB, those of one collection are one.
    let grown = exporter.memory("VmRSS:").saturating_sub(before);
    assert!(grown < 96 << 20, "{grown}");
    drop((idle, greedy));
}

#[test]
fn client_is_left_when_it_sends_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let exporter = Exporter::start(&[&glob(folder.path())]);
    for beginning in [&b""[..], b"GET /metr"] {
        let mut client = TcpStream::connect(&exporter.address).unwrap();
        client.write_all(beginning).unwrap();
        let timeout = Some(Duration::from_secs(20));
        client.set_read_timeout(timeout).unwrap();
        let begin = Instant::now();
        match client.read_to_end(&mut Vec::new()) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("still connected"),
            _ => assert!(begin.elapsed() > Duration::from_secs(3)),
        }
    }
    // A client that has asked once may take its time.
    let mut client = TcpStream::connect(&exporter.address).unwrap();
    let request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
    for pause in [0, 7] {
        thread::sleep(Duration::from_secs(pause));
        client.write_all(request).unwrap();
        let mut response = [0; 1024];
        let count = client.read(&mut response).unwrap();
        assert!(response[..count].starts_with(b"HTTP/1.1 200"));
    }
}

#[test]
fn client_of_a_unix_socket_is_left_when_it_reads_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("export");
    let listen = format!("unix:{}", socket.display());
    let _exporter = Exporter::start(&["--listen", &listen, "/nowhere/*.sock"]);
    let begin = Instant::now();
    let mut client = loop {
        match UnixStream::connect(&socket) {
            Ok(client) => break client,
            Err(_) if begin.elapsed() < Duration::from_secs(10) => {
                thread::sleep(Duration::from_millis(20));
            }
            Err(error) => panic!("{error}"),
        }
    };
    client.set_nonblocking(true).unwrap();
    loop {
        match client.write(METRICS) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                thread::sleep(Duration::from_millis(50));
            }
            Err(error) => break assert_eq!(error.kind(), ErrorKind::BrokenPipe),
            Ok(_) => {}
        }
        assert!(begin.elapsed() < Duration::from_secs(40));
    }
}

#[test]
fn machines_are_left_alone_when_a_client_asks_for_headers_only() {
    let folder = tempfile::tempdir().unwrap();
    simulated::serve(
        &folder.path().join("one.sock"),
        simulated::machine("one", 1),
    );
    let exporter = Exporter::start(&[&glob(folder.path())]);
    let mut client = TcpStream::connect(&exporter.address).unwrap();
    let request = b"HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    client.write_all(request).unwrap();
    let mut head = String::new();
    client.read_to_string(&mut head).unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.contains("content-type: text/plain; version=0.0.4"));
    // The size of a text that was not made is unknown.
    assert!(!head.contains("content-length"), "{head}");
    let text = exporter.metrics("");
    assert!(text.contains("\nvmstats_collections_total 1\n"), "{text}");
}

/// Scrapes over TLS, as the client of a folder of certificates. Without a folder, the
/// client has no certificate.
fn scrape(port: u16, ours: &Path, client: Option<&Path>) -> io::Result<String> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(ours.join("ca-cert.pem")).unwrap();
    roots.add(authority).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some(folder) => {
            let certificate = CertificateDer::from_pem_file(folder.join("client-cert.pem"));
            let key = PrivateKeyDer::from_pem_file(folder.join("client-key.pem")).unwrap();
            config
                .with_client_auth_cert(vec![certificate.unwrap()], key)
                .unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(("127.0.0.1", port))?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = StreamOwned::new(connection, socket);
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}

#[test]
fn scraper_is_served_over_tls_when_its_certificate_is_admitted() {
    let scratch = tempfile::tempdir().unwrap();
    let [ours, theirs] = ["ours", "theirs"].map(|name| scratch.path().join(name));
    let [authority, other] = [(), ()].map(|()| Authority::new());
    authority.fill(&ours, &authority);
    other.fill(&theirs, &authority);
    // The subject of all certificates of the test.
    let subject = "CN=rcgen self signed cert";
    let (known, unknown) = (Some(ours.as_path()), Some(theirs.as_path()));
    for (allowed, client, refusal) in [
        (None, known, None),
        (None, None, Some("sent no certificates")),
        (None, unknown, Some("invalid peer certificate")),
        (Some(subject), known, None),
        (Some(subject), unknown, Some("invalid peer certificate")),
        (
            Some("CN=prometheus"),
            known,
            Some("subject is not admitted: CN=rcgen self signed cert"),
        ),
    ] {
        let log = scratch.path().join("log");
        let mut program = Command::new(env!("CARGO_BIN_EXE_vmstats"));
        program.args(["export", "--listen", "tls:127.0.0.1:0", "--tls"]);
        program.arg(&ours).args(["/nowhere/*.sock"]);
        if let Some(allowed) = allowed {
            program.args(["--tls-allow", allowed]);
        }
        program.stdout(Stdio::piped());
        program.stderr(File::create(&log).unwrap());
        let mut program = Running(program.spawn().unwrap());
        let mut url = String::new();
        let mut stdout = BufReader::new(program.0.stdout.take().unwrap());
        stdout.read_line(&mut url).unwrap();
        let port = url.trim().strip_prefix("https://127.0.0.1:").unwrap();
        let port = port.strip_suffix("/metrics").unwrap().parse().unwrap();
        let outcome = scrape(port, &ours, client);
        match refusal {
            None => assert!(outcome.unwrap().contains("\nvmstats_vms 0\n")),
            Some(why) => {
                outcome.unwrap_err();
                let begin = Instant::now();
                loop {
                    let log = fs::read_to_string(&log).unwrap();
                    if log.contains(why) && log.contains("127.0.0.1:") {
                        break;
                    }
                    assert!(begin.elapsed() < Duration::from_secs(20), "{why}: {log}");
                    thread::sleep(Duration::from_millis(50));
                }
            }
        }
        // A client without TLS learns nothing.
        assert!(!String::from_utf8_lossy(&plain(port)).contains("vmstats_vms"));
    }
}

/// What a client without TLS reads.
fn plain(port: u16) -> Vec<u8> {
    let mut client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    client.write_all(METRICS).unwrap();
    let mut response = Vec::new();
    // Fails if the server closes before it has read everything.
    let _ = client.read_to_end(&mut response);
    response
}

#[test]
fn socket_of_a_server_that_hangs_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("export");
    let listen = format!("unix:{}", socket.display());
    let arguments = ["export", "--listen", &listen, "/nowhere/*.sock"];
    // A server whose queue is full keeps whoever connects waiting.
    let hanging = rustix::net::socket_with(
        rustix::net::AddressFamily::UNIX,
        rustix::net::SocketType::STREAM,
        rustix::net::SocketFlags::empty(),
        None,
    );
    let hanging = hanging.unwrap();
    let address = rustix::net::SocketAddrUnix::new(&socket).unwrap();
    rustix::net::bind(&hanging, &address).unwrap();
    rustix::net::listen(&hanging, 0).unwrap();
    let _queued = UnixStream::connect(&socket).unwrap();
    let begin = Instant::now();
    let output = program::vmstats(&arguments, "");
    assert_eq!(output.status.code(), Some(1));
    assert!(program::stderr(&output).contains("cannot listen on unix:"));
    assert!(begin.elapsed() < Duration::from_secs(20));
    // Once it is gone, the file is replaced, and removed in the end.
    drop(hanging);
    let server = program::Server::start(&arguments);
    assert_eq!(server.socket, listen);
    let mode = fs::metadata(&socket).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o660);
    server.end("TERM");
    assert!(!socket.exists());
}
