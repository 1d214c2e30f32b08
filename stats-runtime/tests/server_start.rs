//! The threads of a server, and a server that cannot start. The tests have a
//! process of their own, whose threads and address space they look at and limit.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::stats::StatsProvider;
use rustix::process::{Resource, Rlimit};
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry, StatsQuery, StatsSink};

/// The size of every thread's stack, which only takes address space.
const STACK_BYTES: u64 = 1 << 30;

#[test]
fn server_leaves_nothing_when_a_thread_cannot_start() {
    const NAME: &str = "server_leaves_nothing_when_a_thread_cannot_start";
    if std::env::var_os("IS_LIMITED").is_some() {
        return start_without_room_for_the_second_thread();
    }
    // The standard library reads the variable for the stacks only once.
    let status = Command::new(std::env::current_exe().unwrap())
        .args([NAME, "--exact", "--nocapture"])
        .env("IS_LIMITED", "1")
        .env("RUST_MIN_STACK", STACK_BYTES.to_string())
        .status();
    assert!(status.unwrap().success());
}

fn start_without_room_for_the_second_thread() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let listener = Listener::unix(&path).unwrap();
    let monitor = Monitor::new(Registry::new(), NoHost);
    let room = Rlimit {
        current: Some(address_space_bytes() + STACK_BYTES * 3 / 2),
        ..rustix::process::getrlimit(Resource::As)
    };
    rustix::process::setrlimit(Resource::As, room).unwrap();
    Server::start(monitor, [listener], Options::new()).unwrap_err();
    assert!(!path.exists());
    UnixStream::connect(&path).unwrap_err();
    let threads = std::fs::read_dir("/proc/self/task")
        .unwrap()
        .filter(|task| {
            let name = task.as_ref().unwrap().path().join("comm");
            std::fs::read_to_string(name).is_ok_and(|name| name.trim() == "qmp-server")
        });
    assert_eq!(threads.count(), 0);
}

fn address_space_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmSize:"));
    let kib = line
        .and_then(|line| line.split_whitespace().nth(1))
        .unwrap();
    kib.parse::<u64>().unwrap() << 10
}

/// Returns the value of a line of each thread of a server, from its
/// `/proc/.../status`.
fn threads_of_servers(field: &str) -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    tasks
        .filter_map(|task| {
            let status = task.unwrap().path().join("status");
            let status = std::fs::read_to_string(status).ok()?;
            let line = |name: &str| {
                let mut lines = status.lines();
                lines.find_map(|line| Some(line.strip_prefix(name)?.trim().to_owned()))
            };
            (line("Name:")? == "qmp-server").then(|| line(field))?
        })
        .collect()
}

/// Requires that exactly `count` threads of servers are left. A thread that has ended,
/// and even been joined, is in `/proc` for a moment longer; and a look at the folder can miss
/// a thread while others end.
fn assert_threads_left(count: usize) {
    let begin = Instant::now();
    let mut left = threads_of_servers("Name:").len();
    while left != count && begin.elapsed() < Duration::from_secs(5) {
        thread::sleep(Duration::from_millis(1));
        left = threads_of_servers("Name:").len();
    }
    assert_eq!(left, count);
}

/// The mask that has only `signals`.
fn mask(signals: &[u32]) -> u64 {
    signals.iter().map(|signal| 1 << (signal - 1)).sum()
}

