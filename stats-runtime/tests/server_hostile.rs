//! A server whose clients stall it, flood it, or leave while it works for them.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod client;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use client::{Client, PATIENCE};
use qapi_stats::stats::StatsProvider;
use stats_runtime::qmp::Limits;
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};

const QUERY: &str = "{'execute': 'query-stats', 'arguments': {'target': 'vm'}}";

/// Keeps four threads of the machine busy until it is dropped.
struct Load(Arc<AtomicBool>);

impl Load {
    fn new() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        for _ in 0..4 {
            let stop = Arc::clone(&stop);
            thread::spawn(move || while !stop.load(Ordering::Relaxed) {});
        }
        Self(stop)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn serve(path: &Path, registry: Registry, options: Options) -> Server {
    let monitor = Monitor::new(registry, NoHost);
    Server::start(monitor, [Listener::unix(path).unwrap()], options).unwrap()
}

/// A registry with a provider that blocks as long as the sender lives, and
/// counts the queries that it has begun.
fn blocking_registry() -> (Registry, mpsc::Sender<()>, Arc<AtomicUsize>) {
    let registry = Registry::new();
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = Mutex::new(receiver);
    let begun = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&begun);
    let query = move |_: &stats_runtime::StatsQuery<'_>, _: &mut dyn stats_runtime::StatsSink| {
        count.fetch_add(1, Ordering::Relaxed);
        let _ = receiver.lock().unwrap().recv();
        Ok(())
    };
    registry
        .add_stats_callbacks(StatsProvider::Kvm, query, |_| Ok(()))
        .unwrap();
    (registry, sender, begun)
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// The number of conversations that the test below has. A build with more of
/// them, `CONVERSATIONS=10000`, takes minutes.
fn conversations() -> usize {
    let number = std::env::var("CONVERSATIONS").ok();
    number.map_or(400, |number| number.parse().unwrap())
}

/// The replies do not fit into the socket, nor into what a session may buffer.
/// Whenever the client reads some of them, the server must go on by itself: the
/// client sends nothing more that could remind the server of it.
#[test]
fn pipelined_requests_are_all_answered_when_the_client_reads_late() {
    const REQUESTS: usize = 60;
    let _load = Load::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let _server = serve(&path, Registry::new(), Options::new());
    let (path, rest) = (path.as_path(), AtomicUsize::new(conversations()));
    let converse = || {
        while rest
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |rest| {
                rest.checked_sub(1)
            })
            .is_ok()
        {
            let mut client = Client::negotiated(path);
            client.send(&"{'execute': 'query-qmp-schema'}".repeat(REQUESTS));
            for _ in 0..REQUESTS {
                assert!(client.read().ends_with("}\r\n"));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(converse);
        }
    });
}

#[test]
fn idle_clients_stay_connected_while_others_hold_too_much() {
    let _load = Load::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let options = Options::new()
        .limits(Limits::default())
        .connections_max(400)
        .held_bytes_max(4 << 20);
    let server = serve(&path, Registry::new(), options);
    let mut idle: Vec<Client> = (0..250).map(|_| Client::negotiated(&path)).collect();
    let attack = || {
        for _ in 0..40 {
            let mut stream = UnixStream::connect(&path).unwrap();
            let _ = stream
                .write_all(b"'")
                .and_then(|()| stream.write_all(&vec![b'x'; 1 << 20]));
        }
    };
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(attack);
        }
        for client in idle.iter_mut().take(20) {
            for _ in 0..20 {
                assert_eq!(
                    client.ask("{'execute': 'query-name'}"),
                    "{\"return\": {}}\r\n"
                );
            }
        }
    });
    for (number, client) in idle.iter_mut().enumerate() {
        let reply = client.ask("{'execute': 'query-name'}");
        assert_eq!(reply, "{\"return\": {}}\r\n", "client {number}");
    }
    assert!(server.connections() >= idle.len());
}

