//! A server that cannot start. The test runs in a process of its own, because
//! it limits the address space of the whole process.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::Arc;

use rustix::process::{Resource, Rlimit};
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};

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
    let monitor = Monitor::new(Arc::new(Registry::new()), Arc::new(NoHost));
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
