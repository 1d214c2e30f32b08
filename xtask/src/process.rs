//! Programs that run beside a chore.
//!
//! In: a command. Out: a process that is ended when it is dropped, and a way to
//! talk to it: lines over its standard input and output, or a socket.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::tools::{Failure, text};

/// The longest time until a program accepts a client.
const START_TIME_MAX: Duration = Duration::from_secs(30);

/// A running program. Dropping it ends it.
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        let child = command.spawn().map_err(|error| {
            let program = command.get_program().display();
            format!("{program} cannot be run: {error}")
        });
        child.map(Self)
    }

    /// Connects to the socket that the program is about to offer.
    fn connect(&mut self, socket: &Path) -> Result<UnixStream, Failure> {
        let begin = Instant::now();
        loop {
            match UnixStream::connect(socket) {
                Ok(stream) => return Ok(stream),
                Err(error) if begin.elapsed() > START_TIME_MAX => return Err(text(error)),
                Err(_) => thread::sleep(Duration::from_millis(20)),
            }
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(format!("it does not start: {status}"));
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a QEMU without devices, whose machine is stopped, and connects to its
/// monitor.
pub(crate) fn qemu(
    program: &Path,
    machine: &[&str],
    folder: &Path,
) -> Result<(Running, UnixStream), Failure> {
    let socket = folder.join("qemu.sock");
    let mut command = Command::new(program);
    command
        .args(["-nodefaults", "-display", "none", "-S", "-qmp"])
        .arg(format!("unix:{},server=on,wait=off", socket.display()))
        .args(machine)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut running = Running::start(&mut command)?;
    let stream = running.connect(&socket);
    let stream = stream.map_err(|why| format!("{}: {why}", program.display()))?;
    // Remove the name, so that the folder can hold the socket of another one.
    std::fs::remove_file(&socket).map_err(text)?;
    Ok((running, stream))
}

/// A program that answers every line with a line.
pub(crate) struct Answerer {
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    _running: Running,
}

impl Answerer {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut running = Running::start(command)?;
        match (running.0.stdin.take(), running.0.stdout.take()) {
            (Some(input), Some(output)) => Ok(Self {
                input,
                output: BufReader::new(output),
                _running: running,
            }),
            _ => Err("a program has no standard input and output".to_owned()),
        }
    }

    pub(crate) fn ask(&mut self, line: &str) -> Result<String, Failure> {
        let mut answer = String::new();
        let count = writeln!(self.input, "{line}").and_then(|()| {
            self.input.flush()?;
            self.output.read_line(&mut answer)
        });
        match count {
            Ok(1..) => Ok(answer),
            Ok(0) => Err(format!("a program has ended at '{line}'")),
            Err(error) => Err(format!("a program does not answer '{line}': {error}")),
        }
    }
}
