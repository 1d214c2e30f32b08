//! The program as a test's servers and clients.

#![allow(dead_code, reason = "each test file uses a part")]

pub(crate) mod played;

use std::fs::File;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kvm_stats::{ImageBuilder, ImageStat};
use serde_json::Value;

/// Runs the program with an input.
pub(crate) fn vmstats(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmstats"));
    feed(command.args(arguments), input)
}

/// Runs a command with an input.
pub(crate) fn feed(command: &mut Command, input: &str) -> Output {
    let mut child = command
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
    pub(crate) program: Running,
    stdout: BufReader<ChildStdout>,
}

impl Server {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with_log(arguments, Stdio::inherit())
    }

    /// A server whose standard error stream goes elsewhere.
    pub(crate) fn start_with_log(arguments: &[&str], log: Stdio) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vmstats"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut socket = String::new();
        stdout.read_line(&mut socket).unwrap();
        Self {
            socket: socket.trim_end().to_owned(),
            program: Running(child),
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

    /// A recorded VM with two vCPUs, whose files are written to `folder`.
    pub(crate) fn recording(folder: &Path, options: &[&str]) -> Self {
        write_recording(folder);
        let replay = folder.to_str().unwrap();
        Self::start(&[&["serve", "--replay", replay], options].concat())
    }

    /// Asks it to end as a terminal would, and waits until it has.
    pub(crate) fn interrupt(self) {
        self.end("INT");
    }

    /// Sends it a signal, and waits until it has ended and removed its socket.
    pub(crate) fn end(mut self, signal: &str) {
        let pid = self.program.0.id().to_string();
        let kill = Command::new("kill").args(["-s", signal, &pid]).status();
        assert!(kill.unwrap().success());
        assert!(self.program.0.wait().unwrap().success());
        assert!(!Path::new(&self.socket).exists());
    }
}

/// The flags of a log2 histogram in seconds, by powers of ten (linux/kvm.h).
const LOG2_SECONDS: u32 = 4 | 2 << 4;

/// Writes the statistics files of a made-up VM with two vCPUs.
pub(crate) fn write_recording(folder: &Path) {
    let write = |name: &str, image: ImageBuilder| {
        std::fs::write(folder.join(name), image.build()).unwrap();
    };
    let pages = ImageStat::new("pages", 1, 0, [7]);
    write("vm.bin", ImageBuilder::new("kvm-1").stat(pages));
    for index in 0..2 {
        let image = ImageBuilder::new(format!("kvm-1/vcpu-{index}"))
            .stat(ImageStat::new("exits", 0, 0, [40 + index]))
            .stat(ImageStat::new("halt", LOG2_SECONDS, -9, [1, 2, 3]));
        write(&format!("vcpu{index}.bin"), image);
    }
}

/// A client that knows nothing but lines.
pub(crate) struct RawClient(BufReader<UnixStream>);

impl RawClient {
    /// Connects, reads the greeting and negotiates.
    pub(crate) fn connect(socket: &str) -> Self {
        Self::over(UnixStream::connect(socket).unwrap())
    }

    /// Reads the greeting and negotiates.
    pub(crate) fn over(stream: UnixStream) -> Self {
        let limit = Some(Duration::from_secs(20));
        stream.set_read_timeout(limit).unwrap();
        let mut client = Self(BufReader::new(stream));
        assert!(client.read().unwrap().get("QMP").is_some());
        client.ask("{'execute': 'qmp_capabilities'}");
        client
    }

    /// The next message; `None` at the end.
    pub(crate) fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    pub(crate) fn shut_down_writing(&self) {
        self.0.get_ref().shutdown(Shutdown::Write).unwrap();
    }

    pub(crate) fn send(&mut self, request: &str) {
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// Sends a request, and reads the next message.
    pub(crate) fn ask(&mut self, request: &str) -> Value {
        self.send(request);
        self.read().unwrap()
    }
}

/// Whether there is something to boot a guest on; the reason is printed if not.
pub(crate) fn kvm_opens() -> bool {
    match File::options().read(true).write(true).open("/dev/kvm") {
        Ok(_) => true,
        Err(error) => {
            skip::because(format_args!("/dev/kvm cannot be opened: {error}"));
            false
        }
    }
}

/// A QEMU with two vCPUs, and where its QMP socket is.
pub(crate) struct Qemu {
    pub(crate) socket: String,
    pub(crate) program: Running,
}

/// Whether a server listens at a path. Its file is there earlier, when the path is bound; and
/// a connection would take the monitor.
pub(crate) fn listens(socket: &Path) -> bool {
    let sockets = std::fs::read_to_string("/proc/net/unix").unwrap();
    sockets.lines().any(|line| {
        // The fourth field has the flag of a socket that accepts connections.
        let flags = line.split_whitespace().nth(3);
        flags == Some("00010000") && line.ends_with(socket.to_str().unwrap())
    })
}

impl Qemu {
    /// `None`, with the reason printed, where there is no QEMU or no KVM.
    pub(crate) fn start(folder: &Path, options: &[&str]) -> Option<Self> {
        if kvm_opens() {
            Self::on("kvm", folder, options)
        } else {
            None
        }
    }

    /// A QEMU on an accelerator; `None`, with the reason printed, where there is no
    /// QEMU.
    pub(crate) fn on(accelerator: &str, folder: &Path, options: &[&str]) -> Option<Self> {
        let socket: PathBuf = folder.join("qemu.sock");
        let qmp = format!("unix:{},server=on,wait=off", socket.display());
        let child = Command::new("qemu-system-x86_64")
            .args([
                "-accel",
                accelerator,
                "-smp",
                "2",
                "-m",
                "32",
                "-nodefaults",
            ])
            .args(["-display", "none", "-name", "tried", "-qmp", &qmp])
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = match child {
            Ok(child) => child,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                skip::because("QEMU is not installed");
                return None;
            }
            Err(error) => panic!("QEMU does not start: {error}"),
        };
        let program = Running(child);
        let begin = Instant::now();
        while !listens(&socket) {
            assert!(begin.elapsed() < Duration::from_secs(20), "QEMU is slow");
            thread::sleep(Duration::from_millis(20));
        }
        Some(Self {
            socket: socket.to_str().unwrap().to_owned(),
            program,
        })
    }
}
