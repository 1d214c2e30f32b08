//! Servers on every kind of socket: who is let in, for how long, and that
//! nobody waits for others.

#![cfg(feature = "server")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::stats::StatsProvider;
use qapi_stats::wire::command::{Call, CommandInfo, CommandSet, Empty, Event};
use qapi_stats::wire::{DecodeMembers, EncodeMembers, Error, Members, ObjectWriter, Writer};
use rustix::thread::Gid;
use stats_runtime::qmp::Limits;
use stats_runtime::server::{Inherited, Listener, Options, Server, UnixAccess};
use stats_runtime::{Monitor, NoHost, Registry};

const PATIENCE: Duration = Duration::from_secs(10);

fn monitor() -> Monitor {
    Monitor::new(Registry::new(), NoHost)
}

fn serve(listener: Listener, options: Options) -> Server {
    Server::start(monitor(), [listener], options).unwrap()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < PATIENCE, "{what}");
        thread::sleep(Duration::from_millis(1));
    }
}

fn read_line(stream: &mut impl Read) -> String {
    let mut line = String::new();
    BufReader::with_capacity(1, stream)
        .read_line(&mut line)
        .unwrap();
    line
}

fn ask<S: Read + Write>(stream: &mut S, request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    read_line(stream)
}

/// Greets, negotiates and asks.
fn converse<S: Read + Write>(stream: &mut S) {
    assert!(read_line(stream).starts_with("{\"QMP\""));
    let negotiate = "{'execute': 'qmp_capabilities'}";
    for request in [negotiate, "{'execute': 'query-name'}"] {
        assert_eq!(ask(stream, request), "{\"return\": {}}\r\n");
    }
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn tcp_is_for_the_loopback() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "[::ffff:192.0.2.1]:0"] {
        let address: SocketAddr = address.parse().unwrap();
        let error = Listener::tcp(address).unwrap_err().to_string();
        assert!(error.contains("TLS with client certificates"), "{error}");
    }
    let open = TcpListener::bind("0.0.0.0:0").unwrap();
    assert!(Listener::from_socket(open.into()).is_err());
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.tcp_address().unwrap();
    let mut server = serve(listener, Options::new());
    converse(&mut TcpStream::connect(address).unwrap());
    server.stop();
    assert!(TcpStream::connect(address).is_err());
}

#[test]
fn only_those_are_let_in_who_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let uid = rustix::process::getuid().as_raw();
    let gid = rustix::process::getgid().as_raw();
    let case = |name: &str, uids: &[u32], gids: &[u32]| {
        let path = folder.path().join(name);
        let listener = Listener::unix_with(&path, UnixAccess::mode(0o666)).unwrap();
        let listener = listener.allow_uids(uids).allow_gids(gids);
        let _server = serve(listener, Options::new());
        read_line(&mut connect(&path)).starts_with("{\"QMP\"")
    };
    assert!(case("all", &[], &[]));
    assert!(case("user", &[uid + 1, uid], &[]));
    assert!(case("group", &[uid + 1], &[gid]));
    assert!(!case("other", &[uid + 1], &[gid + 1]));
    assert!(!case("other-group", &[], &[gid + 1]));
    let listener = Listener::tcp("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.tcp_address().unwrap();
    let _server = serve(listener.allow_uids(&[uid]), Options::new());
    assert_eq!(read_line(&mut TcpStream::connect(address).unwrap()), "");
}

#[test]
fn supplementary_groups_admit_a_client() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let listener = Listener::unix_with(&path, UnixAccess::mode(0o666)).unwrap();
    let _server = serve(listener.allow_gids(&[4_999]), Options::new());
    // The groups of one thread: those of the process stay as they are.
    let greeting_with = |groups: Vec<u32>| {
        let path = path.clone();
        let client = thread::spawn(move || {
            let groups: Vec<_> = groups.into_iter().map(Gid::from_raw).collect();
            rustix::thread::set_thread_groups(&groups).ok()?;
            Some(read_line(&mut connect(&path)))
        });
        client.join().unwrap()
    };
    let Some(refused) = greeting_with(vec![4_998]) else {
        skip::because("only root can choose its supplementary groups");
        return;
    };
    assert_eq!(refused, "");
    // More groups than the first call of getsockopt(2) has room for.
    for groups in [vec![4_999], (4_900..5_000).collect()] {
        let greeting = greeting_with(groups).unwrap();
        assert!(greeting.starts_with("{\"QMP\""), "{greeting}");
    }
}

