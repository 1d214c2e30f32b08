//! Hand-overs between processes.
//!
//! Each test runs this program again, as the process that gives.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests"
)]

mod pair;

use std::os::fd::{AsFd, OwnedFd};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use kvm_stats::Stats;
use pair::{listen, pair, sealed};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FlockOperation, flock};
use rustix::net::{SocketFlags, accept_with};
use stats_handover::receive::{Packet, ReceiveError, peek_sender};
use stats_handover::{Error, Handover, connect};

const ROLE: &str = "HANDOVER_TEST_PROCESS";
const PATIENCE: Duration = Duration::from_secs(20);

/// Not a test of its own: a VMM, which gets its socket as standard input.
#[test]
fn child() {
    let Ok(role) = std::env::var(ROLE) else {
        return;
    };
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let mut handover = Handover::new("vm").unwrap();
    let kvm = (role == "kvm").then(|| kvm_ioctls::Kvm::new().unwrap());
    let vm = kvm.map(|kvm| kvm.create_vm().unwrap());
    let vcpu = vm.as_ref().map(|vm| vm.create_vcpu(0).unwrap());
    match (&vm, &vcpu) {
        (Some(vm), Some(vcpu)) => {
            handover.set_vm(vm).unwrap();
            handover.add_vcpu(0, "/machine/cpu[0]", vcpu).unwrap();
        }
        _ => {
            handover.set_vm_fd(sealed(1)).unwrap();
            handover.add_vcpu_fd(0, "/0", sealed(2)).unwrap();
        }
    }
    handover.give(socket).unwrap();
    loop {
        std::thread::park();
    }
}

fn start(role: &str, socket: OwnedFd) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads", "1"])
        .env(ROLE, role)
        .stdin(socket)
        .spawn()
        .unwrap()
}

/// Returns the next packet, or `None` at the end of the connection.
fn wait(socket: &OwnedFd) -> Option<Packet> {
    let start = Instant::now();
    loop {
        match Packet::receive(socket.as_fd()) {
            Err(ReceiveError::WouldBlock) if start.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(1));
            }
            result => return result.unwrap(),
        }
    }
}

/// Kills a process that has given its files, and reads them.
fn check(role: &str) {
    let (theirs, ours) = pair();
    let mut child = start(role, theirs);
    let packet = wait(&ours).unwrap();
    let sender = packet.sender.unwrap();
    assert_eq!(sender.pid, i32::try_from(child.id()).ok());
    // The kernel's own handle of the sender reports the end of that process.
    let process = packet.process.unwrap();
    let has_ended = || {
        let mut events = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
        poll(&mut events, Some(&Timespec::default())).unwrap() > 0
    };
    assert!(!has_ended());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(has_ended());
    assert!(wait(&ours).is_none());
    assert_eq!(packet.files.len(), 2);
    for file in packet.files {
        let stats = Stats::new(file).unwrap();
        let mut values = stats.buffer();
        stats.read(&mut values).unwrap();
        assert!(values.iter().next().is_some());
    }
}

#[test]
fn files_are_readable_when_their_sender_was_killed() {
    check("memory");
}

#[test]
fn files_of_kvm_are_readable_when_their_vmm_was_killed() {
    if let Err(error) = kvm_ioctls::Kvm::new() {
        skip::because(format_args!("/dev/kvm cannot be opened: {error}"));
        return;
    }
    check("kvm");
}

#[test]
fn sender_is_known_when_the_listener_was_prepared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("handover.sock");
    let error = connect(&path).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    let listener = listen(&path);
    // The packet is sent before the connection is accepted.
    let mut handover = Handover::new("vm").unwrap();
    handover.give(connect(&path).unwrap()).unwrap();
    let ours = accept_with(&listener, SocketFlags::CLOEXEC).unwrap();
    let sender = peek_sender(ours.as_fd()).unwrap().unwrap();
    assert_eq!(sender.pid, i32::try_from(std::process::id()).ok());
    assert_eq!(sender.uid, rustix::process::getuid().as_raw());
    assert_eq!(sender.gid, rustix::process::getgid().as_raw());
    assert_eq!(wait(&ours).unwrap().sender, Some(sender));
}

#[test]
fn files_stay_in_the_socket_when_their_sender_is_peeked_at() {
    let (theirs, ours) = pair();
    let file = std::fs::File::from(sealed(1));
    flock(&file, FlockOperation::NonBlockingLockExclusive).unwrap();
    let reopened = std::fs::File::open(format!("/proc/self/fd/{}", {
        use std::os::fd::AsRawFd;
        file.as_raw_fd()
    }))
    .unwrap();
    let is_closed = || flock(&reopened, FlockOperation::NonBlockingLockExclusive).is_ok();
    let mut handover = Handover::new("vm").unwrap();
    handover.set_vm_fd(file.into()).unwrap();
    handover.give(theirs).unwrap();
    drop(handover);
    let open_before = std::fs::read_dir("/proc/self/fd").unwrap().count();
    for _ in 0..1000 {
        peek_sender(ours.as_fd()).unwrap().unwrap();
    }
    let open_after = std::fs::read_dir("/proc/self/fd").unwrap().count();
    // Other tests of this process open a few files of their own.
    assert!(open_after < open_before + 500, "{open_after}");
    assert!(!is_closed(), "the file is in the socket");
    let packet = wait(&ours).unwrap();
    assert_eq!(packet.files.len(), 1);
    drop(packet);
    assert!(is_closed(), "no copy of the file is left");
}

#[test]
fn sender_waits_for_nobody_when_the_receiver_does_not_read() {
    let (theirs, ours) = pair();
    let mut handover = Handover::new("vm").unwrap();
    handover.give(theirs).unwrap();
    let start = Instant::now();
    let error = (0..100_000)
        .find_map(|_| handover.set_vm_fd(sealed(0)).err())
        .unwrap();
    assert!(start.elapsed() < PATIENCE);
    assert!(error.to_string().contains("SO_SNDBUF"), "{error}");
    // What was sent is there, and then the end.
    let mut packets = 0;
    while wait(&ours).is_some() {
        packets += 1;
    }
    assert!(packets > 10, "{packets}");
}
