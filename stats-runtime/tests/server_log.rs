//! The server's log: each way in which a client comes and goes.

#![cfg(all(feature = "server", feature = "tracing"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};
use tracing_subscriber::filter::LevelFilter;

/// The log's text so far.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Waits for a line with all of `parts`, and removes the text up to its end.
    fn expect(&self, parts: &[&str]) {
        let begin = Instant::now();
        loop {
            let mut log = self.0.lock().unwrap();
            let text = String::from_utf8(log.clone()).unwrap();
            let mut end = 0;
            for line in text.split_inclusive('\n') {
                end += line.len();
                if parts.iter().all(|part| line.contains(part)) {
                    log.drain(..end);
                    return;
                }
            }
            drop(log);
            let is_late = begin.elapsed() > Duration::from_secs(10);
            assert!(!is_late, "no line with {parts:?} in:\n{text}");
            thread::sleep(Duration::from_millis(5));
        }
    }
}

fn start(listener: Listener, options: Options) -> Server {
    let monitor = Monitor::new(Registry::new(), NoHost);
    Server::start(monitor, [listener], options).unwrap()
}

fn greeted(path: &Path) -> BufReader<UnixStream> {
    let mut client = BufReader::new(UnixStream::connect(path).unwrap());
    client.read_line(&mut String::new()).unwrap();
    client
}

// One test, because the log is the process's.
#[test]
fn log_says_who_comes_and_goes_and_why() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_max_level(LevelFilter::DEBUG)
        .with_writer(move || writer.clone())
        .init();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let uid = rustix::process::getuid().as_raw();

    let options = Options::new()
        .connections_max(1)
        .idle_timeout(Some(Duration::from_millis(600)));
    let server = start(Listener::unix(&path).unwrap(), options);
    let mut client = greeted(&path);
    let who = format!("pid {}, uid {uid}", std::process::id());
    log.expect(&["INFO", "stats_runtime::server", "connected", &who]);
    assert_eq!(
        UnixStream::connect(&path).unwrap().read(&mut [0]).unwrap(),
        0
    );
    log.expect(&["WARN", "refused", "1 clients are connected", &who]);
    let request = b"{'execute': 'qmp_capabilities'} {'execute': 'query-name'}";
    client.get_mut().write_all(request).unwrap();
    log.expect(&["DEBUG", "query-name"]);
    for _ in 0..2 {
        client.read_line(&mut String::new()).unwrap();
    }
    drop(client);
    log.expect(&["INFO", "disconnected", "the session is over"]);
    // Leaves its replies unread.
    let mut hasty = greeted(&path);
    hasty.get_mut().write_all(request).unwrap();
    log.expect(&["DEBUG", "query-name"]);
    drop(hasty);
    log.expect(&["INFO", "disconnected"]);
    let mut idle = greeted(&path);
    idle.get_mut()
        .write_all(b"{'execute': 'qmp_capabilities'}")
        .unwrap();
    log.expect(&["WARN", "disconnected", "idle for too long"]);
    drop(server);

    let listener = Listener::unix(&path).unwrap();
    let server = start(listener.allow_uids(&[uid + 1]), Options::new());
    assert_eq!(
        UnixStream::connect(&path).unwrap().read(&mut [0]).unwrap(),
        0
    );
    log.expect(&["WARN", "refused", "neither its user nor", &who]);
    drop(server);

    let negotiation_timeout = Some(Duration::from_millis(10));
    let options = Options::new().negotiation_timeout(negotiation_timeout);
    let server = start(Listener::unix(&path).unwrap(), options);
    let _silent = UnixStream::connect(&path).unwrap();
    log.expect(&["WARN", "disconnected", "negotiated in time"]);
    drop(server);

    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.tcp_address().unwrap();
    let server = start(listener, Options::new());
    let mut browser = TcpStream::connect(address).unwrap();
    browser.write_all(b"POST / HTTP/1.1\r\n\r\n").unwrap();
    let peer = browser.local_addr().unwrap().to_string();
    log.expect(&["INFO", "connected", &peer]);
    log.expect(&["WARN", "disconnected", "HTTP"]);
    let _client = TcpStream::connect(address).unwrap();
    log.expect(&["INFO", "connected"]);
    drop(server);
    log.expect(&["INFO", "disconnected"]);
}
