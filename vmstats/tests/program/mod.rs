//! The program as a test's servers and clients.

#![allow(dead_code, reason = "each test file uses a part")]

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Runs the program with an input.
pub(crate) fn vmstats(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_vmstats"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may have ended before it reads everything.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A program that runs, ended by its process id.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server of ours: `demo --hold` or `serve`.
pub(crate) struct Server {
    pub(crate) socket: String,
    _program: Running,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vmstats"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut socket = String::new();
        stdout.read_line(&mut socket).unwrap();
        Self {
            socket: socket.trim_end().to_owned(),
            _program: Running(child),
            stdout,
        }
    }

    /// The next line that it prints.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// A demo with two vCPUs; `None`, with the reason printed, without KVM.
    pub(crate) fn demo(options: &[&str]) -> Option<Self> {
        let mut arguments = vec!["demo", "--hold", "--vcpus", "2", "--name", "tried"];
        arguments.extend(options);
        kvm_opens().then(|| Self::start(&arguments))
    }
}

/// Whether there is something to boot a guest on; the reason is printed if not.
pub(crate) fn kvm_opens() -> bool {
    match File::options().read(true).write(true).open("/dev/kvm") {
        Ok(_) => true,
        Err(error) => {
            println!("skipped: /dev/kvm cannot be opened: {error}");
            false
        }
    }
}

/// A QEMU with two vCPUs, and where its QMP socket is.
pub(crate) struct Qemu {
    pub(crate) socket: String,
    _program: Running,
}

impl Qemu {
    /// `None`, with the reason printed, where there is no QEMU or no KVM.
    pub(crate) fn start(folder: &Path, options: &[&str]) -> Option<Self> {
        if !kvm_opens() {
            return None;
        }
        let socket: PathBuf = folder.join("qemu.sock");
        let qmp = format!("unix:{},server=on,wait=off", socket.display());
        let child = Command::new("qemu-system-x86_64")
            .args(["-accel", "kvm", "-smp", "2", "-m", "32", "-nodefaults"])
            .args(["-display", "none", "-name", "tried", "-qmp", &qmp])
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("skipped: QEMU is not installed");
                return None;
            }
            Err(error) => panic!("QEMU does not start: {error}"),
        };
        let program = Running(child);
        let begin = Instant::now();
        while !socket.exists() {
            assert!(begin.elapsed() < Duration::from_secs(20), "QEMU is slow");
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self {
            socket: socket.to_str().unwrap().to_owned(),
            _program: program,
        })
    }
}
