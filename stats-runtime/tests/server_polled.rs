//! The server without threads, driven by a plain epoll loop as in a VMM.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod client;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use client::{Client, PATIENCE};
use qapi_stats::run_state::StatusInfo;
use qapi_stats::run_state::events::Stop;
use qapi_stats::stats::{StatsProvider, StatsTarget};
use qapi_stats::wire::Error;
use qapi_stats::wire::command::Empty;
use rustix::event::Timespec;
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use stats_runtime::host::Change;
use stats_runtime::server::{Listener, Options, Pending, Polled};
use stats_runtime::{Monitor, NoHost, Registry};

const QUERY: &str = "{'execute': 'query-stats', 'arguments': {'target': 'vm'}}";

/// A monitor whose provider counts its queries.
fn monitor() -> (Monitor, Arc<AtomicUsize>) {
    let registry = Registry::new();
    let queries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&queries);
    registry
        .add_stats_callbacks(
            StatsProvider::Kvm,
            move |query, sink| {
                count.fetch_add(1, Ordering::Relaxed);
                if *query.target() == StatsTarget::Vm {
                    sink.result(None);
                    sink.scalar("answer", 42);
                }
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    let monitor = Monitor::new(registry, NoHost).with_control(true);
    (monitor, queries)
}

/// The loop of a VMM: one epoll without a timer of its own.
struct Outer(rustix::fd::OwnedFd);

impl Outer {
    fn new(server: &Polled) -> Self {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
        epoll::add(&epoll, server, EventData::new_u64(7), EventFlags::IN).unwrap();
        Self(epoll)
    }

    /// Waits at most for `time_max`; returns whether the server has work.
    fn waits(&self, time_max: Duration) -> bool {
        let mut events = [Event {
            flags: EventFlags::empty(),
            data: EventData::new_u64(0),
        }];
        let timeout = Timespec::try_from(time_max).unwrap();
        epoll::wait(&self.0, &mut events, Some(&timeout)).unwrap() > 0
    }

    /// Turns until nothing is left; returns the commands to execute.
    fn turns(&self, server: &mut Polled) -> Vec<Pending> {
        let mut commands = Vec::new();
        while self.waits(Duration::ZERO) {
            commands.extend(server.turn().unwrap());
        }
        commands
    }

    /// Turns until there is a command to execute.
    fn next_command(&self, server: &mut Polled) -> Pending {
        loop {
            assert!(self.waits(PATIENCE));
            let mut commands = server.turn().unwrap();
            if let Some(command) = commands.pop() {
                assert!(commands.is_empty());
                return command;
            }
        }
    }
}

/// Runs a server in a thread, until told to end; returns the longest turn.
struct Running {
    has_ended: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Running {
    fn start(server: Polled) -> Self {
        let outer = Outer::new(&server);
        Self::start_with(server, outer)
    }

    fn start_with(mut server: Polled, outer: Outer) -> Self {
        let has_ended = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&has_ended);
        let thread = thread::spawn(move || {
            let mut longest = Duration::ZERO;
            while !ends.load(Ordering::Relaxed) {
                if outer.waits(Duration::from_millis(50)) {
                    let begin = Instant::now();
                    drop(server.turn().unwrap());
                    longest = longest.max(begin.elapsed());
                }
            }
            server.drain(Duration::from_millis(100)).unwrap();
            longest
        });
        Self { has_ended, thread }
    }

    fn end(self) -> Duration {
        self.has_ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn latency_of(client: &mut Client, rounds: usize) -> Duration {
    let wait = |_| {
        let begin = Instant::now();
        assert!(client.ask(QUERY).contains("\"answer\""));
        begin.elapsed()
    };
    (0..rounds).map(wait).max().unwrap()
}

#[test]
fn polled_server_serves_a_thousand_clients_while_others_stall_and_flood() {
    const CLIENTS: usize = 1000;
    const LATENCY_MAX: Duration = Duration::from_secs(1);
    // Both ends of every connection are this process's.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        ..limit
    };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let (monitor, _) = monitor();
    let options = Options::new().connections_max(CLIENTS + 10);
    let server = Polled::new(monitor, [Listener::unix(&path).unwrap()], options).unwrap();
    let running = Running::start(server);

    let mut clients: Vec<Client> = (0..CLIENTS).map(|_| Client::negotiated(&path)).collect();
    let mut good = clients.pop().unwrap();
    assert!(latency_of(&mut good, 100) < LATENCY_MAX);
    for client in clients.iter_mut().rev() {
        assert!(client.ask(QUERY).contains("\"answer\""));
    }

    // A client that never reads.
    let mut deaf = clients.pop().unwrap();
    let timeout = Some(Duration::from_millis(20));
    deaf.0.get_mut().set_write_timeout(timeout).unwrap();
    let requests = "{'execute': 'query-qmp-schema'}".repeat(100);
    while deaf.0.get_mut().write_all(requests.as_bytes()).is_ok() {}
    // A client that sends a byte at a time.
    let mut slow = clients.pop().unwrap();
    let slow = thread::spawn(move || {
        for byte in QUERY.bytes() {
            slow.0.get_mut().write_all(&[byte]).unwrap();
            thread::sleep(Duration::from_millis(2));
        }
        slow.read()
    });
    // Clients that flood: with garbage, and with requests.
    let stop = Arc::new(AtomicBool::new(false));
    let mut floods = Vec::new();
    for text in [[b'}'; 16 << 10].to_vec(), QUERY.repeat(300).into_bytes()] {
        let client = clients.pop().unwrap();
        let mut writer = client.0.get_ref().try_clone().unwrap();
        let mut reader = client.0.into_inner();
        let stops = Arc::clone(&stop);
        floods.push(thread::spawn(move || {
            while !stops.load(Ordering::Relaxed) && writer.write_all(&text).is_ok() {}
            let _ = writer.shutdown(Shutdown::Both);
        }));
        floods.push(thread::spawn(move || {
            let mut buffer = [0; 64 << 10];
            while reader.read(&mut buffer).is_ok_and(|count| count > 0) {}
        }));
    }
    let begin = Instant::now();
    let mut latency = Duration::ZERO;
    while begin.elapsed() < Duration::from_secs(1) {
        latency = latency.max(latency_of(&mut good, 1));
    }
    assert!(latency < LATENCY_MAX, "{latency:?}");
    assert!(slow.join().unwrap().contains("\"answer\""));
    stop.store(true, Ordering::Relaxed);
    for flood in floods {
        flood.join().unwrap();
    }
    assert!(good.ask(QUERY).contains("\"answer\""));
    let longest = running.end();
    println!("another client waits {latency:?}, the loop {longest:?}");
    assert!(longest < LATENCY_MAX, "{longest:?}");
}

#[test]
fn turn_executes_a_bounded_number_of_commands_and_leaves_the_rest_readable() {
    const REQUESTS: usize = 500;
    let (monitor, queries) = monitor();
    let mut server = Polled::new(monitor, [], Options::new()).unwrap();
    let outer = Outer::new(&server);
    let (ours, theirs) = UnixStream::pair().unwrap();
    server.add_unix_client(theirs).unwrap();
    let mut client = Client::new(ours);
    client.send(&format!(
        "{{'execute': 'qmp_capabilities'}}{}",
        QUERY.repeat(REQUESTS)
    ));
    let mut executed = 0;
    while outer.waits(Duration::ZERO) {
        assert!(server.turn().unwrap().is_empty());
        let now = queries.load(Ordering::Relaxed);
        assert!(now - executed <= 16, "{executed} {now}");
        executed = now;
    }
    assert_eq!(
        executed, REQUESTS,
        "the server stopped although it could go on"
    );
    let reader = thread::spawn(move || {
        for line in 0..REQUESTS + 2 {
            assert!(client.read().ends_with("}\r\n"), "{line}");
        }
    });
    while !reader.is_finished() {
        if outer.waits(Duration::from_millis(10)) {
            assert!(server.turn().unwrap().is_empty());
        }
    }
    reader.join().unwrap();
}

#[test]
fn replies_that_do_not_fit_go_on_when_the_client_reads() {
    const REQUESTS: usize = 60;
    let (monitor, _) = monitor();
    let mut server = Polled::new(monitor, [], Options::new()).unwrap();
    let outer = Outer::new(&server);
    let (ours, theirs) = UnixStream::pair().unwrap();
    server.add_client(theirs.into()).unwrap();
    let reader = thread::spawn(move || {
        let mut client = Client::new(ours);
        client.send("{'execute': 'qmp_capabilities'}");
        client.send(&"{'execute': 'query-qmp-schema'}".repeat(REQUESTS));
        thread::sleep(Duration::from_millis(100));
        for _ in 0..REQUESTS + 2 {
            assert!(client.read().ends_with("}\r\n"));
        }
    });
    while !reader.is_finished() {
        if outer.waits(Duration::from_millis(10)) {
            assert!(server.turn().unwrap().is_empty());
        }
    }
    reader.join().unwrap();
    outer.turns(&mut server);
    assert_eq!(server.connections(), 0);
}

/// The VMM of these tests: two clients, and commands that it executes itself.
fn with_two_clients(commands: &[&str]) -> (Monitor, Polled, Outer, [Client; 2]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let listener = Listener::from_unix_listener(listener).unwrap();
    let (monitor, _) = monitor();
    let server = Polled::new(monitor.clone(), [listener], Options::new()).unwrap();
    let mut server = server.hand_over(commands.iter().copied());
    let outer = Outer::new(&server);
    let clients = [(); 2].map(|()| {
        let mut client = Client::new(UnixStream::connect(&path).unwrap());
        client.send("{'execute': 'qmp_capabilities'}");
        assert!(outer.waits(PATIENCE));
        assert!(outer.turns(&mut server).is_empty());
        client.read();
        client.read();
        client
    });
    (monitor, server, outer, clients)
}

#[test]
fn handed_over_command_waits_for_the_vmm_and_nobody_else_does() {
    let (_, mut server, outer, [mut one, mut two]) = with_two_clients(&["stop"]);
    one.send("{'execute': 'stop', 'id': 1}{'execute': 'query-name', 'id': 2}");
    let stop = outer.next_command(&mut server);
    assert_eq!(stop.name(), "stop");
    two.send(QUERY);
    outer.turns(&mut server);
    assert!(two.read().contains("\"answer\""));

    stop.finish(Ok(Change::Made));
    assert!(
        outer.waits(PATIENCE),
        "finishing makes the descriptor readable"
    );
    outer.turns(&mut server);
    assert!(
        one.read().contains("\"STOP\""),
        "the event comes before the reply"
    );
    assert_eq!(one.read(), "{\"return\": {}, \"id\": 1}\r\n");
    assert_eq!(one.read(), "{\"return\": {}, \"id\": 2}\r\n");
    assert!(two.read().contains("\"STOP\""));
}

#[test]
fn event_is_emitted_once_when_the_vmm_emits_it() {
    let (monitor, mut server, outer, [mut one, mut two]) = with_two_clients(&["stop"]);
    one.send("{'execute': 'stop'}");
    let stop = outer.next_command(&mut server);
    monitor.emit(&Stop {});
    stop.finish(Ok(Change::Told));
    outer.turns(&mut server);
    assert!(one.read().contains("\"STOP\""));
    assert_eq!(one.read(), "{\"return\": {}}\r\n");
    server.drain(PATIENCE).unwrap();
    assert_eq!(one.reads_to_the_end(), "");
    assert_eq!(two.reads_to_the_end().matches("STOP").count(), 1);
}

#[test]
fn handed_over_command_is_finished_with_a_value_an_error_or_by_another_thread() {
    let (_, mut server, outer, [mut client, _two]) =
        with_two_clients(&["query-status", "stop", "cont"]);
    client.send("{'execute': 'query-status'}{'execute': 'stop'}{'execute': 'cont'}");
    let status = outer.next_command(&mut server);
    status.arguments::<Empty>().unwrap();
    status.finish_with(Ok(StatusInfo {
        running: false,
        #[allow(deprecated, reason = "the struct has no constructor")]
        singlestep: None,
        status: qapi_stats::run_state::RunState::Paused,
    }));
    let stop = outer.next_command(&mut server);
    assert!(client.read().contains("\"status\": \"paused\""));
    stop.finish(Err(Error::generic("The disk is busy")));
    let cont = outer.next_command(&mut server);
    assert!(client.read().contains("The disk is busy"));
    // The loop of the VMM sleeps meanwhile.
    let elsewhere = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        cont.finish(Ok(Change::Unchanged));
    });
    assert!(outer.waits(PATIENCE));
    outer.turns(&mut server);
    assert_eq!(client.read(), "{\"return\": {}}\r\n");
    elsewhere.join().unwrap();
}

