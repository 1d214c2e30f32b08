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
use std::num::NonZero;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use program::played::{Answer, play};
use program::{Qemu, Running, Server, stderr, stdout, vmstats};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use serde_json::{Value, json};

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
    assert!(stderr(&output).contains("as many rows are shown as fit"));

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
fn names_control_no_terminal_when_lines_are_printed() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("hostile.sock");
    let (vm, stat, odd) = ("b\u{1b}[2J", "st\u{1b}[31m", "odd\u{7}");
    let answer = move |_, command: &str| {
        Answer::Return(match command {
            "qmp_capabilities" => json!({}),
            "query-name" => json!({"name": vm}),
            "query-stats-schemas" => json!([{"provider": "kvm", "target": "vm", "stats": [
                {"name": stat, "type": "cumulative", "exponent": 0}]}]),
            "query-stats" => json!([{"provider": "kvm", "stats": [
                {"name": stat, "value": 1}, {"name": odd, "value": "text"}]}]),
            _ => return Answer::Unknown,
        })
    };
    play(&socket, answer);
    let print = |form: &str| {
        let options = ["top", "-1", form, "-i", "0.2", socket.to_str().unwrap()];
        let output = vmstats(&options, "");
        assert!(output.status.success(), "{}", stderr(&output));
        let text = stdout(&output);
        assert!(!text.contains(['\u{1b}', '\u{7}']), "{text}");
        text
    };
    let csv = print("--csv");
    for expected in ["b\\u{1b}[2J,", "st\\u{1b}[31m,", "'odd\\u{7}' has a value"] {
        assert!(csv.contains(expected), "{expected}: {csv}");
    }
    // JSON has an escape of its own, so that its readers get the name itself.
    let json = print("--json");
    let line: Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!(
        (line["vm"].as_str(), line["name"].as_str()),
        (Some(vm), Some(stat))
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

#[test]
fn table_is_printed_once_in_an_interval_when_nothing_answers() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("ended.sock");
    let qmp = ["--name", "ended", "--qmp", socket.to_str().unwrap()];
    let server = Server::recording(folder.path(), &qmp);
    let glob = format!("{}/*.sock", folder.path().display());
    let mut child = Command::new(env!("CARGO_BIN_EXE_vmstats"))
        .args(["top", "--batch", "-i", "0.5", &glob])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let pause = || std::thread::sleep(Duration::from_secs(3));
    pause();
    server.interrupt();
    pause();
    signal(child.id(), "INT");
    assert!(child.wait().unwrap().success());
    let mut text = String::new();
    out.read_to_string(&mut text).unwrap();
    let tables = text.matches(" UTC\n").count();
    assert!((6..=14).contains(&tables), "{tables} in 6 s:\n{text}");
    assert_eq!(text.matches(" gone").count(), 1, "{text}");
}

/// The rows and columns of a terminal.
const SIZE: (u16, u16) = (24, 80);

/// The screen on a terminal of the test's own.
struct Viewer {
    program: Running,
    ours: File,
    theirs: File,
    terminal: vt100::Parser,
    /// True if only ASCII was drawn so far.
    is_ascii: bool,
}

