//! The examples, each with a client that asks, is told of events and leaves.

#![cfg(feature = "server")]
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests, and examples that have a main of their own"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use event_manager::{EventManager, SubscriberOps};
use qapi_stats::wire::command::{Empty, Event};
use qapi_stats::wire::{DecodeMembers, EncodeMembers, Error, Members, ObjectWriter};
use stats_runtime::{EventLimit, Monitor, NoHost, Registry};

#[path = "../examples/event_manager.rs"]
mod event_manager_example;
#[path = "../examples/thread.rs"]
mod thread_example;
#[path = "../examples/tokio.rs"]
mod tokio_example;

/// An event without data.
struct Watchdog;

impl EncodeMembers for Watchdog {
    fn encode_members(&self, _: &mut ObjectWriter<'_, '_>) {}
}

impl DecodeMembers for Watchdog {
    fn decode_members(members: &mut Members<'_>) -> Result<Self, Error> {
        Empty::decode_members(members).map(|Empty {}| Self)
    }
}

impl Event for Watchdog {
    const NAME: &'static str = "WATCHDOG";
    const HAS_DATA: bool = false;
    const FEATURES: &'static [&'static str] = &[];
}

/// Requests at once: their replies are longer than `Limits` lets wait.
const PIPELINED: usize = 500;

/// Serves a client with `serve`, in a thread, and talks to it.
fn check(serve: impl FnOnce(UnixStream, Monitor) + Send + 'static) {
    let interval = Duration::from_millis(100);
    let monitor = Monitor::new(Arc::new(Registry::new()), Arc::new(NoHost));
    monitor.limit_event("WATCHDOG", EventLimit::new(interval));
    let (client, served) = UnixStream::pair().unwrap();
    let server = {
        let monitor = monitor.clone();
        thread::spawn(move || serve(served, monitor))
    };
    client
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let mut lines = BufReader::new(client);
    let mut read = || {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        (line, lines.get_ref().try_clone().unwrap())
    };
    let (greeting, mut writer) = read();
    assert!(greeting.starts_with("{\"QMP\""), "{greeting}");
    writer
        .write_all(b"{'execute': 'qmp_capabilities'} {'execute': 'query-name'}")
        .unwrap();
    for _ in 0..2 {
        assert_eq!(read().0, "{\"return\": {}}\r\n");
    }
    // The second is held back, and nobody but the deadline wakes for it.
    let begin = Instant::now();
    for _ in 0..2 {
        monitor.emit(&Watchdog);
    }
    for _ in 0..2 {
        let (event, _) = read();
        assert!(event.ends_with("\"event\": \"WATCHDOG\"}\r\n"), "{event}");
    }
    assert!(begin.elapsed() >= interval);
    // More answers than wait for a client at once.
    let pipelined = "{'execute': 'query-qmp-schema'}".repeat(PIPELINED);
    let mut other = writer.try_clone().unwrap();
    let sender = thread::spawn(move || other.write_all(pipelined.as_bytes()).unwrap());
    for _ in 0..PIPELINED {
        assert!(read().0.starts_with("{\"return\": [{"));
    }
    sender.join().unwrap();
    // What was sent before the end is answered.
    writer.write_all(b"{'execute': 'query-name'}").unwrap();
    writer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(read().0, "{\"return\": {}}\r\n");
    let mut rest = Vec::new();
    lines.read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    server.join().unwrap();
}

#[test]
fn in_plain_threads() {
    check(|stream, monitor| thread_example::serve(&stream, &monitor).unwrap());
}

#[test]
fn in_tokio() {
    check(|stream, monitor| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async {
            stream.set_nonblocking(true).unwrap();
            let stream = tokio::net::UnixStream::from_std(stream).unwrap();
            tokio_example::serve(stream, monitor).await.unwrap();
        });
    });
}

#[test]
fn in_the_event_manager() {
    check(|stream, monitor| {
        let mut manager = EventManager::new().unwrap();
        let client = event_manager_example::Client::new(stream, monitor).unwrap();
        manager.add_subscriber(client);
        // Until there has been nothing for a while: the client has left.
        while manager.run_with_timeout(500).unwrap() > 0 {}
    });
}

/// The VMM's loop goes on.
#[test]
fn a_client_that_does_not_read_does_not_hold_the_event_manager_up() {
    let (client, served) = UnixStream::pair().unwrap();
    let (done, is_done) = std::sync::mpsc::channel();
    let monitor = Monitor::new(Arc::new(Registry::new()), Arc::new(NoHost));
    thread::spawn(move || {
        let mut manager = EventManager::new().unwrap();
        let client = event_manager_example::Client::new(served, monitor).unwrap();
        manager.add_subscriber(client);
        while manager.run_with_timeout(100).unwrap() > 0 {}
        done.send(()).unwrap();
    });
    let requests = "{'execute': 'query-qmp-schema'}".repeat(PIPELINED);
    (&client)
        .write_all(format!("{{'execute': 'qmp_capabilities'}}{requests}").as_bytes())
        .unwrap();
    is_done.recv_timeout(Duration::from_secs(10)).unwrap();
}