#[test]
fn dropped_command_is_answered_with_an_error() {
    let (_, mut server, outer, [mut client, _two]) = with_two_clients(&["stop"]);
    client.send("{'execute': 'stop'}");
    drop(outer.next_command(&mut server));
    outer.turns(&mut server);
    let reply = client.read();
    assert!(
        reply.contains("The command stop was not executed by the VMM"),
        "{reply}"
    );
}

#[test]
fn command_of_a_client_that_left_or_of_a_server_that_ended_is_finished_in_vain() {
    let (_, mut server, outer, [mut one, mut two]) = with_two_clients(&["stop"]);
    one.send("{'execute': 'stop'}");
    let first = outer.next_command(&mut server);
    drop(one);
    while server.connections() > 1 {
        assert!(outer.waits(PATIENCE));
        server.turn().unwrap();
    }
    first.finish(Ok(Change::Unchanged));
    two.send("{'execute': 'stop'}");
    let second = outer.next_command(&mut server);
    drop(server);
    second.finish(Ok(Change::Made));
    assert_eq!(two.reads_to_the_end(), "");
}

#[test]
fn read_only_monitor_hands_nothing_over() {
    let (monitor, _) = monitor();
    let server = Polled::new(monitor.with_control(false), [], Options::new()).unwrap();
    let mut server = server.hand_over(["stop"]);
    let outer = Outer::new(&server);
    let (ours, theirs) = UnixStream::pair().unwrap();
    server.add_unix_client(theirs).unwrap();
    let mut client = Client::new(ours);
    client.send("{'execute': 'qmp_capabilities'}{'execute': 'stop'}");
    assert!(outer.turns(&mut server).is_empty());
    client.read();
    client.read();
    assert!(client.read().contains("this monitor is read-only"));
}

