//! What clients may do with the machine of `vmstats demo` and `serve`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use serde_json::Value;

/// A program that serves, and one client of it.
struct Demo {
    child: Child,
    client: BufReader<UnixStream>,
    /// It has more to print than where it serves.
    _stdout: BufReader<ChildStdout>,
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vmstats"))
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut socket = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut socket).unwrap();
        let client = BufReader::new(UnixStream::connect(socket.trim_end()).unwrap());
        let mut demo = Self {
            child,
            client,
            _stdout: stdout,
        };
        demo.read().unwrap();
        demo.ask("qmp_capabilities");
        demo
    }

    /// The next line; `None` at the end.
    fn read(&mut self) -> Option<Value> {
        let mut line = String::new();
        self.client.read_line(&mut line).unwrap();
        (!line.is_empty()).then(|| serde_json::from_str(&line).unwrap())
    }

    /// The names of the events before a command's answer, and the answer.
    fn ask(&mut self, command: &str) -> (Vec<String>, Value) {
        let request = format!("{{'execute': '{command}'}}");
        self.client.get_mut().write_all(request.as_bytes()).unwrap();
        let mut events = Vec::new();
        loop {
            let line = self.read().unwrap();
            match line["event"].as_str() {
                Some(event) => events.push(event.to_owned()),
                None => return (events, line),
            }
        }
    }

    fn exits(&mut self) -> u64 {
        let request = b"{'execute': 'query-stats', 'arguments': {'target': 'vcpu',
            'providers': [{'provider': 'kvm', 'names': ['exits']}]}}";
        self.client.get_mut().write_all(request).unwrap();
        let results = self.read().unwrap();
        let results = results["return"].as_array().unwrap().clone();
        let exits = results.iter().map(|result| &result["stats"][0]["value"]);
        exits.map(|value| value.as_u64().unwrap()).sum()
    }
}

fn is_kvm_there() -> bool {
    let kvm = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/kvm");
    if let Err(error) = &kvm {
        println!("skipped: /dev/kvm: {error}");
    }
    kvm.is_ok()
}

#[test]
fn the_guest_stops_goes_on_and_ends() {
    if !is_kvm_there() {
        return;
    }
    let mut demo = Demo::start(&["demo", "--hold", "--control", "--vcpus", "2"]);
    let status = |demo: &mut Demo| demo.ask("query-status").1["return"]["status"].clone();
    assert_eq!(status(&mut demo), "running");
    let (events, answer) = demo.ask("stop");
    assert_eq!(
        (events, answer["return"].is_object()),
        (vec!["STOP".to_owned()], true)
    );
    assert_eq!(status(&mut demo), "paused");
    let before = demo.exits();
    sleep(Duration::from_millis(200));
    assert_eq!(demo.exits(), before, "a vCPU ran");
    assert!(demo.ask("stop").0.is_empty());
    assert_eq!(demo.ask("cont").0, ["RESUME"]);
    assert!(demo.ask("cont").0.is_empty());
    sleep(Duration::from_millis(200));
    assert!(demo.exits() > before, "no vCPU ran");
    assert_eq!(demo.ask("system_powerdown").0, ["POWERDOWN"]);
    assert_eq!(status(&mut demo), "running");
    // Its vCPUs' threads are of this process, one each.
    let cpus = demo.ask("query-cpus-fast").1;
    let threads = cpus["return"].as_array().unwrap().iter();
    for thread in threads {
        let (process, thread) = (demo.child.id(), &thread["thread-id"]);
        let name = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/comm"));
        assert!(name.unwrap().starts_with("vcpu"));
    }
    // Also one that is stopped ends.
    demo.ask("stop");
    assert_eq!(demo.ask("quit").0, ["SHUTDOWN"]);
    assert_eq!(demo.read(), None);
    assert!(demo.child.wait().unwrap().success());
}

#[test]
fn without_control_it_is_only_observed() {
    if !is_kvm_there() {
        return;
    }
    let mut demo = Demo::start(&["demo", "--hold"]);
    for command in ["stop", "cont", "system_powerdown", "quit"] {
        let (events, answer) = demo.ask(command);
        assert!(events.is_empty(), "{command}");
        let desc = answer["error"]["desc"].as_str().unwrap().to_owned();
        assert!(desc.ends_with("this monitor is read-only"), "{desc}");
    }
    assert_eq!(demo.ask("query-status").1["return"]["status"], "running");
}

#[test]
fn what_was_recorded_does_not_run() {
    let recorded = concat!(env!("CARGO_MANIFEST_DIR"), "/recorded");
    let mut demo = Demo::start(&["serve", "--control", "--replay", recorded]);
    assert_eq!(demo.ask("query-status").1["return"]["status"], "paused");
    assert!(demo.ask("stop").0.is_empty());
    let (events, answer) = demo.ask("cont");
    assert!(events.is_empty());
    assert_eq!(
        answer["error"]["desc"],
        "Recorded statistics cannot be made to run"
    );
    assert_eq!(demo.ask("quit").0, ["SHUTDOWN"]);
    assert_eq!(demo.read(), None);
}
