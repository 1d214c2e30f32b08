//! `host:` and `host:NAME` as the addresses of the virtual machines of a `vmstats host`.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;
mod simulated;

use std::path::Path;
use std::process::{Command, Output};

use program::{feed, stderr, stdout};

/// Runs `vmstats` with another folder of the host.
fn vmstats(host: &Path, arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmstats"));
    feed(command.env("VMSTATS_HOST", host).args(arguments), input)
}

/// Makes the folder of a host with simulated virtual machines.
fn host(names: &[&str]) -> tempfile::TempDir {
    let host = tempfile::tempdir().unwrap();
    let vms = host.path().join("vms");
    std::fs::create_dir(&vms).unwrap();
    for name in names {
        let socket = vms.join(format!("{name}.sock"));
        simulated::serve(&socket, simulated::machine(name, 1));
    }
    host
}

#[test]
fn all_machines_or_one_are_asked_as_the_place_says() {
    let host = host(&["101", "web1"]);
    let asked = |place: &str| {
        let words = [
            "query", place, "--target", "vcpu", "--format", "jsonl", "--names", "exits",
        ];
        let output = vmstats(host.path(), &words, "");
        assert!(output.status.success(), "{}", stderr(&output));
        stdout(&output)
    };
    let all = asked("host:");
    let lines: Vec<_> = all.lines().collect();
    assert_eq!(lines.len(), 2, "{all}");
    assert!(
        lines[0].contains("/vms/101.sock") && lines[1].contains("/vms/web1.sock"),
        "{all}"
    );
    for name in ["101", "web1"] {
        let one = asked(&format!("host:{name}"));
        assert_eq!(one.lines().count(), 1, "{one}");
    }
}

#[test]
fn command_for_one_monitor_takes_the_only_machine_and_names_several() {
    let words = ["shell", "host:"];
    let one = vmstats(host(&["web1"]).path(), &words, "query-name\n");
    assert_eq!(stdout(&one), "{\"name\": \"web1\"}\n", "{}", stderr(&one));
    let two = vmstats(host(&["web1", "web2"]).path(), &words, "");
    assert_eq!(two.status.code(), Some(2));
    assert!(
        stderr(&two).contains("host:web1, host:web2"),
        "{}",
        stderr(&two)
    );
    let none = vmstats(host(&[]).path(), &words, "");
    assert!(
        stderr(&none).contains("has no virtual machine"),
        "{}",
        stderr(&none)
    );
}

#[test]
fn error_says_what_is_missing_when_no_machine_can_be_asked() {
    let check = |host: &Path, place: &str, status: i32, expected: &str| {
        let output = vmstats(host, &["query", place], "");
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(status), "{place}: {error}");
        assert!(error.contains(expected), "{place}: {error}");
    };
    let nowhere = Path::new("/nowhere/vmstats");
    for place in ["host:", "host:web1"] {
        check(
            nowhere,
            place,
            1,
            "no vmstats host runs here: there is no folder /nowhere/vmstats/vms",
        );
    }
    let empty = host(&[]);
    check(empty.path(), "host:", 1, "has no virtual machine");
    check(empty.path(), "host:web1", 1, "no such socket");
    let other = host(&["web2"]);
    check(other.path(), "host:web1", 1, "the socket web2.sock");
    check(other.path(), "host:../vms/web2", 2, "without '/'");
    check(
        other.path(),
        "host:..",
        2,
        "not the name of a virtual machine",
    );
}