#[test]
fn every_client_sees_the_end_when_one_quits() {
    let (_, mut server, outer, [mut one, mut two]) = with_two_clients(&["quit"]);
    one.send("{'execute': 'quit'}");
    let quit = outer.next_command(&mut server);
    quit.finish(Ok(Change::Made));
    // What was sent before the end is answered, without a further turn.
    two.send("{'execute': 'query-name'}");
    let begin = Instant::now();
    server.drain(PATIENCE).unwrap();
    assert!(begin.elapsed() < PATIENCE / 2);
    let rest = one.reads_to_the_end();
    assert!(
        rest.contains("\"SHUTDOWN\"") && rest.ends_with("{\"return\": {}}\r\n"),
        "{rest}"
    );
    let rest = two.reads_to_the_end();
    assert!(
        rest.contains("\"SHUTDOWN\"") && rest.contains("{\"return\": {}}\r\n"),
        "{rest}"
    );
}

#[test]
fn drain_waits_no_longer_than_permitted_for_a_client_that_does_not_read_or_stop() {
    let (_, mut server, outer, [mut deaf, flooding]) = with_two_clients(&["stop"]);
    deaf.send(&"{'execute': 'query-qmp-schema'}".repeat(100));
    outer.turns(&mut server);
    let mut writer = flooding.0.get_ref().try_clone().unwrap();
    let flood = thread::spawn(move || while writer.write_all(&[b'}'; 16 << 10]).is_ok() {});
    let begin = Instant::now();
    server.drain(Duration::from_millis(300)).unwrap();
    assert!(begin.elapsed() < PATIENCE / 2);
    flooding.0.get_ref().shutdown(Shutdown::Both).unwrap();
    flood.join().unwrap();
}

