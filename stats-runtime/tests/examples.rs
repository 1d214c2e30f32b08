//! The examples, each with clients that ask, are told of events, leave, and end the VMM.

#![cfg(feature = "server")]
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests, and examples that have a main of their own"
)]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::wire::command::{Empty, Event};
use qapi_stats::wire::{DecodeMembers, EncodeMembers, Error, Members, ObjectWriter};
use stats_runtime::server::{Options, Polled};
use stats_runtime::{EventLimit, Monitor, NoHost, Registry};

#[path = "../examples/epoll.rs"]
mod epoll_example;
#[path = "../examples/event_manager.rs"]
mod event_manager_example;
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

const NEGOTIATE: &str = "{'execute': 'qmp_capabilities'}";

fn connect(server: &Polled) -> BufReader<UnixStream> {
    let (client, served) = UnixStream::pair().unwrap();
    let patience = Some(Duration::from_secs(10));
    client.set_read_timeout(patience).unwrap();
    server.add_unix_client(served).unwrap();
    BufReader::new(client)
}

fn send(client: &BufReader<UnixStream>, requests: &str) {
    let mut stream = client.get_ref();
    stream.write_all(requests.as_bytes()).unwrap();
}

fn read(client: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    client.read_line(&mut line).unwrap();
    line
}

/// Runs a VMM with a monitor in a thread, and talks to it until it has ended.
fn check(run: impl FnOnce(Polled) + Send + 'static) {
    let interval = Duration::from_millis(100);
    let monitor = Monitor::new(Registry::new(), NoHost).with_control(true);
    monitor.limit_event("WATCHDOG", EventLimit::new(interval));
    let server = Polled::new(monitor.clone(), [], Options::new()).unwrap();
    let [mut client, mut other, leaving, deaf] = [(); 4].map(|()| connect(&server));
    let vmm = thread::spawn(|| run(server.hand_over(["stop", "cont", "quit"])));

    assert!(read(&mut client).starts_with("{\"QMP\""));
    send(&client, &format!("{NEGOTIATE} {{'execute': 'query-name'}}"));
    for _ in 0..2 {
        assert_eq!(read(&mut client), "{\"return\": {}}\r\n");
    }
    // A client that has left, and one that never reads, hold nothing up.
    drop(leaving);
    let pipelined = "{'execute': 'query-qmp-schema'}".repeat(PIPELINED);
    send(&deaf, &format!("{NEGOTIATE}{pipelined}"));
    // The second is held back, and nobody but the deadline wakes for it.
    let begin = Instant::now();
    for _ in 0..2 {
        monitor.emit(&Watchdog);
    }
    for _ in 0..2 {
        let event = read(&mut client);
        assert!(event.ends_with("\"event\": \"WATCHDOG\"}\r\n"), "{event}");
    }
    assert!(begin.elapsed() >= interval);
    // More answers than wait for a client at once.
    let writer = client.get_ref().try_clone().unwrap();
    let sender = thread::spawn(move || (&writer).write_all(pipelined.as_bytes()).unwrap());
    for _ in 0..PIPELINED {
        assert!(read(&mut client).starts_with("{\"return\": [{"));
    }
    sender.join().unwrap();

    read(&mut other);
    send(&other, NEGOTIATE);
    read(&mut other);
    for (command, event) in [("stop", "STOP"), ("cont", "RESUME"), ("quit", "SHUTDOWN")] {
        send(&client, &format!("{{'execute': '{command}'}}"));
        for client in [&mut client, &mut other] {
            let line = read(client);
            assert!(line.contains(&format!("\"event\": \"{event}\"")), "{line}");
        }
        assert_eq!(read(&mut client), "{\"return\": {}}\r\n");
    }
    for mut client in [client, other] {
        assert_eq!(read(&mut client), "", "the VMM has ended");
    }
    drop(deaf);
    vmm.join().unwrap();
}

#[test]
fn in_plain_epoll() {
    check(|server| epoll_example::run(epoll_example::Vmm::default(), server).unwrap());
}

#[test]
fn in_tokio() {
    check(|server| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        let vmm = tokio_example::Vmm::default();
        runtime.block_on(tokio_example::run(vmm, server)).unwrap();
    });
}

#[test]
fn in_the_event_manager() {
    check(|server| {
        let qmp = event_manager_example::Qmp {
            server,
            is_paused: false,
            has_ended: false,
        };
        event_manager_example::run(qmp).unwrap();
    });
}
