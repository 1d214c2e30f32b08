//! A monitor behind TLS, and `vmstats` as its client.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod authority;
mod program;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use authority::{Authority, SERVER_SERIAL};
use program::Running;

use qapi_stats::misc::commands::HumanMonitorCommand;
use qapi_stats::run_state::commands::QueryStatus;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
};
use stats_runtime::server::{Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};
use vmstats::client::{Client, ClientError};
use vmstats::endpoint::Endpoint;
use vmstats::listen::{self, Admission};

const TIMEOUT: Duration = Duration::from_secs(10);

#[test]
fn server_is_refused_when_its_certificate_is_revoked() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("ours");
    let authority = Authority::new();
    authority.fill(&folder, &authority);
    let (_server, address) = serve(&folder);
    let connect = || Client::connect(&endpoint(address, Some(&folder)), TIMEOUT);
    for (serial, days, why) in [
        (SERVER_SERIAL + 7, 36_500, None),
        (SERVER_SERIAL, 36_500, Some("Revoked")),
        (SERVER_SERIAL + 7, 365, Some("expired")),
    ] {
        authority.revoke(&folder, serial, days);
        let outcome = connect().map(drop).map_err(|error| error.to_string());
        match (outcome, why) {
            (Ok(()), None) => {}
            (Err(error), Some(why)) => {
                let is_told = error.to_lowercase().contains(&why.to_lowercase());
                assert!(is_told, "{error}");
            }
            (outcome, why) => panic!("{outcome:?} instead of {why:?}"),
        }
    }
    std::fs::write(folder.join("ca-crl.pem"), "not a list").unwrap();
    let error = connect().map(drop).unwrap_err().to_string();
    assert!(error.contains("ca-crl.pem"), "{error}");
}

fn serve(folder: &Path) -> (Server, SocketAddr) {
    let address = "tls:127.0.0.1:0".parse().unwrap();
    let sockets = listen::bind(&[address], Some(folder), &Admission::default()).unwrap();
    let address = sockets
        .listeners
        .iter()
        .find_map(|listener| listener.tcp_address());
    let monitor = Monitor::new(Registry::new(), NoHost);
    let server = Server::start(monitor, sockets.listeners, Options::new()).unwrap();
    (server, address.unwrap())
}

fn endpoint(address: SocketAddr, folder: Option<&Path>) -> Endpoint {
    let endpoint: Endpoint = format!("tls:localhost:{}", address.port()).parse().unwrap();
    endpoint.with_credentials(folder)
}

#[test]
fn client_is_answered_when_its_certificate_is_known() {
    let scratch = tempfile::tempdir().unwrap();
    let [ours, theirs, stranger] =
        ["ours", "theirs", "stranger"].map(|name| scratch.path().join(name));
    let [authority, other] = [(), ()].map(|()| Authority::new());
    authority.fill(&ours, &authority);
    // Its certificate is nobody's here; and one who does not know the server's.
    other.fill(&theirs, &authority);
    authority.fill(&stranger, &other);
    let (_server, address) = serve(&ours);

    let mut client = Client::connect(&endpoint(address, Some(&ours)), TIMEOUT).unwrap();
    for _ in 0..3 {
        assert!(client.execute(&QueryStatus {}).unwrap().running);
    }
    // The shell reads in one thread and writes in another; and a reply of many
    // records.
    let at = format!("tls:localhost:{}", address.port());
    let output = program::vmstats(
        &["shell", &at, "--tls", ours.to_str().unwrap()],
        "query-name\nquery-qmp-schema\nquery-status\n",
    );
    assert!(output.status.success(), "{output:?}");
    let text = program::stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3);
    assert_eq!(lines.first(), Some(&"{}"));

    for (folder, why) in [
        (None, "--tls"),
        (Some(theirs.as_path()), "is client-cert.pem one"),
        (
            Some(stranger.as_path()),
            "not issued by an authority in ca-cert.pem",
        ),
        (Some(scratch.path()), "ca-cert.pem"),
    ] {
        let refused: ClientError =
            Client::connect(&endpoint(address, folder), TIMEOUT).unwrap_err();
        assert!(refused.to_string().contains(why), "{refused}");
    }
    let other_name: Endpoint = format!("tls:127.0.0.1:{}", address.port()).parse().unwrap();
    let other_name = other_name.with_credentials(Some(&ours));
    let refused = Client::connect(&other_name, TIMEOUT).unwrap_err();
    let why = "write the host as the certificate names it";
    assert!(refused.to_string().contains(why), "{refused}");
    let without_tls = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = endpoint(without_tls.local_addr().unwrap(), Some(&ours));
    thread::spawn(move || {
        let (mut stream, _) = without_tls.accept().unwrap();
        stream.write_all(b"{\"QMP\": {}}\r\n").unwrap();
        // Stay until the client leaves.
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let refused = Client::connect(&at, TIMEOUT).unwrap_err();
    assert!(
        refused.to_string().contains("does not speak TLS"),
        "{refused}"
    );
    let plain: Endpoint = format!("tcp:localhost:{}", address.port()).parse().unwrap();
    assert!(Client::connect(&plain, Duration::from_millis(300)).is_err());
}

/// Nobody waits longer than they were told to.
#[test]
fn connecting_fails_in_time_when_the_server_says_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("ours");
    let authority = Authority::new();
    authority.fill(&folder, &authority);
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = endpoint(silent.local_addr().unwrap(), Some(&folder));
    let error = Client::connect(&endpoint, Duration::from_millis(200)).unwrap_err();
    assert!(error.to_string().contains("no answer in time"), "{error}");
}