#[test]
fn commands_during_the_drain_are_answered_with_an_error() {
    let (_, server, _outer, [mut one, _two]) = with_two_clients(&["stop"]);
    one.send("{'execute': 'stop'}");
    server.drain(PATIENCE).unwrap();
    assert!(
        one.reads_to_the_end()
            .contains("was not executed by the VMM")
    );
}

#[test]
fn late_clients_are_disconnected_although_the_loop_has_no_timer() {
    let (monitor, _) = monitor();
    let options = Options::new()
        .negotiation_timeout(Some(Duration::from_millis(50)))
        .idle_timeout(Some(Duration::from_millis(150)));
    let mut server = Polled::new(monitor, [], options).unwrap();
    let outer = Outer::new(&server);
    let mut clients = [(); 2].map(|()| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        server.add_unix_client(theirs).unwrap();
        Client::new(ours)
    });
    clients[1].send("{'execute': 'qmp_capabilities'}");
    for left in [1, 0] {
        while server.connections() > left {
            assert!(
                outer.waits(PATIENCE),
                "the descriptor becomes readable in time"
            );
            server.turn().unwrap();
        }
        // The client that has not negotiated is the first to go.
        assert!(clients[1 - left].reads_to_the_end().starts_with("{\"QMP\""));
    }
}