// One test, because it looks at the threads of the process.
#[test]
fn threads_are_made_at_the_start_and_after_the_vmms_wishes() {
    let monitor = || Monitor::new(Registry::new(), NoHost);
    let masks = || std::fs::read_to_string("/proc/thread-self/status").unwrap();
    let blocked = |status: &str| {
        let line = status.lines().find(|line| line.starts_with("SigBlk:"));
        line.unwrap().to_owned()
    };
    let before = blocked(&masks());

    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let options = Options::new()
        .threads(3)
        .thread_stack_bytes(256 << 10)
        .on_thread_start(move || {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
    let server = Server::start(monitor(), [], options).unwrap();
    assert_eq!(
        calls.load(Ordering::Relaxed),
        3,
        "`start` waits for the hooks"
    );
    let masks_of_server = threads_of_servers("SigBlk:");
    assert_eq!(masks_of_server.len(), 3);
    for blocked in masks_of_server {
        let blocked = u64::from_str_radix(&blocked, 16).unwrap();
        // SIGHUP, SIGINT, SIGTERM, SIGCHLD, SIGWINCH.
        let wanted = mask(&[1, 2, 15, 17, 28]);
        assert_eq!(blocked & wanted, wanted, "{blocked:x}");
        // SIGILL, SIGBUS, SIGFPE, SIGSEGV, SIGSYS.
        assert_eq!(blocked & mask(&[4, 7, 8, 11, 31]), 0, "{blocked:x}");
    }
    assert_eq!(blocked(&masks()), before, "the VMM's thread keeps its mask");
    threads_sleep_when_nothing_happens(&server);
    drop(server);
    assert_threads_left(0);

    let count = Arc::clone(&calls);
    let options = Options::new().on_thread_start(move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        let fails = number == 5;
        if fails {
            Err(io::Error::other("no such group"))
        } else {
            Ok(())
        }
    });
    let error = Server::start(monitor(), [], options).unwrap_err();
    assert_eq!(error.to_string(), "no such group");
    let options = Options::new().on_thread_start(|| panic!("on purpose"));
    let error = Server::start(monitor(), [], options).unwrap_err();
    assert!(error.to_string().contains("on_thread_start"), "{error}");
    assert_threads_left(0);

    drop_does_not_wait_for_a_command_that_hangs();
}

fn threads_sleep_when_nothing_happens(server: &Server) {
    let (mut client, theirs) = UnixStream::pair().unwrap();
    server.add_unix_client(theirs).unwrap();
    client
        .write_all(b"{'execute': 'qmp_capabilities'}{'execute': 'query-qmp-schema'}")
        .unwrap();
    let mut lines = BufReader::new(&client).lines();
    (0..3).for_each(|_| drop(lines.next().unwrap().unwrap()));
    // A second later slow commands are looked for, and two seconds after that the
    // thread which did so gives memory back.
    thread::sleep(Duration::from_millis(3800));
    let switches = || threads_of_servers("voluntary_ctxt_switches:");
    let before = switches();
    thread::sleep(Duration::from_millis(2500));
    assert_eq!(switches(), before, "a thread has woken up");
}

fn drop_does_not_wait_for_a_command_that_hangs() {
    let registry = Registry::new();
    let (release, receiver) = mpsc::channel::<()>();
    let (asked, is_asked) = mpsc::channel();
    let receiver = Mutex::new((receiver, asked));
    let query = move |_: &StatsQuery<'_>, _: &mut dyn StatsSink| {
        let guard = receiver.lock().unwrap();
        guard.1.send(()).unwrap();
        let _ = guard.0.recv();
        Ok(())
    };
    registry
        .add_stats_callbacks(StatsProvider::Kvm, query, |_| Ok(()))
        .unwrap();
    let monitor = Monitor::new(registry, NoHost);
    let server = Server::start(monitor, [], Options::new()).unwrap();
    let (mut client, theirs) = UnixStream::pair().unwrap();
    server.add_unix_client(theirs).unwrap();
    client
        .write_all(
            b"{'execute': 'qmp_capabilities'}\
              {'execute': 'query-stats', 'arguments': {'target': 'vm'}}",
        )
        .unwrap();
    is_asked.recv().unwrap();
    let begin = Instant::now();
    drop(server);
    assert!(
        begin.elapsed() < Duration::from_millis(900),
        "{:?}",
        begin.elapsed()
    );
    // The command hangs, and the other threads end.
    assert_threads_left(1);
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(
        rest.lines().count(),
        2,
        "the client is disconnected: {rest}"
    );
    drop(release);
    assert_threads_left(0);
}
