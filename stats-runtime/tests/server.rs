//! The server on a Unix socket, as clients and as the file system see it.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

use stats_runtime::server::{UnixServer, bind_private};
use stats_runtime::{Monitor, NoHost, Registry};

fn start(path: &Path) -> UnixServer {
    let monitor = Monitor::new(Arc::new(Registry::new()), Arc::new(NoHost));
    UnixServer::start(path, monitor).unwrap()
}

fn ask(stream: &UnixStream, request: &str) -> String {
    let mut stream = stream;
    stream.write_all(request.as_bytes()).unwrap();
    read_line(stream)
}

/// Byte by byte, so that nothing beyond the line is taken.
fn read_line(stream: &UnixStream) -> String {
    let mut line = String::new();
    BufReader::with_capacity(1, stream)
        .read_line(&mut line)
        .unwrap();
    line
}

#[test]
fn several_clients_are_served_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let mut server = start(&path);
    let clients: Vec<UnixStream> = (0..5)
        .map(|_| UnixStream::connect(&path).unwrap())
        .collect();
    for client in &clients {
        assert!(read_line(client).starts_with("{\"QMP\": "));
    }
    for client in clients.iter().rev() {
        assert_eq!(
            ask(client, "{'execute': 'qmp_capabilities'}"),
            "{\"return\": {}}\r\n"
        );
    }
    assert_eq!(
        ask(
            &clients[0],
            "{'execute': 'query-stats', 'arguments': {'target': 'vm'}}"
        ),
        "{\"return\": []}\r\n"
    );
    // A half-closed client still gets its answers, then the end.
    clients[1].shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read_line(&clients[1]), "");
    server.stop();
    assert_eq!(read_line(&clients[2]), "");
    assert!(!path.exists());
}

#[test]
fn the_socket_is_its_owners_only_whatever_the_umask() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing else in this process makes a file that matters.
    for mask in [0o000, 0o022, 0o777] {
        let before = rustix::process::umask(rustix::fs::Mode::from_bits_truncate(mask));
        let path = folder.path().join(format!("{mask}.sock"));
        let listener = bind_private(&path);
        rustix::process::umask(before);
        listener.unwrap();
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        assert!(metadata.file_type().is_socket());
        assert_eq!(
            metadata.permissions().mode() & 0o777,
            0o600 & !mask,
            "{mask:o}"
        );
    }
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    drop(UnixListener::bind(&path).unwrap());
    let server = start(&path);
    assert_eq!(
        bind_private(&path).unwrap_err().kind(),
        std::io::ErrorKind::AddrInUse
    );
    drop(server);
    std::fs::write(&path, "a file that is no socket").unwrap();
    assert_eq!(
        bind_private(&path).unwrap_err().kind(),
        std::io::ErrorKind::AddrInUse
    );
    assert!(bind_private(&folder.path().join("x".repeat(200))).is_err());
}
