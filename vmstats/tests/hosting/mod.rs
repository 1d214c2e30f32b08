//! A `vmstats host` with made-up VMs, as several tests use it.

#![allow(dead_code, reason = "each test file uses a part")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kvm_stats::{Base, Counter, Kind, Unit, Writer};
use rustix::cmsg_space;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use serde_json::{Value, json};
use stats_handover::Handover;
use tempfile::TempDir;

use crate::program::{RawClient, Running};

/// How long something may take that takes no time by itself.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A host in a folder of its own.
pub(crate) struct Host {
    pub(crate) folder: TempDir,
    pub(crate) program: Running,
    pub(crate) log: PathBuf,
    /// Where metrics are served, if they are.
    pub(crate) url: String,
}

impl Host {
    pub(crate) fn start(options: &[&str]) -> Self {
        let command = Command::new(env!("CARGO_BIN_EXE_vmstats"));
        Self::of(command, options)
    }

    /// A host that may have so many files open.
    pub(crate) fn limited_to_files(files: u32) -> Self {
        let mut command = Command::new("prlimit");
        command.arg(format!("--nofile={files}:{files}"));
        command.arg(env!("CARGO_BIN_EXE_vmstats"));
        Self::of(command, &[])
    }

    fn of(mut command: Command, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut child = command
            .args(["-v", "host", "--folder"])
            .arg(folder.path().join("host"))
            .args(options)
            .stdout(Stdio::piped())
            .stderr(fs::File::create(&log).unwrap())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "{}", fs::read_to_string(&log).unwrap());
        let mut url = String::new();
        if options.contains(&"--listen") {
            stdout.read_line(&mut url).unwrap();
        }
        Self {
            folder,
            program: Running(child),
            log,
            url: url.trim_end().to_owned(),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("host")
    }

    pub(crate) fn handover(&self) -> PathBuf {
        self.path().join("handover.sock")
    }

    pub(crate) fn socket(&self, name: &str) -> String {
        let socket = self.path().join(format!("vms/{name}.sock"));
        socket.to_str().unwrap().to_owned()
    }

    pub(crate) fn names(&self) -> BTreeSet<String> {
        names(&self.path())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.program.0.id()
    }

    /// The response to a scraper.
    pub(crate) fn metrics(&self) -> String {
        let address = self
            .url
            .trim_start_matches("http://")
            .split('/')
            .next()
            .unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = "GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        text
    }

    /// Waits until the log has a text.
    pub(crate) fn wait_for_log(&self, text: &str) {
        wait(text, || self.log().contains(text), || self.log());
    }
}

/// The names of the VMs that a host serves.
pub(crate) fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder.join("vms")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names
        .filter_map(|name| Some(name.strip_suffix(".sock")?.to_owned()))
        .collect()
}

/// Waits until something is true.
pub(crate) fn wait(what: &str, is_true: impl Fn() -> bool, state: impl Fn() -> String) {
    let begin = Instant::now();
    while !is_true() {
        assert!(begin.elapsed() < PATIENCE, "{what}: {}", state());
        thread::sleep(Duration::from_millis(5));
    }
}

/// Waits until a VM's socket accepts clients.
pub(crate) fn wait_until_served(socket: &str) {
    wait(
        "served",
        || UnixStream::connect(socket).is_ok(),
        || socket.to_owned(),
    );
}

pub(crate) fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// Statistics of a made-up object.
pub(crate) fn made_up(id: &str) -> (Writer, Counter) {
    let writer = Writer::builder(id)
        .counter("exits")
        .scalar("blocking", Kind::Instant, Unit::Boolean, (Base::Pow10, 0))
        .build()
        .unwrap();
    let exits = writer.counter("exits").unwrap();
    (writer, exits)
}

/// A hand-over of a made-up VM with these vCPUs.
pub(crate) fn made_up_vm(name: &str, vcpus: u32) -> Handover {
    let mut handover = Handover::new(name).unwrap();
    let (writer, exits) = made_up("kvm-1/vcpu-0");
    exits.set(7);
    for index in 0..vcpus {
        let path = format!("/machine/unattached/device[{index}]");
        let file = writer.try_clone_fd().unwrap();
        handover.add_vcpu_fd(index, &path, file).unwrap();
    }
    handover
}

/// The answer of a VM's socket to `query-stats`.
pub(crate) fn query(socket: &str, target: &str) -> Vec<Value> {
    let mut client = RawClient::connect(socket);
    let request = json!({"execute": "query-stats", "arguments": {"target": target}});
    let answer = client.ask(&request.to_string());
    answer["return"]
        .as_array()
        .unwrap_or_else(|| panic!("{answer}"))
        .clone()
}

pub(crate) fn kvm_files(pid: u32) -> usize {
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    links
        .filter(|link| link.to_string_lossy().starts_with("anon_inode:kvm-"))
        .count()
}

/// Sends a packet as it is.
pub(crate) fn send(socket: &OwnedFd, text: &str, files: &[BorrowedFd<'_>]) {
    let mut space = [MaybeUninit::uninit(); cmsg_space!(ScmRights(253))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    assert!(files.is_empty() || control.push(SendAncillaryMessage::ScmRights(files)));
    let text = [IoSlice::new(text.as_bytes())];
    sendmsg(socket, &text, &mut control, SendFlags::NOSIGNAL).unwrap();
}

/// Whether the host has closed a connection.
pub(crate) fn is_closed(socket: &OwnedFd) -> bool {
    let mut byte = [0];
    let flags = rustix::net::RecvFlags::DONTWAIT;
    rustix::net::recv(socket, &mut byte, flags).is_ok_and(|(len, _)| len == 0)
}
