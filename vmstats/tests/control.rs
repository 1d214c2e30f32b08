//! What clients may do with the machine of `vmstats demo` and `serve`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;

use std::thread::sleep;
use std::time::Duration;

use program::{RawClient, Server, kvm_opens};
use serde_json::Value;

/// A program that serves, and one client of it.
struct Demo {
    server: Server,
    client: RawClient,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let server = Server::start(arguments);
        let client = RawClient::connect(&server.socket);
        Self { server, client }
    }

    /// The names of the events before a command's answer, and the answer.
    fn ask(&mut self, command: &str) -> (Vec<String>, Value) {
        self.client.send(&format!("{{'execute': '{command}'}}"));
        let mut events = Vec::new();
        loop {
            let message = self.client.read().unwrap();
            match message["event"].as_str() {
                Some(event) => events.push(event.to_owned()),
                None => return (events, message),
            }
        }
    }

    fn exits(&mut self) -> u64 {
        let results = self.client.ask(
            "{'execute': 'query-stats', 'arguments': {'target': 'vcpu',
            'providers': [{'provider': 'kvm', 'names': ['exits']}]}}",
        );
        let results = results["return"].as_array().unwrap().clone();
        let exits = results.iter().map(|result| &result["stats"][0]["value"]);
        exits.map(|value| value.as_u64().unwrap()).sum()
    }
}

#[test]
fn guest_stops_goes_on_and_ends_when_clients_ask() {
    if !kvm_opens() {
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
        let (process, thread) = (demo.server.program.0.id(), &thread["thread-id"]);
        let name = std::fs::read_to_string(format!("/proc/{process}/task/{thread}/comm"));
        assert!(name.unwrap().starts_with("vcpu"));
    }
    // Also one that is stopped ends.
    demo.ask("stop");
    assert_eq!(demo.ask("quit").0, ["SHUTDOWN"]);
    assert_eq!(demo.client.read(), None);
    assert!(demo.server.program.0.wait().unwrap().success());
}

#[test]
fn commands_that_change_the_guest_are_refused_without_control() {
    if !kvm_opens() {
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
fn recorded_vm_does_not_run_when_a_client_continues_it() {
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
    assert_eq!(demo.client.read(), None);
}