#[test]
fn one_client_too_many_is_refused() {
    let (monitor, _) = monitor();
    let server = Polled::new(monitor, [], Options::new().connections_max(1)).unwrap();
    let (_ours, theirs) = UnixStream::pair().unwrap();
    server.add_unix_client(theirs).unwrap();
    let (_too_many, theirs) = UnixStream::pair().unwrap();
    let error = server.add_unix_client(theirs).unwrap_err();
    assert!(error.to_string().contains("connections_max"), "{error}");
    server.end();
    let (_late, theirs) = UnixStream::pair().unwrap();
    assert!(server.add_client(theirs.into()).is_err());
}

#[test]
fn event_of_another_thread_wakes_the_loop() {
    let (monitor, mut server, outer, [mut client, _two]) = with_two_clients(&[]);
    let (emitted, is_emitted) = mpsc::channel();
    let thread = thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        monitor.emit(&Stop {});
        emitted.send(()).unwrap();
    });
    assert!(outer.waits(PATIENCE));
    is_emitted.recv().unwrap();
    outer.turns(&mut server);
    assert!(client.read().contains("\"STOP\""));
    thread.join().unwrap();
    assert!(
        !outer.waits(Duration::from_millis(50)),
        "nothing is left to do"
    );
}

#[test]
fn server_counts_its_clients_and_tells_of_those_that_it_loses() {
    let (monitor, _) = monitor();
    let registry = monitor.registry().clone();
    let lost = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&lost);
    let options = Options::new()
        .connections_max(2)
        .idle_timeout(Some(Duration::from_millis(100)))
        .on_client_lost(move |client| {
            let text = client.to_string();
            list.lock().unwrap().push((client.is_refused(), text));
        });
    let mut server = Polled::new(monitor, [], options).unwrap();
    let name = StatsProvider::Unknown("server".into());
    registry
        .register(name, Arc::new(server.statistics()))
        .unwrap();
    let outer = Outer::new(&server);
    let [mut client, idle, _refused] = [(); 3].map(|()| {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let _ = server.add_unix_client(theirs);
        Client::new(ours)
    });
    client.send("{'execute': 'qmp_capabilities'}{'execute': 'query-name'}");
    outer.turns(&mut server);
    (0..3).for_each(|_| drop(client.read()));
    let query = "{'execute': 'query-stats', 'arguments': {'target': 'vm', \
                 'providers': [{'provider': 'server'}]}}";
    while server.connections() > 1 {
        client.send("{'execute': 'query-name'}");
        outer.waits(Duration::from_millis(20));
        outer.turns(&mut server);
        client.read();
    }
    client.send(query);
    outer.turns(&mut server);
    let reply = client.read();
    let value = |name: &str| {
        let start = format!("{{\"name\": \"{name}\", \"value\": ");
        let (_, rest) = reply.split_once(&start).expect(name);
        let (number, _) = rest.split_once('}').unwrap();
        number.parse::<u64>().unwrap()
    };
    assert_eq!(value("clients"), 1);
    assert_eq!(value("accepted-clients"), 2);
    assert_eq!(value("refused-clients-too-many"), 1);
    assert_eq!(value("refused-clients-not-listed"), 0);
    assert_eq!(value("late-clients"), 1);
    assert_eq!(value("evicted-clients"), 0);
    assert!(value("commands") >= 2);
    assert!(value("received-bytes") > 50 && value("sent-bytes") > 100);
    client.send("{'execute': 'query-stats-schemas', 'arguments': {'provider': 'server'}}");
    outer.turns(&mut server);
    let schema = client.read();
    for name in reply.split("\"name\": ").skip(1) {
        let (name, _) = name.split_once(',').unwrap();
        assert!(schema.contains(name), "{name} has no description");
    }
    drop(idle);
    let lost = lost.lock().unwrap();
    let [(true, refused), (false, late)] = lost.as_slice() else {
        panic!("{lost:?}");
    };
    assert!(refused.contains("pid ") && refused.contains("2 clients are connected"));
    assert!(late.contains("idle for too long"), "{late}");
}