#[test]
fn connected_socket_is_served_until_the_client_leaves() {
    let mut server = Server::start(monitor(), [], Options::new().connections_max(1)).unwrap();
    let (mut ours, theirs) = UnixStream::pair().unwrap();
    // As in a child that inherited it: a duplicate must not keep the connection.
    let _duplicate = theirs.try_clone().unwrap();
    server.add_client(theirs.into()).unwrap();
    converse(&mut ours);
    let (_too_many, theirs) = UnixStream::pair().unwrap();
    assert!(server.add_client(theirs.into()).is_err());
    ours.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(ours.read_to_end(&mut Vec::new()).unwrap(), 0);
    wait_until("the client has left", || server.connections() == 0);

    let unconnected = UnixListener::bind(tempfile::tempdir().unwrap().path().join("s")).unwrap();
    assert!(server.add_client(unconnected.into()).is_err());
    let (datagrams, _other) = std::os::unix::net::UnixDatagram::pair().unwrap();
    assert!(server.add_client(datagrams.into()).is_err());
    server.stop();
    let (_ours, theirs) = UnixStream::pair().unwrap();
    assert!(server.add_client(theirs.into()).is_err());
}

#[test]
fn one_too_many_is_turned_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let server = serve(
        Listener::unix(&path).unwrap(),
        Options::new().connections_max(2),
    );
    let mut first = connect(&path);
    converse(&mut first);
    converse(&mut connect(&path));
    let begin = Instant::now();
    while server.connections() > 1 {
        assert!(begin.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(1));
    }
    let mut second = connect(&path);
    converse(&mut second);
    assert_eq!(read_line(&mut connect(&path)), "");
    assert!(ask(&mut first, "{'execute': 'query-name'}").starts_with("{\"return\""));
}

