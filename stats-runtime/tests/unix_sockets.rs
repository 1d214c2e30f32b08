//! The files of Unix sockets: their modes, and who may bind where.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::ErrorKind;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use stats_runtime::server::bind_private;

const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn start_fails_in_time_when_a_stopped_servers_queue_is_full() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let address = SocketAddrUnix::new(&path).unwrap();
    let socket = || {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap()
    };
    let stopped = socket();
    rustix::net::bind(&stopped, &address).unwrap();
    rustix::net::listen(&stopped, 0).unwrap();
    let mut queued = Vec::new();
    loop {
        let client = socket();
        match rustix::net::connect(&client, &address) {
            Ok(()) => queued.push(client),
            Err(error) => {
                assert_eq!(error, rustix::io::Errno::AGAIN);
                break;
            }
        }
    }
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(bind_private(&path)));
    let outcome = receiver.recv_timeout(PATIENCE).unwrap();
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::AddrInUse);
}

#[test]
fn path_is_refused_when_it_would_name_an_abstract_socket() {
    for (path, expected) in [
        ("", "the path of the socket is empty"),
        ("\0abstract", "the path of the socket contains a NUL byte"),
        ("qmp\0.sock", "the path of the socket contains a NUL byte"),
    ] {
        let error = bind_private(path.as_ref()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert_eq!(error.to_string(), expected);
    }
}