#[test]
fn server_answers_although_as_many_providers_hang_as_there_are_threads() {
    const THREADS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let (registry, release, begun) = blocking_registry();
    let options = Options::new()
        .threads(THREADS)
        .busy_timeout(Duration::from_millis(200));
    let server = serve(&path, registry, options);
    // More than there are threads, and all leave at once.
    let mut clients: Vec<Client> = (0..10).map(|_| Client::negotiated(&path)).collect();
    for client in &mut clients {
        client.send(QUERY);
    }
    wait_until("all threads but one are blocked", || {
        begun.load(Ordering::Relaxed) == THREADS - 1
    });
    // Which of the clients were first is chance.
    let (sender, replies) = mpsc::channel();
    for client in &clients {
        let stream = client.0.get_ref().try_clone().unwrap();
        let sender = sender.clone();
        thread::spawn(move || {
            let mut reply = String::new();
            BufReader::new(stream).read_line(&mut reply).unwrap();
            sender.send(reply).unwrap();
        });
    }
    for _ in THREADS - 1..clients.len() {
        let reply = replies.recv_timeout(PATIENCE).unwrap();
        assert!(reply.contains("all 4 threads wait"), "{reply}");
    }
    let mut other = Client::connect(&path);
    assert!(other.read().starts_with("{\"QMP\""));
    drop(other);
    drop(release);
    for _ in 0..THREADS - 1 {
        let reply = replies.recv_timeout(PATIENCE).unwrap();
        assert_eq!(reply, "{\"return\": []}\r\n");
    }
    assert_eq!(Client::negotiated(&path).ask(QUERY), "{\"return\": []}\r\n");
    drop(clients);
    wait_until("all are gone", || server.connections() == 0);
}

#[test]
fn client_that_leaves_during_its_command_gives_back_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let (registry, release, begun) = blocking_registry();
    let server = serve(&path, registry, Options::new().connections_max(1));
    for number in 1..=3 {
        let mut client = Client::negotiated(&path);
        client.send(QUERY);
        wait_until("the provider is asked", || {
            begun.load(Ordering::Relaxed) == number
        });
        drop(client);
        wait_until("the client is forgotten", || server.connections() == 0);
    }
    drop(release);
}

#[test]
fn commands_in_a_web_request_are_not_executed() {
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.tcp_address().unwrap();
    let monitor = Monitor::new(Registry::new(), NoHost);
    let _server = Server::start(monitor, [listener], Options::new()).unwrap();
    let commands = "{'execute': 'qmp_capabilities'}{'execute': 'query-name'}";
    for head in [
        "POST / HTTP/1.1\r\n",
        "\r\nGET / HTTP/1.1\r\n",
        "OPTIONS *\r\n",
    ] {
        for split in [0, 1, head.len()] {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            let (first, second) = head.split_at(split);
            let _ = stream.write_all(first.as_bytes());
            thread::sleep(Duration::from_millis(5));
            let _ = stream.write_all(format!("{second}\r\n{commands}").as_bytes());
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            assert!(!String::from_utf8_lossy(&answer).contains("return"));
        }
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream
        .write_all(format!(" \n{commands}").as_bytes())
        .unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer.matches("return").count(), 2);
}

#[test]
fn client_that_does_not_read_is_late_although_its_command_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let (registry, release, begun) = blocking_registry();
    let options = Options::new().write_timeout(Some(Duration::from_millis(200)));
    let server = serve(&path, registry, options);
    let mut client = Client::negotiated(&path);
    let schema = "{'execute': 'query-qmp-schema'}";
    // Longer than the socket's buffers, shorter than what a session buffers.
    let replies = (768 << 10) / client.ask(schema).len();
    client.send(&format!("{}{QUERY}", schema.repeat(replies)));
    wait_until("the provider is asked", || {
        begun.load(Ordering::Relaxed) == 1
    });
    wait_until("the client is forgotten", || server.connections() == 0);
    drop(release);
}