/// A QEMU whose monitor takes one version of TLS, and the monitor's port. `None`,
/// with the reason printed, where there is no QEMU.
fn qemu(folder: &Path, version: &str) -> Option<(Running, u16)> {
    // QEMU does not tell which port it chose, so choose a free one.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let credentials = format!(
        "tls-creds-x509,id=tls,endpoint=server,verify-peer=on,dir={},\
         priority=NORMAL:-VERS-ALL:+VERS-{version}",
        folder.display()
    );
    let socket =
        format!("socket,id=monitor,host=127.0.0.1,port={port},server=on,wait=off,tls-creds=tls");
    let child = Command::new("qemu-system-x86_64")
        .args(["-machine", "none", "-nodefaults", "-display", "none"])
        .args(["-object", &credentials, "-chardev", &socket])
        .args(["-mon", "chardev=monitor,mode=control"])
        .stdin(Stdio::null())
        .spawn();
    match child {
        Ok(child) => Some((Running(child), port)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skip::because("QEMU is not installed");
            None
        }
        Err(error) => panic!("QEMU does not start: {error}"),
    }
}

#[test]
fn qemu_is_asked_over_each_version_of_tls() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("ours");
    let authority = Authority::new();
    authority.fill(&folder, &authority);
    for version in ["TLS1.2", "TLS1.3"] {
        let Some((_qemu, port)) = qemu(&folder, version) else {
            return;
        };
        let endpoint: Endpoint = format!("tls:localhost:{port}").parse().unwrap();
        let endpoint = endpoint.with_credentials(Some(&folder));
        let begin = Instant::now();
        let mut client = loop {
            match Client::connect(&endpoint, TIMEOUT) {
                Ok(client) => break client,
                Err(ClientError::Connect(..)) if begin.elapsed() < TIMEOUT => {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("{version}: {error}"),
            }
        };
        for _ in 0..3 {
            client.execute(&QueryStatus {}).unwrap();
        }
        // A request of many records.
        let long = "x".repeat(100 << 10);
        let command_line = HumanMonitorCommand {
            command_line: long,
            cpu_index: None,
        };
        let reply = client.execute(&command_line).unwrap();
        assert!(reply.contains("unknown command"), "{version}: {reply}");
    }
}

/// A client that sends each request in one record, and takes one version of TLS.
fn strict_client(
    address: SocketAddr,
    folder: &Path,
    version: &'static SupportedProtocolVersion,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut roots = RootCertStore::empty();
    let certificate = |name| CertificateDer::from_pem_file(folder.join(name)).unwrap();
    roots.add(certificate("ca-cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("client-key.pem")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate("client-cert.pem")], key)
        .unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connection = ClientConnection::new(Arc::new(config), name).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(TIMEOUT)).unwrap();
    StreamOwned::new(connection, socket)
}

/// Reads a line with its end.
fn line(client: &mut impl Read) -> String {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\n") {
        client.read_exact(&mut byte).unwrap();
        line.extend(byte);
    }
    String::from_utf8(line).unwrap()
}

#[test]
fn server_answers_over_each_version_of_tls() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("ours");
    let authority = Authority::new();
    authority.fill(&folder, &authority);
    let (_server, address) = serve(&folder);
    for version in [&TLS12, &TLS13] {
        let mut client = strict_client(address, &folder, version);
        assert!(line(&mut client).starts_with("{\"QMP\""), "{version:?}");
        for (request, expected) in [
            ("{'execute': 'qmp_capabilities'}", "{\"return\": {}}\r\n"),
            ("{'execute': 'query-name'}", "{\"return\": {}}\r\n"),
        ] {
            client.write_all(request.as_bytes()).unwrap();
            assert_eq!(line(&mut client), expected, "{version:?}");
        }
    }
}
