//! Measures hand-overs of 1 to 4,096 vCPUs, with files in memory.
//!
//! `cargo run --release -p stats-handover --features receive --example cost`

use std::error::Error;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use kvm_stats::Writer;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, listen, socket_with,
    socketpair,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use stats_handover::receive::{Message, Packet, ReceiveError, prepare};
use stats_handover::{Handover, connect};

const ROUNDS: usize = 50;

fn main() -> Result<(), Box<dyn Error>> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            ..limit
        },
    )?;
    println!("medians of {ROUNDS} rounds, in microseconds");
    println!("vCPUs  packets  text in bytes  add all  give all  receive all  change of one");
    for vcpus in [1, 253, 1025, 4096] {
        measure(vcpus)?;
    }
    println!("most vCPUs with QEMU's paths: {}", most()?);
    Ok(())
}

/// Returns the path of a vCPU as long as QEMU's.
fn path(index: u32) -> String {
    format!("/machine/unattached/device[{index}]")
}

fn handover(vcpus: u32, file: impl AsFd) -> Result<Handover, Box<dyn Error>> {
    let mut handover = Handover::new("vm-0001")?;
    handover.set_uuid("4f9f0a2e-9b5c-4b7e-8a55-0d6f3f6f2f11")?;
    for index in 0..vcpus {
        let file = file.as_fd().try_clone_to_owned()?;
        handover.add_vcpu_fd(index, &path(index), file)?;
    }
    Ok(handover)
}

fn measure(vcpus: u32) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let socket = folder.path().join("handover.sock");
    let flags = SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    prepare(listener.as_fd())?;
    bind(&listener, &SocketAddrUnix::new(&socket)?)?;
    listen(&listener, 1)?;
    let file = Writer::builder("cpu").counter("exits").build()?;
    let (mut packets, mut bytes) = (0, 0);
    let [mut adding, mut giving, mut receiving, mut changing] = [(); 4].map(|()| Vec::new());
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let mut handover = handover(vcpus, &file)?;
        adding.push(start.elapsed());
        let connection = connect(&socket)?;
        let ours = accept_with(&listener, flags)?;

        let start = Instant::now();
        handover.give(connection)?;
        giving.push(start.elapsed());

        let start = Instant::now();
        let received = receive_all(&ours)?;
        receiving.push(start.elapsed());
        (packets, bytes) = received;

        let again = file.try_clone_fd()?;
        let start = Instant::now();
        handover.add_vcpu_fd(0, &path(0), again)?;
        changing.push(start.elapsed());
    }
    println!(
        "{vcpus:5}  {packets:7}  {bytes:13}  {:7}  {:8}  {:11}  {:13}",
        median(adding),
        median(giving),
        median(receiving),
        median(changing)
    );
    Ok(())
}

/// Receives and parses all packets, and returns their number and the bytes of text.
fn receive_all(socket: &OwnedFd) -> Result<(usize, usize), Box<dyn Error>> {
    let (mut packets, mut bytes) = (0, 0);
    loop {
        match Packet::receive(socket.as_fd()) {
            Ok(Some(packet)) => {
                Message::parse(&packet.text, packet.files.len())?;
                packets += 1;
                bytes += packet.text.len();
            }
            Ok(None) | Err(ReceiveError::WouldBlock) => return Ok((packets, bytes)),
            Err(error) => return Err(error.into()),
        }
    }
}

fn median(mut times: Vec<Duration>) -> u128 {
    times.sort_unstable();
    times
        .get(times.len() / 2)
        .map_or(0, |time| time.as_micros())
}

/// Returns the most vCPUs that a socket with the kernel's default buffer takes before
/// the receiver reads, if not all.
fn most() -> Result<u32, Box<dyn Error>> {
    let file = Writer::builder("cpu").counter("exits").build()?;
    let (mut fits, mut fails) = (1, 4097);
    while fails - fits > 1 {
        let vcpus = (fits + fails) / 2;
        let kind = SocketType::SEQPACKET;
        let (theirs, _ours) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?;
        if handover(vcpus, &file)?.give(theirs).is_ok() {
            fits = vcpus;
        } else {
            fails = vcpus;
        }
    }
    Ok(fits)
}
