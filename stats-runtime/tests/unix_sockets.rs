//! The files of Unix sockets: their modes, and who may bind where.

#![cfg(feature = "server")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use stats_runtime::server::{Listener, UnixAccess, bind_private};

const PATIENCE: Duration = Duration::from_secs(10);

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn make_private(path: &Path) {
    std::fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn mode_is_exact_when_it_names_rights_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    // The mask lets the owner of the other tests' files have them.
    let before = rustix::process::umask(Mode::from_raw_mode(0o077));
    for wanted in [0o660, 0o606, 0o666, 0o777] {
        let listener = Listener::unix_with(&path, UnixAccess::mode(wanted)).unwrap();
        assert_eq!(mode(&path), wanted);
        drop(listener);
    }
    assert_eq!(rustix::process::umask(before), Mode::from_raw_mode(0o077));
}

#[test]
fn socket_belongs_to_the_named_group() {
    const GROUP: u32 = 4_999;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let listener = Listener::unix_with(&path, UnixAccess::mode(0o660).group(GROUP));
    if rustix::process::geteuid().is_root() {
        let _listener = listener.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().gid(), GROUP);
        assert_eq!(mode(&path), 0o660);
    } else {
        let error = listener.unwrap_err().to_string();
        assert!(error.contains("be a member of it"), "{error}");
        assert!(!path.exists());
    }
}

#[test]
fn path_that_is_too_long_is_an_error_with_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x".repeat(108));
    let error = bind_private(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("107"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Somebody who may write to the folder puts a symbolic link in the place of
/// every socket that appears.
#[test]
fn mode_of_another_file_stays_when_a_link_takes_the_sockets_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let victim = folder.path().join("victim");
    std::fs::write(&victim, "private").unwrap();
    make_private(&victim);
    let is_over = AtomicBool::new(false);
    let mut changed = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            let link = folder.path().join("link");
            let is_socket = |path: &Path| {
                std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
            };
            symlink(&victim, &link).unwrap();
            while !is_over.load(Ordering::Relaxed) {
                if is_socket(&path) && std::fs::rename(&link, &path).is_ok() {
                    symlink(&victim, &link).unwrap();
                }
            }
        });
        for _ in 0..2000 {
            // The attacker may be faster.
            let _ = Listener::unix_with(&path, UnixAccess::mode(0o666));
            let _ = std::fs::remove_file(&path);
            changed += usize::from(mode(&victim) != 0o600);
            make_private(&victim);
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert_eq!(changed, 0);
}

#[test]
fn one_of_several_starts_succeeds_when_the_socket_is_stale() {
    const STARTS: usize = 3;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    for round in 0..100 {
        let _ = std::fs::remove_file(&path);
        drop(UnixListener::bind(&path).unwrap());
        let barrier = Barrier::new(STARTS);
        let start = || {
            barrier.wait();
            bind_private(&path)
        };
        let outcomes: Vec<_> = thread::scope(|scope| {
            let threads: Vec<_> = (0..STARTS).map(|_| scope.spawn(start)).collect();
            let outcomes = threads.into_iter().map(|thread| thread.join().unwrap());
            outcomes.collect()
        });
        let (bound, refused): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
        assert_eq!(bound.len(), 1, "round {round}");
        for refused in refused {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::AddrInUse);
        }
        let listener = bound.into_iter().next().unwrap().unwrap();
        listener.set_nonblocking(true).unwrap();
        let _client = UnixStream::connect(&path).unwrap();
        assert!(listener.accept().is_ok(), "round {round}: it serves nobody");
    }
    let names = std::fs::read_dir(folder.path()).unwrap();
    assert_eq!(names.count(), 1, "only the socket is left");
}

#[test]
fn start_fails_in_time_when_another_start_does_not_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("qmp.sock");
    let lock = std::fs::File::create(folder.path().join("qmp.sock.lock")).unwrap();
    let exclusive = rustix::fs::FlockOperation::LockExclusive;
    rustix::fs::flock(&lock, exclusive).unwrap();
    let begin = Instant::now();
    let error = bind_private(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceBusy, "{error}");
    assert!(begin.elapsed() < PATIENCE);
    // What a start that was killed leaves excludes nobody.
    drop(lock);
    bind_private(&path).unwrap();
}

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
