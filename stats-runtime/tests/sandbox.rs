//! Every role under its published filter of system calls, which traps all others.
//!
//! Each test runs this program again, as the process that a forbidden call would kill.
#![cfg(all(
    feature = "kvm",
    feature = "server",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::stats::{StatsFilter, StatsFilterBranch, StatsTarget};
use rustix::event::epoll::{self, Event, EventData, EventFlags};
use seccompiler::{BpfMap, apply_filter, compile_from_json};
use stats_runtime::kvm::KvmProvider;
use stats_runtime::sandbox::{Role, filter_json};
use stats_runtime::server::{Listener, Options, Polled, Server};
use stats_runtime::{Monitor, NoHost, Registry};

const ROLE: &str = "SANDBOX_TEST_ROLE";
const PATIENCE: Duration = Duration::from_secs(20);

/// Applies the filter for some roles to the calling thread.
fn enter(roles: &[Role]) {
    let json = filter_json("test", roles)
        // The names of rust-vmm's compiler for the same.
        .replace("default_action", "mismatch_action")
        .replace("filter_action", "match_action");
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filters: BpfMap = compile_from_json(json.as_bytes(), arch).unwrap();
    apply_filter(&filters["test"]).unwrap();
}

/// Runs this test program again in a role, and returns the process.
fn run(role: &str, socket: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads", "1"])
        .env(ROLE, role)
        .env("SANDBOX_TEST_SOCKET", socket)
        .spawn()
        .unwrap()
}

fn check(mut child: Child, role: &str) {
    let status = child.wait().unwrap();
    assert_eq!(
        status.signal(),
        None,
        "{role}: a forbidden system call, if it is 31"
    );
    assert!(status.success(), "{role}: {status}");
}

fn kvm() -> Option<kvm_ioctls::Kvm> {
    let kvm = kvm_ioctls::Kvm::new();
    if let Err(error) = &kvm {
        skip::because(format_args!("/dev/kvm cannot be opened: {error}"));
    }
    kvm.ok()
}

/// A registry with the statistics of a VM, or with many of a provider's own.
fn registry() -> Registry {
    let registry = Registry::new();
    registry
        .add_stats_callbacks(
            "many",
            |query, sink| {
                if *query.target() == StatsTarget::Vm {
                    sink.result(None);
                    // Replies of 400 KiB make the heap grow and shrink.
                    for _ in 0..10_000 {
                        sink.scalar("a-statistic-with-a-name", 12_345_678);
                    }
                }
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    registry
}

fn filter() -> StatsFilter {
    StatsFilter {
        target: StatsFilterBranch::Vm,
        providers: None,
    }
}

/// Not a test of its own: the process that plays a role.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let socket = PathBuf::from(std::env::var_os("SANDBOX_TEST_SOCKET").unwrap());
    // A thread of its own, because the filter stays with the thread that has it, and
    // the harness makes calls of its own. The thread does not end, because that takes
    // calls which are not the role's.
    let (played, has_played) = mpsc::channel();
    thread::spawn(move || {
        match role.as_str() {
            "open and query" => open_and_query(),
            "listen" => listen(&socket),
            "poll" => poll(&socket),
            "thread" => serve(&socket),
            other => panic!("{other}"),
        }
        played.send(()).unwrap();
        loop {
            thread::park();
        }
    });
    has_played.recv_timeout(3 * PATIENCE).unwrap();
    std::process::exit(0);
}

fn open_and_query() {
    let kvm = kvm_ioctls::Kvm::new().unwrap();
    let vm = kvm.create_vm().unwrap();
    let vcpus: Vec<_> = (0..4).map(|index| vm.create_vcpu(index).unwrap()).collect();
    enter(&[Role::Open, Role::Query]);
    let provider = KvmProvider::with_vm(&vm).unwrap();
    for (index, vcpu) in vcpus.iter().enumerate() {
        provider.add_vcpu(format!("/vcpu/{index}"), vcpu).unwrap();
    }
    let registry = registry();
    registry.register("kvm", provider.clone()).unwrap();
    for _ in 0..100 {
        assert_eq!(registry.query(&filter()).unwrap().len(), 2);
        registry.schemas(None).unwrap();
    }
    let parked = provider.remove_vcpu("/vcpu/0").unwrap();
    provider.add_parked_vcpu(parked).unwrap();
    provider.clear();
}

fn listen(socket: &Path) {
    enter(&[Role::Listen]);
    // The next process finds this one's file, which a forgotten listener leaves.
    std::mem::forget(Listener::unix(socket).unwrap());
    drop(Listener::unix(&socket.with_extension("other")).unwrap());
}

fn poll(socket: &Path) {
    let listener = Listener::from_unix_listener(UnixListener::bind(socket).unwrap()).unwrap();
    let monitor = Monitor::new(registry(), NoHost).with_control(true);
    let mut server = Polled::new(monitor, [listener], Options::new())
        .unwrap()
        .hand_over(["quit"]);
    let outer = epoll::create(epoll::CreateFlags::CLOEXEC).unwrap();
    epoll::add(&outer, &server, EventData::new_u64(0), EventFlags::IN).unwrap();
    enter(&[Role::Query, Role::Poll, Role::End]);
    let (flags, data) = (EventFlags::empty(), EventData::new_u64(0));
    let mut events = [Event { flags, data }; 1];
    let mut has_ended = false;
    while !has_ended {
        epoll::wait(&outer, &mut events, None).unwrap();
        for command in server.turn().unwrap() {
            has_ended = true;
            command.finish(Ok(stats_runtime::host::Change::Made));
        }
    }
    server.drain(Duration::from_secs(1)).unwrap();
}

fn serve(socket: &Path) {
    let listener = Listener::from_unix_listener(UnixListener::bind(socket).unwrap()).unwrap();
    let monitor = Monitor::new(registry(), NoHost);
    enter(&[
        Role::Query,
        Role::Construct,
        Role::Poll,
        Role::Start,
        Role::Thread,
        Role::End,
    ]);
    let mut server = Server::start(monitor, [listener], Options::new().threads(3)).unwrap();
    // The clients are the parent's; it says that it has seen enough by a last one.
    let begin = Instant::now();
    let mut has_had_clients = false;
    while begin.elapsed() < PATIENCE && !(has_had_clients && server.connections() == 0) {
        has_had_clients |= server.connections() > 0;
        thread::sleep(Duration::from_millis(20));
    }
    server.stop();
    drop(server);
}

fn connect(socket: &Path) -> UnixStream {
    let begin = Instant::now();
    loop {
        match UnixStream::connect(socket) {
            Ok(stream) => {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return stream;
            }
            Err(error) => assert!(begin.elapsed() < PATIENCE, "{error}"),
        }
        thread::sleep(Duration::from_millis(5));
    }
}

fn ask(stream: &mut UnixStream, request: &str) -> usize {
    stream.write_all(request.as_bytes()).unwrap();
    let mut len = 0;
    let mut buffer = [0; 1 << 16];
    loop {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "the server has closed the connection");
        len += count;
        if buffer[..count].ends_with(b"\n") {
            return len;
        }
    }
}