impl Viewer {
    fn start(arguments: &[&str], locale: &str) -> Self {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        // Programs must not inherit our side; otherwise the terminal is never closed.
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let ours = openpt(flags).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap().into_string().unwrap();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let size = Winsize {
            ws_row: SIZE.0,
            ws_col: SIZE.1,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&ours, size).unwrap();
        let nonzero = |size| NonZero::new(size).unwrap();
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
            terminal: vt100::Parser::new(nonzero(SIZE.0), nonzero(SIZE.1), 0),
            is_ascii: true,
        }
    }

    /// Waits until the terminal shows a text.
    fn expect(&mut self, text: &str) {
        let begin = Instant::now();
        while !self.shown().contains(text) {
            assert!(begin.elapsed() < PATIENCE, "{text}:\n{}", self.shown());
            self.read();
        }
    }

    /// Waits until the terminal shows a text no longer.
    fn expect_not(&mut self, text: &str) {
        let begin = Instant::now();
        while self.shown().contains(text) {
            assert!(begin.elapsed() < PATIENCE, "{text}:\n{}", self.shown());
            self.read();
        }
    }

    fn shown(&self) -> String {
        self.terminal.screen().contents()
    }

    fn read(&mut self) {
        let mut ready = [PollFd::new(&self.ours, PollFlags::IN)];
        let pause = Timespec {
            tv_sec: 0,
            tv_nsec: 100_000_000,
        };
        if poll(&mut ready, Some(&pause)).unwrap() > 0 {
            let mut bytes = [0; 4096];
            let count = self.ours.read(&mut bytes).unwrap();
            self.is_ascii &= bytes[..count].is_ascii();
            self.terminal.process(&bytes[..count]);
        }
    }

    /// Counts the changes of a row, the first row being 0.
    fn changes_of(&mut self, row: usize, time: Duration) -> usize {
        let begin = Instant::now();
        let content = |viewer: &Self| viewer.shown().lines().nth(row).unwrap().to_owned();
        let mut last = content(self);
        let mut changed = Vec::<Instant>::new();
        while begin.elapsed() < time {
            self.read();
            let next = content(self);
            // One drawing may be read in several parts.
            let is_apart = |last: &Instant| last.elapsed() > Duration::from_millis(200);
            if next != last && changed.last().is_none_or(is_apart) {
                changed.push(Instant::now());
            }
            last = next;
        }
        changed.len()
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
        let screen = self.terminal.screen();
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
            && !screen.alternate_screen()
            && !screen.hide_cursor()
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

#[test]
fn keys_that_come_at_once_are_handled_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::recording(folder.path(), &["--name", "still"]);
    let mut viewer = Viewer::start(&["top", &server.socket], "C.UTF-8");
    viewer.expect("still");
    let begin = Instant::now();
    let answer = "exits|".repeat(7);
    viewer.press(&format!("/{answer}"));
    viewer.expect(&answer);
    // One key in each look at the news takes 4.3 s.
    assert!(begin.elapsed() < Duration::from_secs(3));
    viewer.press("\u{3}");
    assert!(viewer.has_restored());
}

#[test]
fn program_ends_when_its_terminal_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::recording(folder.path(), &["--name", "still"]);
    let mut viewer = Viewer::start(&["top", &server.socket], "C.UTF-8");
    viewer.expect("still");
    let pid = viewer.program.0.id();
    // Without a signal: the terminal is not the program's controlling one.
    let Viewer {
        mut program,
        ours,
        theirs,
        ..
    } = viewer;
    drop((ours, theirs));
    let begin = Instant::now();
    while program.0.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < PATIENCE, "{pid} does not end");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn screen_takes_little_time_of_a_processor_when_nothing_happens() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::recording(folder.path(), &["--name", "still"]);
    let mut viewer = Viewer::start(&["top", &server.socket], "C.UTF-8");
    viewer.expect("still");
    let path = format!("/proc/{}/task", viewer.program.0.id());
    // The threads that observe count too.
    let spent = || -> Duration {
        let threads = std::fs::read_dir(&path).unwrap();
        let of_thread = threads.map(|thread| {
            let path = thread.unwrap().path().join("schedstat");
            let text = std::fs::read_to_string(path).unwrap();
            Duration::from_nanos(text.split(' ').next().unwrap().parse().unwrap())
        });
        of_thread.sum()
    };
    let before = spent();
    viewer.changes_of(0, Duration::from_secs(2));
    let spent = spent().saturating_sub(before);
    println!("{spent:?} of 2 s");
    assert!(spent < Duration::from_millis(400), "{spent:?} of 2 s");
    viewer.press("q");
    assert!(viewer.has_restored());
}

#[test]
fn screen_shows_statistics_of_a_qemu_in_ascii_without_a_locale() {
    let folder = tempfile::tempdir().unwrap();
    let Some(qemu) = Qemu::start(folder.path(), &[]) else {
        return;
    };
    let mut viewer = Viewer::start(&["top", &qemu.socket], "C");
    viewer.expect("tried");
    viewer.expect("ok");
    viewer.press("z/exits\r");
    viewer.expect("halt_exits");
    // `\r` shows the vCPUs.
    viewer.press("\r");
    viewer.expect("vCPU 0");
    viewer.press("\t?");
    viewer.expect("for any reason");
    assert!(viewer.is_ascii);
    viewer.press(" q");
    assert!(viewer.has_restored());
}

