//! The server on a Unix socket, as clients and as the file system see it.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use qapi_stats::stats::StatsProvider;
use qapi_stats::wire::Error;
use stats_runtime::host::Change;
use stats_runtime::server::{Listener, Options, Server, bind_private};
use stats_runtime::{Host, Monitor, NoHost, Registry, StatsQuery, StatsSink};

const PATIENCE: Duration = Duration::from_secs(10);

fn start(path: &Path) -> Server {
    let monitor = Monitor::new(Registry::new(), NoHost);
    serve(path, monitor)
}

fn serve(path: &Path, monitor: Monitor) -> Server {
    Server::start(monitor, [Listener::unix(path).unwrap()], Options::new()).unwrap()
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
    clients[1].shutdown(Shutdown::Write).unwrap();
    assert_eq!(read_line(&clients[1]), "");
    server.stop();
    assert_eq!(read_line(&clients[2]), "");
    assert!(!path.exists());
}

/// Stops its server as soon as a client says `quit`.
struct Quitter(mpsc::Sender<()>);

impl Host for Quitter {
    fn quit(&self) -> Result<Change, Error> {
        Ok(Change::Made)
    }

    fn end(&self) {
        self.0.send(()).unwrap();
    }
}

#[test]
fn what_was_sent_before_the_end_is_answered() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..200 {
        let path = folder.path().join(format!("{round}.sock"));
        let (sender, receiver) = mpsc::channel();
        let monitor = Monitor::new(Registry::new(), Quitter(sender)).with_control(true);
        let mut server = serve(&path, monitor);
        let mut other = UnixStream::connect(&path).unwrap();
        read_line(&other);
        ask(&other, "{'execute': 'qmp_capabilities'}");
        let mut client = UnixStream::connect(&path).unwrap();
        client
            .write_all(b"{'execute': 'qmp_capabilities', 'id': 1}{'execute': 'quit', 'id': 2}")
            .unwrap();
        receiver.recv().unwrap();
        server.stop();
        let mut answers = String::new();
        client.read_to_string(&mut answers).unwrap();
        let lines: Vec<&str> = answers.lines().skip(1).collect();
        let [negotiated, event, quit] = lines.as_slice() else {
            panic!("{lines:?}");
        };
        assert_eq!(*negotiated, "{\"return\": {}, \"id\": 1}");
        assert!(event.contains("\"SHUTDOWN\""), "{event}");
        assert_eq!(*quit, "{\"return\": {}, \"id\": 2}");
        let mut events = String::new();
        other.read_to_string(&mut events).unwrap();
        assert!(events.contains("\"SHUTDOWN\""), "{events}");
    }
}

/// A client that never reads holds the end up for no longer than promised.
#[test]
fn a_client_that_does_not_read_does_not_keep_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let mut server = start(&path);
    let mut client = UnixStream::connect(&path).unwrap();
    let requests = "{'execute': 'query-commands'}".repeat(20_000);
    client
        .write_all(b"{'execute': 'qmp_capabilities'}")
        .unwrap();
    client
        .set_write_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    assert!(
        client.write_all(requests.as_bytes()).is_err(),
        "the server stops reading"
    );
    let begin = Instant::now();
    server.stop();
    assert!(begin.elapsed() < Duration::from_secs(10));
}

/// A provider's panic is an error, and so is any handler's; the conversation
/// goes on.
/// Sends without a pause from its first moment on, and takes what comes back,
/// until it is shut down.
fn flood(path: &Path) -> (UnixStream, [JoinHandle<()>; 2]) {
    let stream = UnixStream::connect(path).unwrap();
    let mut writer = stream.try_clone().unwrap();
    let mut reader = stream.try_clone().unwrap();
    let write = move || while writer.write_all(&[b'}'; 16 << 10]).is_ok() {};
    let read = move || {
        let mut buffer = [0; 64 << 10];
        while reader.read(&mut buffer).is_ok_and(|count| count > 0) {}
    };
    (stream, [thread::spawn(write), thread::spawn(read)])
}

#[test]
fn who_floods_the_server_keeps_nobody_from_connecting() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let _server = start(&path);
    for _ in 0..400 {
        let (stream, threads) = flood(&path);
        let client = UnixStream::connect(&path).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        assert!(read_line(&client).starts_with("{\"QMP\""));
        stream.shutdown(Shutdown::Both).unwrap();
        for thread in threads {
            thread.join().unwrap();
        }
    }
}

#[test]
fn a_panic_is_an_error_reply() {
    struct Panicking;

    impl Host for Panicking {
        fn quit(&self) -> Result<Change, Error> {
            panic!("on purpose")
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let registry = Registry::new();
    let query = |_: &StatsQuery<'_>, sink: &mut dyn StatsSink| {
        sink.result(None);
        sink.scalar("cut-off", 1);
        panic!("on purpose")
    };
    registry
        .add_stats_callbacks(StatsProvider::Kvm, query, |_| panic!("on purpose"))
        .unwrap();
    let monitor = Monitor::new(registry, Panicking).with_control(true);
    let _server = serve(&path, monitor);
    let client = UnixStream::connect(&path).unwrap();
    read_line(&client);
    ask(&client, "{'execute': 'qmp_capabilities'}");
    let error = |desc: &str| {
        format!(
            "{{\"id\": 1, \"error\": {{\"class\": \"GenericError\", \"desc\": \"{desc}\"}}}}\r\n"
        )
    };
    for (request, expected) in [
        (
            "{'execute': 'query-stats', 'arguments': {'target': 'vm'}, 'id': 1}",
            error("Provider 'kvm' panicked"),
        ),
        (
            "{'execute': 'query-stats-schemas', 'id': 1}",
            error("Provider 'kvm' panicked"),
        ),
        (
            "{'execute': 'quit', 'id': 1}",
            error("The command quit failed: its handler panicked"),
        ),
        (
            "{'execute': 'query-name'}",
            "{\"return\": {}}\r\n".to_owned(),
        ),
    ] {
        assert_eq!(ask(&client, request), expected);
    }
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