const CAPABILITIES: &str = "{'execute': 'qmp_capabilities'}";
const QUERY: &str = "{'execute': 'query-stats', 'arguments': {'target': 'vm'}}";

/// Good and bad clients: slow readers, floods, ends at odd times.
fn bother(socket: &Path) {
    let mut good = connect(socket);
    ask(&mut good, "");
    ask(&mut good, CAPABILITIES);
    for round in 0..5 {
        assert!(ask(&mut good, QUERY) > 400_000);
        // A client that asks for much and reads nothing, and leaves.
        let mut deaf = connect(socket);
        deaf.write_all(CAPABILITIES.as_bytes()).unwrap();
        for _ in 0..20 {
            deaf.write_all(QUERY.as_bytes()).unwrap();
        }
        // One that sends a byte at a time, and one that floods with rubbish.
        let mut slow = connect(socket);
        for byte in CAPABILITIES.bytes() {
            slow.write_all(&[byte]).unwrap();
        }
        let mut flood = connect(socket);
        let _ = flood.write_all(&vec![b'{'; 2 << 20]);
        assert!(ask(&mut good, QUERY) > 400_000, "round {round}");
    }
}

#[test]
fn opening_and_querying_need_no_other_call() {
    if kvm().is_none() {
        return;
    }
    let role = "open and query";
    check(run(role, Path::new("/nonexistent")), role);
}

#[test]
fn listening_needs_no_other_call() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("qmp.sock");
    check(run("listen", &socket), "listen");
    // Again, over the file that the first one left.
    check(run("listen", &socket), "listen");
}

#[test]
fn server_without_threads_needs_no_other_call() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("qmp.sock");
    let child = run("poll", &socket);
    bother(&socket);
    let mut last = connect(&socket);
    ask(&mut last, "");
    ask(&mut last, CAPABILITIES);
    last.write_all(b"{'execute': 'quit'}").unwrap();
    check(child, "poll");
}

#[test]
fn server_with_threads_needs_no_other_call() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("qmp.sock");
    let child = run("thread", &socket);
    bother(&socket);
    check(child, "thread");
}

#[test]
fn forbidden_call_kills_the_process() {
    // Without this, a filter that was never applied would pass all tests.
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["forbidden_child", "--exact", "--nocapture"])
        .env(ROLE, "forbidden")
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(31));
}

#[test]
fn forbidden_child() {
    if std::env::var(ROLE).as_deref() == Ok("forbidden") {
        thread::spawn(|| {
            enter(&[Role::Query]);
            let _ = std::fs::create_dir("/tmp/nobody-may-do-this");
        })
        .join()
        .unwrap();
    }
}
