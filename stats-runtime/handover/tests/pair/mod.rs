//! A sender's and a receiver's socket, and files to give.
#![allow(dead_code, reason = "each test uses some of it")]

use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use kvm_stats::{ImageBuilder, ImageStat};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, socket_with, socketpair,
};
use stats_handover::receive::{Packet, prepare};

/// Returns the sender's and the receiver's socket; the receiver learns who sends.
pub(crate) fn pair() -> (OwnedFd, OwnedFd) {
    let flags = SocketFlags::CLOEXEC;
    let (theirs, ours) =
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    prepare(ours.as_fd()).unwrap();
    (theirs, ours)
}

/// Returns the next packet, which has been sent.
pub(crate) fn next(socket: &OwnedFd) -> Packet {
    Packet::receive(socket.as_fd()).unwrap().unwrap()
}

/// Returns a sealed file in the kernel's format.
pub(crate) fn sealed(value: u64) -> OwnedFd {
    let bytes = ImageBuilder::new("test")
        .stat(ImageStat::new("n", 0, 0, [value]))
        .build();
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut file = File::from(memfd_create("test", flags).unwrap());
    file.write_all(&bytes).unwrap();
    fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW).unwrap();
    file.into()
}

/// Listens at a path, as a receiver does.
pub(crate) fn listen(path: &Path) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    prepare(socket.as_fd()).unwrap();
    bind(&socket, &SocketAddrUnix::new(path).unwrap()).unwrap();
    rustix::net::listen(&socket, 16).unwrap();
    socket
}
