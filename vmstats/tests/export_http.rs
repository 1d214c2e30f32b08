//! `vmstats export` as clients that behave badly, or have no right, see it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;
mod scraper;
mod simulated;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

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