#[cfg(feature = "hmp")]
#[test]
fn human_monitor_is_served_beside_qmp_and_bounded_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("hmp.sock");
    let listener = Listener::unix(&path).unwrap().human_monitor();
    let (monitor, _) = monitor();
    let server = Polled::new(monitor, [listener], Options::new()).unwrap();
    let outer = Outer::new(&server);
    let (ours, theirs) = UnixStream::pair().unwrap();
    server.add_unix_client(theirs).unwrap();
    let mut qmp = Client::new(ours);
    let mut human = Client::new(UnixStream::connect(&path).unwrap());
    // Each key is echoed with the whole line, which is three gigabytes.
    let mut typist = human.0.get_ref().try_clone().unwrap();
    let typing = thread::spawn(move || {
        typist.write_all(b"nosuch\ninfo sta").unwrap();
        typist.write_all(b"tus\n").unwrap();
        let keys = "x".repeat(4 << 10) + "\n";
        while typist.write_all(keys.as_bytes()).is_ok() {}
    });
    let served = Running::start_with(server, outer);
    assert!(human.read().contains("monitor - type 'help'"));
    let mut answers = String::new();
    while !answers.contains("VM status: running") {
        answers += &human.read();
    }
    assert!(answers.contains("unknown command: 'nosuch'"), "{answers}");
    let mut reader = human.0.get_ref().try_clone().unwrap();
    let reading = thread::spawn(move || {
        let mut buffer = [0; 64 << 10];
        while reader.read(&mut buffer).is_ok_and(|count| count > 0) {}
    });
    assert!(qmp.read().starts_with("{\"QMP\""));
    qmp.ask("{'execute': 'qmp_capabilities'}");
    let begin = Instant::now();
    let mut latency = Duration::ZERO;
    while begin.elapsed() < Duration::from_millis(500) {
        latency = latency.max(latency_of(&mut qmp, 1));
    }
    assert!(latency < Duration::from_secs(1), "{latency:?}");
    human.0.get_ref().shutdown(Shutdown::Both).unwrap();
    typing.join().unwrap();
    reading.join().unwrap();
    let longest = served.end();
    assert!(longest < Duration::from_millis(500), "{longest:?}");
}

#[test]
fn server_goes_on_when_the_function_for_lost_clients_panics() {
    let (monitor, _) = monitor();
    let options = Options::new()
        .connections_max(1)
        .on_client_lost(|_| panic!("on purpose"));
    let mut server = Polled::new(monitor, [], options).unwrap();
    let outer = Outer::new(&server);
    let [client, refused] = [(); 2].map(|()| UnixStream::pair().unwrap());
    server.add_unix_client(client.1).unwrap();
    server.add_unix_client(refused.1).unwrap_err();
    let mut client = Client::new(client.0);
    client.send("{'execute': 'qmp_capabilities'}");
    outer.turns(&mut server);
    client.read();
    assert_eq!(client.read(), "{\"return\": {}}\r\n");
}
