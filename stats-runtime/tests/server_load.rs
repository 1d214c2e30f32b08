//! A server under attack: memory, latency, and what is left behind. One test
//! in a process of its own, for it counts the process's threads, descriptors
//! and memory.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod client;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use client::Client;
use qapi_stats::stats::StatsTarget;
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};

/// How long a well-behaved client may wait. It is answered in a fraction of
/// it; machines that run many tests at once are slow.
const LATENCY_MAX: Duration = Duration::from_secs(1);

const CLIENTS: usize = 1000;

/// A number of `/proc/self/status`, in its unit.
fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn rss_kib() -> usize {
    status("VmRSS:")
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Asks for statistics again and again; the longest wait.
fn latency_of(client: &mut Client, rounds: usize) -> Duration {
    let query = "{'execute': 'query-stats', 'arguments': {'target': 'vm'}}";
    let wait = |_| {
        let begin = Instant::now();
        assert!(client.ask(query).contains("\"answer\""));
        begin.elapsed()
    };
    (0..rounds).map(wait).max().unwrap()
}

fn serve(path: &Path) -> Server {
    let registry = Registry::new();
    registry
        .add_stats_callbacks(
            "test",
            |query, sink| {
                if *query.target() == StatsTarget::Vm {
                    sink.result(None);
                    sink.scalar("answer", 42);
                }
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    let monitor = Monitor::new(registry, NoHost);
    let listener = Listener::unix(path).unwrap();
    // Those who are not attackers have to stay below, too.
    let options = Options::new().connections_max(CLIENTS + 100);
    Server::start(monitor, [listener], options).unwrap()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(5), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_server_under_attack() {
    // Both ends of every connection are this process's.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let before = (status("Threads:"), descriptors());
    let mut server = serve(&path);
    let mut good = Client::negotiated(&path);
    latency_of(&mut good, 10);

    many_clients(&path, &mut good);
    wait_until("all are gone", || server.connections() == 1);
    a_message_without_an_end(&path, &mut good);
    clients_that_do_not_read(&path, &mut good);
    floods_of_garbage(&path, &mut good);

    drop(good);
    server.stop();
    drop(server);
    assert!(!path.exists());
    wait_until("no thread and no descriptor is left", || {
        (status("Threads:"), descriptors()) == before
    });
}

fn many_clients(path: &Path, good: &mut Client) {
    let before = (rss_kib(), status("Threads:"));
    let begin = Instant::now();
    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::negotiated(path)).collect();
    let latency = latency_of(good, 100);
    for client in clients.iter_mut().rev() {
        assert_eq!(
            client.ask("{'execute': 'query-name'}"),
            "{\"return\": {}}\r\n"
        );
    }
    let grown = rss_kib() - before.0;
    println!(
        "{CLIENTS} clients: {grown} KiB at both ends, {} threads, {:?}; another waits {latency:?}",
        status("Threads:"),
        begin.elapsed()
    );
    assert!(grown < 64 << 10, "{grown} KiB");
    assert!(status("Threads:") < before.1 + 50);
    assert!(latency < LATENCY_MAX);
}

/// Feeds bytes until the server takes no more or has taken enough.
fn feed(stream: &mut UnixStream, bytes: &[u8], enough: usize) -> usize {
    let timeout = Some(Duration::from_millis(500));
    stream.set_write_timeout(timeout).unwrap();
    let mut taken = 0;
    while taken < enough {
        match stream.write(bytes) {
            Ok(count) => taken += count,
            Err(_) => break,
        }
    }
    taken
}

fn a_message_without_an_end(path: &Path, good: &mut Client) {
    let mut attacker = Client::negotiated(path);
    let before = rss_kib();
    let feeder = thread::spawn(move || {
        let stream = attacker.0.get_mut();
        stream.write_all(b"{'execute': '").unwrap();
        let taken = feed(stream, &[b'x'; 64 << 10], 64 << 20);
        let peak = rss_kib();
        (taken, peak, attacker)
    });
    let mut latency = Duration::ZERO;
    while !feeder.is_finished() {
        latency = latency.max(latency_of(good, 1));
    }
    let (taken, peak, mut attacker) = feeder.join().unwrap();
    let grown = peak.saturating_sub(before);
    println!(
        "64 MiB without a newline: {taken} bytes taken, {grown} KiB more; another waits {latency:?}"
    );
    assert!(taken >= 64 << 20);
    // What it sent, in a vector that grows by doubling.
    assert!(grown < 200 << 10, "{grown} KiB");
    assert!(latency < LATENCY_MAX);
    // It has gone too far, is told, and can go on; nothing is kept.
    attacker.0.get_mut().write_all(&[b'x'; 4096]).unwrap();
    assert!(attacker.read().contains("limit exceeded"));
    drop(attacker);
    wait_until("the memory is given back", || {
        rss_kib() < before + (16 << 10)
    });
}

fn clients_that_do_not_read(path: &Path, good: &mut Client) {
    let before = rss_kib();
    let requests = "{'execute': 'query-qmp-schema'}".repeat(100);
    let mut attackers: Vec<Client> = (0..20).map(|_| Client::negotiated(path)).collect();
    for attacker in &mut attackers {
        let timeout = Some(Duration::from_millis(20));
        let stream = attacker.0.get_mut();
        stream.set_write_timeout(timeout).unwrap();
        while stream.write_all(requests.as_bytes()).is_ok() {}
    }
    let latency = latency_of(good, 100);
    let grown = rss_kib().saturating_sub(before);
    println!("20 clients that do not read: {grown} KiB; another waits {latency:?}");
    // Each holds a mebibyte of replies at most, and some of its requests.
    assert!(grown < 60 << 10, "{grown} KiB");
    assert!(latency < LATENCY_MAX);
}

fn floods_of_garbage(path: &Path, good: &mut Client) {
    let before = rss_kib();
    let stop = Arc::new(AtomicBool::new(false));
    let byte = |n: u32| n.wrapping_mul(2_654_435_761).to_be_bytes()[1];
    let garbage: Vec<u8> = (0..64 << 10).map(byte).collect();
    let floods: Vec<_> = (0..4)
        .map(|_| {
            let mut attacker = Client::negotiated(path);
            let (garbage, stop) = (garbage.clone(), Arc::clone(&stop));
            let mut reader = attacker.0.get_ref().try_clone().unwrap();
            let reader = thread::spawn(move || {
                let mut buffer = [0; 16 << 10];
                while reader.read(&mut buffer).is_ok_and(|count| count > 0) {}
            });
            thread::spawn(move || {
                let mut bytes = 0;
                while !stop.load(Ordering::Relaxed) {
                    bytes += attacker.0.get_mut().write(&garbage).unwrap_or(0);
                }
                attacker
                    .0
                    .get_ref()
                    .shutdown(std::net::Shutdown::Both)
                    .unwrap();
                reader.join().unwrap();
                bytes
            })
        })
        .collect();
    let begin = Instant::now();
    let mut latency = Duration::ZERO;
    while begin.elapsed() < Duration::from_secs(1) {
        latency = latency.max(latency_of(good, 1));
    }
    let grown = rss_kib().saturating_sub(before);
    stop.store(true, Ordering::Relaxed);
    let bytes: usize = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
    println!("floods of garbage: {bytes} bytes, {grown} KiB; another waits {latency:?}");
    assert!(bytes > 1 << 20);
    assert!(grown < 60 << 10, "{grown} KiB");
    assert!(latency < LATENCY_MAX);
}