/// A VMM in a jail has a PID namespace of its own, and its clients' process IDs
/// are 0 to it.
#[test]
fn client_of_a_foreign_pid_namespace_is_known_by_its_user() {
    const NAME: &str = "client_of_a_foreign_pid_namespace_is_known_by_its_user";
    if let Some(path) = std::env::var_os("SERVE_AT") {
        let listener = Listener::unix(Path::new(&path)).unwrap();
        let _server = serve(listener.allow_uids(&[0]), Options::new());
        let _ = std::io::stdin().read(&mut [0]);
        return;
    }
    let unshare = || {
        let mut unshare = std::process::Command::new("unshare");
        unshare.args(["--user", "--map-root-user", "--pid", "--fork"]);
        unshare
    };
    if !unshare()
        .arg("true")
        .status()
        .is_ok_and(|status| status.success())
    {
        skip::because("this machine does not permit namespaces of users");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let mut server = unshare()
        .arg(std::env::current_exe().unwrap())
        .args([NAME, "--exact"])
        .env("SERVE_AT", &path)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    wait_until("the server listens", || UnixStream::connect(&path).is_ok());
    converse(&mut connect(&path));
    drop(server.stdin.take());
    assert!(server.wait().unwrap().success());
}

#[test]
fn server_keeps_to_its_connections_when_several_listeners_accept_at_once() {
    const LISTENERS: usize = 4;
    let folder = tempfile::tempdir().unwrap();
    let paths: [_; LISTENERS] = std::array::from_fn(|n| folder.path().join(n.to_string()));
    let listeners = paths.iter().map(|path| Listener::unix(path).unwrap());
    let options = Options::new().connections_max(1);
    let server = Server::start(monitor(), listeners, options).unwrap();
    for round in 0..300 {
        let start = std::sync::Barrier::new(LISTENERS);
        let connect = |path: &Path| {
            start.wait();
            UnixStream::connect(path).unwrap()
        };
        let clients = thread::scope(|scope| {
            let connect = &connect;
            let clients = paths
                .each_ref()
                .map(|path| scope.spawn(move || connect(path)));
            clients.map(|client| client.join().unwrap())
        });
        let greeted = clients.into_iter().filter_map(|mut client| {
            // The greeting, or the end or a reset of the connection.
            let count = client.read(&mut [0]).unwrap_or(0);
            (count == 1).then_some(client)
        });
        let greeted: Vec<UnixStream> = greeted.collect();
        assert_eq!(greeted.len(), 1, "round {round}");
        drop(greeted);
        wait_until("the client is forgotten", || server.connections() == 0);
    }
}

#[test]
fn who_keeps_the_server_waiting_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let short = Some(Duration::from_millis(150));
    let options = Options::new()
        .negotiation_timeout(short)
        .idle_timeout(Some(Duration::from_millis(600)))
        .write_timeout(short);
    let server = serve(Listener::unix(&path).unwrap(), options);
    let begin = Instant::now();
    let [mut silent, mut idle] = [(), ()].map(|()| connect(&path));
    converse(&mut idle);
    // It talks, but does not negotiate.
    read_line(&mut silent);
    ask(&mut silent, "{'execute': 'query-name'}");
    assert_eq!(read_line(&mut silent), "");
    let silent_time = begin.elapsed();
    assert!(silent_time < Duration::from_millis(550), "{silent_time:?}");
    // A client sees the end of its connection before the server has forgotten it.
    wait_until("the silent client is forgotten", || {
        server.connections() < 2
    });
    assert_eq!(server.connections(), 1);
    let mut writer = connect(&path);
    writer.set_write_timeout(short).unwrap();
    let requests = "{'execute': 'query-qmp-schema'}".repeat(100);
    let _ = writer.write_all(b"{'execute': 'qmp_capabilities'}");
    while writer.write_all(requests.as_bytes()).is_ok() {}
    let begin = Instant::now();
    while server.connections() > 0 {
        assert!(begin.elapsed() < PATIENCE);
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(read_line(&mut idle), "");
}

#[test]
fn all_clients_together_are_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let options = Options::new()
        .limits(Limits::default())
        .held_bytes_max(6 << 20);
    let server = serve(Listener::unix(&path).unwrap(), options);
    let mut good = connect(&path);
    converse(&mut good);
    let mut attackers: Vec<UnixStream> = (0..8).map(|_| connect(&path)).collect();
    // The small ones together with a single large one are too much.
    let sizes = |number: usize| if number < 2 { 5 << 20 } else { 300 << 10 };
    for (number, attacker) in attackers.iter_mut().enumerate() {
        attacker.set_write_timeout(Some(PATIENCE)).unwrap();
        // One that is given up is told so by the kernel.
        let _ = attacker.write_all(b"'");
        let _ = attacker.write_all(&vec![b'x'; sizes(number)]);
    }
    let begin = Instant::now();
    while server.connections() > 7 {
        assert!(begin.elapsed() < PATIENCE, "{}", server.connections());
        thread::sleep(Duration::from_millis(5));
    }
    // Those who hold less are left in peace, and there is room for them.
    let long = format!("{{'execute': '{}'}}", "x".repeat(1 << 20));
    assert!(ask(&mut good, &long).contains("has not been found"));
    assert_eq!(server.connections(), 7);
    let small = attackers.last_mut().unwrap();
    small.write_all(b"'\n").unwrap();
    while !read_line(small).contains("error") {}
    assert_eq!(
        ask(&mut good, "{'execute': 'query-name'}"),
        "{\"return\": {}}\r\n"
    );
}

#[test]
fn one_that_holds_too_much_again_and_again_goes_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let options = Options::new()
        .limits(Limits::default())
        .connections_max(30)
        .held_bytes_max(1 << 20);
    let server = serve(Listener::unix(&path).unwrap(), options);
    let mut idle: Vec<UnixStream> = (0..20).map(|_| connect(&path)).collect();
    idle.iter_mut().for_each(converse);
    let (attacked, attack) = (path.clone(), Arc::new(AtomicBool::new(true)));
    let goes_on = Arc::clone(&attack);
    let attacker = thread::spawn(move || {
        let piece = vec![b'x'; 1300 << 10];
        while goes_on.load(Ordering::Relaxed) {
            let mut stream = connect(&attacked);
            let _ = stream
                .write_all(b"'")
                .and_then(|()| stream.write_all(&piece));
        }
    });
    // Those who are busy meanwhile stay, too.
    for _ in 0..500 {
        for client in idle.iter_mut().take(4) {
            assert_eq!(
                ask(client, "{'execute': 'query-name'}"),
                "{\"return\": {}}\r\n"
            );
        }
    }
    attack.store(false, Ordering::Relaxed);
    attacker.join().unwrap();
    for client in &mut idle {
        let reply = ask(client, "{'execute': 'query-name'}");
        assert_eq!(reply, "{\"return\": {}}\r\n");
    }
    assert!(server.connections() >= idle.len());
}

/// An event without data.
struct Moved;

