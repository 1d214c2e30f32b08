//! `vmstats top`, as a script and as a person would use it: with guests of ours, with a
//! virtual machine that hangs, and on a terminal of the test's own.

#![cfg(feature = "top")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use program::{Running, Server, stderr, stdout, vmstats};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::Value;

/// How long a screen may take for what it does at once.
const PATIENCE: Duration = Duration::from_secs(30);

fn signal(pid: u32, name: &str) {
    let pid = pid.to_string();
    let status = Command::new("kill").args(["-s", name, &pid]).status();
    assert!(status.unwrap().success());
}

fn demo(folder: &Path, name: &str) -> Option<Server> {
    let socket = folder.join(format!("{name}.sock"));
    let options = ["--vcpus", "2", "--qmp", socket.to_str().unwrap()];
    program::kvm_opens()
        .then(|| Server::start(&[&["demo", "--hold", "--name", name], &options[..]].concat()))
}

#[test]
fn records_have_rates_windows_and_units_when_printed_once() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_guest) = demo(folder.path(), "one") else {
        return;
    };
    let glob = format!("{}/*.sock", folder.path().display());
    let output = vmstats(&["top", "-1", "--json", "-i", "0.5", &glob], "");
    assert_eq!(stderr(&output), "");
    assert!(output.status.success());
    let text = stdout(&output);
    let lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let find = |name: &str| lines.iter().find(|line| line["name"] == name).unwrap();
    let exits = find("exits");
    assert!(exits["rate"].as_f64().unwrap() > 0.0, "{exits}");
    assert!(exits["total"].as_u64().unwrap() > 0, "{exits}");
    assert_eq!(exits["objects"], 2);
    let seconds = exits["seconds"].as_f64().unwrap();
    assert!(seconds > 0.0 && seconds < 5.0, "{exits}");
    assert_eq!(find("halt_wait_ns")["unit"], "ns");
    assert!(find("halt_wait_hist")["buckets"].as_array().unwrap().len() > 1);

    let output = vmstats(
        &[
            "top",
            "-1",
            "--csv",
            "--per-vcpu",
            "--limit",
            "1",
            "-i",
            "0.5",
            &glob,
        ],
        "",
    );
    let text = stdout(&output);
    let mut lines = text.lines();
    assert!(lines.next().unwrap().starts_with("time,vm,endpoint,vcpu,"));
    assert!(lines.count() > 10, "{text}");
}

#[test]
fn mistakes_are_named_when_nothing_can_be_shown() {
    let folder = tempfile::tempdir().unwrap();
    let glob = format!("{}/*.sock", folder.path().display());
    for option in ["-1", "--batch"] {
        let output = vmstats(&["top", option, "-i", "0.2", &glob], "");
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains("no socket matches"), "{option}");
    }
    // Without a terminal.
    let output = vmstats(&["top", &glob], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("--batch"), "{}", stderr(&output));
    let output = vmstats(&["top", "--limit", "3", &glob], "");
    assert!(stderr(&output).contains("--limit is for --batch"));

    let server = Server::recording(folder.path(), &["--name", "still"]);
    let sort = ["top", "-1", "-i", "0.2", "--sort", "exist", &server.socket];
    let output = vmstats(&sort, "");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("did you mean 'exits'"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn virtual_machine_that_hangs_is_named_and_the_others_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::recording(folder.path(), &["--name", "still"]);
    let hanging = tempfile::tempdir().unwrap();
    let stopped = Server::recording(hanging.path(), &["--name", "stopped"]);
    signal(stopped.program.0.id(), "STOP");
    let both = [server.socket.as_str(), stopped.socket.as_str()];
    let options = ["top", "-1", "-i", "0.2", "--timeout", "1"];
    let output = vmstats(&[&options[..], &both].concat(), "");
    signal(stopped.program.0.id(), "CONT");
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("still"), "{}", stdout(&output));
    assert!(
        stderr(&output).contains(&stopped.socket),
        "{}",
        stderr(&output)
    );
}

/// The screen on a terminal of the test's own.
struct Viewer {
    program: Running,
    ours: File,
    theirs: File,
    seen: String,
}

impl Viewer {
    fn start(arguments: &[&str], locale: &str) -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&ours, size).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_vmstats"))
            .args(arguments)
            .env("TERM", "xterm")
            .env("LC_ALL", locale)
            .stdin(Stdio::from(open()))
            .stdout(Stdio::from(open()))
            .stderr(Stdio::from(open()))
            .spawn()
            .unwrap();
        Self {
            program: Running(child),
            ours: ours.into(),
            theirs: open(),
            seen: String::new(),
        }
    }

    /// Reads what is drawn until a text has come, and forgets everything before its end.
    fn expect(&mut self, text: &str) {
        let begin = Instant::now();
        loop {
            if let Some(at) = self.seen.find(text) {
                self.seen.drain(..at + text.len());
                return;
            }
            assert!(begin.elapsed() < PATIENCE, "{text}: {:?}", self.seen);
            self.read();
        }
    }

    fn read(&mut self) {
        let mut ready = [PollFd::new(&self.ours, PollFlags::IN)];
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: 200_000_000,
        };
        if poll(&mut ready, Some(&pause)).unwrap() > 0 {
            let mut bytes = [0; 4096];
            let count = self.ours.read(&mut bytes).unwrap();
            self.seen += &String::from_utf8_lossy(&bytes[..count]);
        }
    }

    fn press(&mut self, keys: &str) {
        self.ours.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the program has ended, and returns whether it left the terminal as it
    /// was.
    fn has_restored(mut self) -> bool {
        let begin = Instant::now();
        while self.program.0.try_wait().unwrap().is_none() {
            assert!(begin.elapsed() < PATIENCE, "it does not end");
            self.read();
        }
        self.read();
        let modes = tcgetattr(&self.theirs).unwrap().local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
            && self.seen.contains("\u{1b}[?1049l")
            && self.seen.contains("\u{1b}[?25h")
    }
}

#[test]
fn terminal_is_restored_when_a_key_or_a_signal_ends_the_screen() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::recording(folder.path(), &["--name", "still"]);
    for end in ["q", "\u{3}", "TERM", "HUP"] {
        let mut viewer = Viewer::start(&["top", &server.socket], "C.UTF-8");
        viewer.expect("still");
        match end {
            "q" | "\u{3}" => viewer.press(end),
            name => signal(viewer.program.0.id(), name),
        }
        assert!(viewer.has_restored(), "{end:?}");
    }
}