#[test]
fn screen_draws_the_others_at_the_interval_when_a_virtual_machine_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let (Some(stopped), Some(_other)) = (demo(folder.path(), "aa"), demo(folder.path(), "bb"))
    else {
        return;
    };
    let glob = format!("{}/*.sock", folder.path().display());
    let options = ["top", "-i", "0.5", "--sort", "name", &glob];
    let mut viewer = Viewer::start(&options, "C.UTF-8");
    viewer.expect("2 VMs");
    viewer.expect("ok");
    assert!(!viewer.shown().contains("without answer"));
    signal(stopped.program.0.id(), "STOP");
    viewer.expect("1 without answer");
    viewer.expect("no answer for");
    // The header, the heading, and the one that hangs are above.
    let count = viewer.changes_of(3, Duration::from_secs(5));
    assert!((7..=11).contains(&count), "{count} times in 5 s");
    signal(stopped.program.0.id(), "CONT");
    viewer.expect_not("without answer");
    // A guest that appears is shown.
    let _third = demo(folder.path(), "third");
    viewer.expect("third");
    viewer.press("q");
    assert!(viewer.has_restored());
}

#[test]
fn virtual_machine_of_a_glob_keeps_its_row_when_it_is_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let Some(guest) = demo(folder.path(), "moody") else {
        return;
    };
    let glob = format!("{}/*.sock", folder.path().display());
    let mut viewer = Viewer::start(&["top", "-i", "0.5", &glob], "C.UTF-8");
    viewer.expect("ok");
    guest.interrupt();
    viewer.expect("1 gone");
    let _guest = demo(folder.path(), "moody");
    viewer.expect("restarted");
    let shown = viewer.shown();
    assert!(shown.contains("1 VM "), "{shown}");
    assert!(!shown.contains("gone"), "{shown}");
    viewer.press("q");
    assert!(viewer.has_restored());
}

/// Records a guest that ends and is started again. Returns `None`, with the reason
/// printed, without KVM.
fn record(folder: &Path) -> Option<String> {
    let guest = demo(folder, "moody")?;
    let socket = guest.socket.clone();
    let recording = folder.join("recording").to_str().unwrap().to_owned();
    let options = ["record", "-i", "0.1", "-o", &recording, &socket];
    let program = Command::new(env!("CARGO_BIN_EXE_vmstats"))
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut recorder = Running(program.unwrap());
    let pause = || std::thread::sleep(Duration::from_secs(2));
    pause();
    guest.interrupt();
    pause();
    let _guest = demo(folder, "moody");
    pause();
    signal(recorder.0.id(), "INT");
    assert!(recorder.0.wait().unwrap().success());
    Some(recording)
}

#[test]
fn replay_tells_failures_and_restarts_at_their_time() {
    let folder = tempfile::tempdir().unwrap();
    let Some(recording) = record(folder.path()) else {
        return;
    };
    let packed = folder.path().join("packed.parquet");
    let packed = packed.to_str().unwrap();
    let output = vmstats(&["pack", &recording, "-o", packed], "");
    assert!(output.status.success(), "{}", stderr(&output));
    for recording in [recording.as_str(), packed] {
        let mut viewer = Viewer::start(&["replay", "--speed", "2", recording], "C.UTF-8");
        viewer.expect("REPLAY x2");
        viewer.expect("ok");
        viewer.expect("1 without answer");
        viewer.expect("cannot connect");
        viewer.expect("restarted");
        viewer.expect("ended");
        // Back over the gap, sample by sample, and forward again.
        viewer.press("T");
        viewer.expect("PAUSED");
        viewer.press(&"T".repeat(100));
        viewer.expect("the first sample of the recording");
        viewer.press(&"t".repeat(100));
        viewer.expect("restarted");
        viewer.expect("the last sample of the recording");
        viewer.press("J1h\r");
        viewer.expect("the recording is from ");
        viewer.press("q");
        assert!(viewer.has_restored());
    }

    // From the end, everything is over.
    let mut viewer = Viewer::start(&["replay", "--at", "-0s", &recording], "C.UTF-8");
    viewer.expect("ended");
    viewer.press("q");
    assert!(viewer.has_restored());
    for (option, reason) in [
        (["--at", "+1h"], "is not in the recording"),
        (["--at", "noon"], "expected a time"),
        (["--speed", "0"], "from 0.01 to 4096"),
    ] {
        let output = vmstats(&[&["replay"][..], &option, &[&recording]].concat(), "");
        assert_eq!(output.status.code(), Some(2), "{option:?}");
        assert!(stderr(&output).contains(reason), "{}", stderr(&output));
    }
    let output = vmstats(&["replay", &recording], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("vmstats dump"));
    let output = vmstats(&["replay", folder.path().to_str().unwrap()], "");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("is not a recording"));
}