impl EncodeMembers for Moved {
    fn encode_members(&self, _: &mut ObjectWriter<'_, '_>) {}
}

impl DecodeMembers for Moved {
    fn decode_members(members: &mut Members<'_>) -> Result<Self, Error> {
        Empty::decode_members(members).map(|Empty {}| Self)
    }
}

impl Event for Moved {
    const NAME: &'static str = "MOVED";
    const HAS_DATA: bool = false;
    const FEATURES: &'static [&'static str] = &[];
}

#[test]
fn events_reach_those_who_only_listen() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let monitor = monitor();
    let listener = Listener::unix(&path).unwrap();
    let options = Options::new().connections_max(50);
    let _server = Server::start(monitor.clone(), [listener], options).unwrap();
    let mut clients: Vec<UnixStream> = (0..50).map(|_| connect(&path)).collect();
    for client in &mut clients {
        converse(client);
    }
    let begin = Instant::now();
    for _ in 0..3 {
        monitor.emit(&Moved);
    }
    for client in &mut clients {
        for _ in 0..3 {
            assert!(read_line(client).ends_with("\"event\": \"MOVED\"}\r\n"));
        }
    }
    println!("50 clients are told in {:?}", begin.elapsed());
    // Those who do not read are given up, and nothing grows.
    let mut deaf = clients.pop().unwrap();
    let mut listening = BufReader::new(clients.pop().unwrap());
    drop(clients);
    let rounds = 30_000;
    let reader = thread::spawn(move || {
        let mut line = String::new();
        (0..rounds).all(|_| {
            line.clear();
            listening.read_line(&mut line).unwrap() > 0 && line.contains("MOVED")
        })
    });
    for round in 0..rounds {
        monitor.emit(&Moved);
        if round % 100 == 0 {
            thread::sleep(Duration::from_millis(1));
        }
    }
    assert!(reader.join().unwrap());
    let mut rest = Vec::new();
    deaf.read_to_end(&mut rest).unwrap();
    println!("the deaf one got {} bytes", rest.len());
    assert!(rest.len() < 2 << 20);
}

/// While a provider blocks, everybody else is served; and stopping does not
/// wait for it for ever.
#[test]
fn a_provider_that_hangs_holds_up_only_who_asked() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let registry = Registry::new();
    let (sender, receiver) = mpsc::channel::<()>();
    let receiver = std::sync::Mutex::new(receiver);
    registry
        .add_stats_callbacks(
            StatsProvider::Kvm,
            move |_, _| {
                let _ = receiver.lock().unwrap().recv();
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    let monitor = Monitor::new(registry, NoHost).with_control(true);
    let options = Options::new()
        .limits(Limits::default())
        .connections_max(30)
        .threads(22)
        .stop_timeout(Duration::from_millis(100));
    let listener = Listener::unix(&path).unwrap();
    let mut server = Server::start(monitor, [listener], options).unwrap();
    let mut askers: Vec<UnixStream> = (0..20).map(|_| connect(&path)).collect();
    for asker in &mut askers {
        converse(asker);
        let query = b"{'execute': 'query-stats', 'arguments': {'target': 'vm'}}";
        asker.write_all(query).unwrap();
    }
    let mut other = connect(&path);
    let begin = Instant::now();
    converse(&mut other);
    println!("beside 20 that hang: {:?}", begin.elapsed());
    assert!(begin.elapsed() < Duration::from_secs(1));
    let begin = Instant::now();
    server.stop();
    assert!(begin.elapsed() < Duration::from_secs(5));
    drop(sender);
    // Nothing remains behind a handler that returns after all.
    for asker in &mut askers {
        asker.read_to_end(&mut Vec::new()).unwrap();
    }
}

/// A command that waits until it is told, and one that may overtake it.
struct Gate(std::sync::Mutex<mpsc::Receiver<()>>);

const SLOW: CommandInfo = CommandInfo::new("slow");
const QUICK: CommandInfo = CommandInfo::new("quick").allow_oob();

impl CommandSet for Gate {
    fn commands(&self) -> Vec<&'static CommandInfo> {
        vec![&SLOW, &QUICK]
    }

    fn command(&self, name: &str) -> Option<&'static CommandInfo> {
        self.commands().into_iter().find(|info| info.name == name)
    }

    fn execute(&self, call: Call<'_>, reply: &mut Writer<'_>) -> Result<(), Error> {
        if call.name == "slow" {
            let _ = self.0.lock().unwrap().recv();
        }
        reply.string(call.name);
        Ok(())
    }
}

#[test]
fn out_of_band_commands_overtake_one_that_blocks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let (sender, receiver) = mpsc::channel();
    let gate = Arc::new(Gate(std::sync::Mutex::new(receiver)));
    let monitor = monitor().with_extension(&[], gate).with_control(true);
    let listener = Listener::unix(&path).unwrap();
    let mut server = Server::start(monitor.clone(), [listener], Options::new()).unwrap();
    let mut client = connect(&path);
    read_line(&mut client);
    let negotiate = "{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}";
    ask(&mut client, negotiate);
    for round in 0..20 {
        let slow = "{'execute': 'slow', 'id': 1}".repeat(2);
        client.write_all(slow.as_bytes()).unwrap();
        for _ in 0..3 {
            let answer = ask(&mut client, "{'exec-oob': 'quick', 'id': 2}");
            assert_eq!(answer, "{\"return\": \"quick\", \"id\": 2}\r\n", "{round}");
        }
        monitor.emit(&Moved);
        assert!(read_line(&mut client).contains("MOVED"));
        for _ in 0..2 {
            sender.send(()).unwrap();
            let answer = read_line(&mut client);
            assert_eq!(answer, "{\"return\": \"slow\", \"id\": 1}\r\n");
        }
    }
    // A client that leaves is forgotten at once, although its command runs.
    client.write_all(b"{'execute': 'slow'}").unwrap();
    assert!(ask(&mut client, "{'exec-oob': 'quick'}").contains("quick"));
    drop(client);
    wait_until("the client is forgotten", || server.connections() == 0);
    sender.send(()).unwrap();
    server.stop();
}

#[test]
fn a_socket_that_somebody_else_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let mut server = serve(
        Listener::from_socket(listener.into()).unwrap(),
        Options::new(),
    );
    converse(&mut connect(&path));
    server.stop();
    assert!(path.exists(), "it is not ours");
    let (one, _other) = UnixStream::pair().unwrap();
    assert!(Listener::from_socket(one.into()).is_err());
}

/// In a process of its own, which finds the socket as systemd would hand it
/// over.
#[cfg(feature = "activation")]
#[test]
fn a_socket_of_the_service_manager() {
    use std::os::fd::OwnedFd;
    use std::process::{Command, Stdio};

    const FOR_THE_CHILD: &str = "STATS_RUNTIME_TEST_ACTIVATED";
    if std::env::var_os(FOR_THE_CHILD).is_some() {
        let inherited = Listener::inherited().unwrap();
        let [(name, Inherited::Listener(listener))]: [_; 1] = inherited.try_into().unwrap() else {
            panic!("the socket does not listen");
        };
        assert_eq!(name, "monitor");
        assert!(Listener::inherited().unwrap().is_empty());
        let server = serve(listener, Options::new());
        // Until the client has been here.
        let begin = Instant::now();
        for wanted in [1, 0] {
            while server.connections() != wanted {
                assert!(begin.elapsed() < PATIENCE);
                thread::sleep(Duration::from_millis(1));
            }
        }
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let socket = OwnedFd::from(UnixListener::bind(&path).unwrap());
    let mut child = Command::new("sh")
        .arg("-c")
        .arg("LISTEN_PID=$$ exec \"$0\" \"$@\" 3<&0 </dev/null")
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "a_socket_of_the_service_manager"])
        .env(FOR_THE_CHILD, "1")
        .env("LISTEN_FDS", "1")
        .env("LISTEN_FDNAMES", "monitor")
        .stdin(Stdio::from(socket))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut client = connect(&path);
    converse(&mut client);
    thread::sleep(Duration::from_millis(50));
    drop(client);
    assert!(child.wait().unwrap().success());
}

#[cfg(feature = "vsock")]
#[test]
fn a_vsock_port() {
    const LOCAL: u32 = 1;
    let port = 50_000 + std::process::id() % 10_000;
    let listener = match Listener::vsock(u32::MAX, port) {
        Ok(listener) => listener,
        Err(error) => return println!("not tried, for the kernel has no vsock: {error}"),
    };
    assert!(Listener::vsock(u32::MAX, port).is_err(), "it is taken");
    let _server = serve(listener, Options::new());
    match vsock::VsockStream::connect_with_cid_port(LOCAL, port) {
        Ok(mut client) => converse(&mut client),
        Err(error) => println!("bound, but there is no loopback: {error}"),
    }
}
