//! The typed client with the code of QEMU's whole schema, asking a real QEMU.

use std::process::Command;
use std::time::{Duration, Instant};

use full_schema::qmp::Event;
use full_schema::qmp::block_core::commands::QueryBlock;
use full_schema::qmp::control::commands::Quit;
use full_schema::qmp::misc::commands::{Cont, Stop};
use full_schema::qmp::qdev::commands::DeviceDel;
use full_schema::qmp::run_state::commands::QueryStatus;
use full_schema::qmp::yank::commands::Yank;
use qapi_wire::client::{AsyncClient, Client, ClientError};
use tokio::runtime::Builder;

use crate::qemu::{Qemu, patient};

const DRIVE: [&str; 2] = ["-drive", "if=none,id=disk,file=null-co://,format=raw"];

/// Sends a signal to a process.
fn signal(process: u32, name: &str) {
    let process = process.to_string();
    let status = Command::new("kill").args([name, &process]).status();
    assert!(status.unwrap().success());
}

#[test]
fn example_prints_the_block_devices_of_a_qemu() {
    let Some(qemu) = Qemu::start(&DRIVE) else {
        return;
    };
    let mut client = Client::connect_unix(qemu.socket(), patient()).unwrap();
    let blocks = client.execute(&QueryBlock {}).unwrap();
    assert_eq!(blocks.len(), 1);
    assert_eq!(blocks[0].device, "disk");
    let medium = blocks[0].inserted.as_ref().unwrap();
    assert_eq!(medium.drv, "raw");
    drop(client);

    // Cargo builds examples for the tests of a whole package only.
    let tests = std::env::current_exe().unwrap();
    let example = tests.with_file_name("../examples/query_block");
    if !example.exists() {
        return skip::because("the example has not been built");
    }
    let output = Command::new(example).arg(qemu.socket()).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed, "disk: null-co://\n");
}

#[test]
fn readmes_show_the_example() {
    let example = include_str!("../../examples/query_block.rs");
    let readme = include_str!("../../../../../qapi/wire/README.md");
    let (_, main) = example.split_at(example.find("fn main()").unwrap());
    assert!(readme.contains(main));
    let readme = include_str!("../../../../../README.md");
    let lines: Vec<&str> = main.lines().map(str::trim).collect();
    let begin = lines
        .iter()
        .position(|line| line.starts_with("for "))
        .unwrap();
    for line in &lines[begin..begin + 4] {
        assert!(readme.contains(line), "{line}");
    }
}

#[test]
fn events_are_typed_when_a_qemu_sends_them() {
    let Some(qemu) = Qemu::start(&[]) else {
        return;
    };
    let mut client = Client::connect_unix(qemu.socket(), patient()).unwrap();
    client.execute(&Cont {}).unwrap();
    client.execute(&Stop {}).unwrap();
    client.execute(&Quit {}).unwrap();
    let mut next = || {
        let event = client.next_event(Duration::from_secs(20)).unwrap().unwrap();
        assert!(event.timestamp().seconds > 0);
        event.decode(Event::decode).unwrap()
    };
    assert!(matches!(next(), Event::Resume(_)));
    assert!(matches!(next(), Event::Stop(_)));
    let Event::Shutdown(shutdown) = next() else {
        panic!("QEMU says that it shuts down");
    };
    assert_eq!(shutdown.reason.name(), "host-qmp-quit");
    let end = client.next_event(Duration::from_secs(20)).unwrap_err();
    assert!(matches!(end, ClientError::Closed), "{end}");
    let end = client.execute(&QueryStatus {}).unwrap_err();
    assert!(matches!(end, ClientError::Closed), "{end}");
}

#[test]
fn tasks_share_a_connection_to_a_qemu() {
    let Some(qemu) = Qemu::start(&DRIVE) else {
        return;
    };
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.unwrap().block_on(async {
        let client = AsyncClient::connect_unix(qemu.socket(), patient()).await;
        let client = client.unwrap();
        let mut events = client.subscribe();
        let tasks: Vec<_> = (0..50)
            .map(|number| {
                let client = client.clone();
                tokio::spawn(async move {
                    if number % 2 == 0 {
                        let blocks = client.execute(&QueryBlock {}).await.unwrap();
                        assert_eq!(blocks[0].device, "disk");
                    } else {
                        client.execute(&Cont {}).await.unwrap();
                        client.execute(&Stop {}).await.unwrap();
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        let event = events.next().await.unwrap();
        assert!(matches!(event.decode(Event::decode), Ok(Event::Resume(_))));
        client.execute(&Quit {}).await.unwrap();
        let end = loop {
            match events.next().await {
                Ok(event) => drop(event.decode(Event::decode).unwrap()),
                Err(end) => break end,
            }
        };
        assert!(matches!(end, ClientError::Closed), "{end}");
    });
}

#[test]
fn late_reply_is_dropped_when_a_qemu_was_stopped() {
    let Some(qemu) = Qemu::start(&[]) else {
        return;
    };
    let options = patient().with_out_of_band();
    let mut client = Client::connect_unix(qemu.socket(), options).unwrap();
    signal(qemu.id(), "-STOP");
    let begin = Instant::now();
    let soon = Duration::from_millis(200);
    let error = client.execute_within(&QueryStatus {}, soon).unwrap_err();
    assert!(
        matches!(&error, ClientError::Timeout { command, is_sent: true, .. } if command == "query-status"),
        "{error}"
    );
    assert!(begin.elapsed() >= soon);
    signal(qemu.id(), "-CONT");
    assert!(client.execute(&QueryBlock {}).unwrap().is_empty());
    assert_eq!(client.session().late_replies(), 1);
    // A command with the property `allow-oob`, on a connection that enabled it.
    assert!(client.session().is_out_of_band());
    let yank = Yank {
        instances: Vec::new(),
    };
    client.execute_out_of_band(&yank).unwrap();
    let error = client.execute_out_of_band(&QueryStatus {}).unwrap_err();
    assert!(matches!(error, ClientError::NotOutOfBand { .. }), "{error}");
}

#[test]
fn refusal_is_typed_when_a_qemu_refuses() {
    let Some(qemu) = Qemu::start(&[]) else {
        return;
    };
    let mut client = Client::connect_unix(qemu.socket(), patient()).unwrap();
    let id = "nosuch".to_owned();
    let error = client.execute(&DeviceDel { id }).unwrap_err();
    let refusal = error.refusal().unwrap();
    assert_eq!(refusal.class().name(), "DeviceNotFound");
    assert_eq!(refusal.desc(), "Device 'nosuch' not found");
    assert!(!client.execute(&QueryStatus {}).unwrap().running);

    // QEMU serves one client at a time on a socket.
    let soon = patient().with_timeout(Duration::from_millis(200));
    let error = Client::connect_unix(qemu.socket(), soon).unwrap_err();
    assert!(matches!(error, ClientError::NoGreeting), "{error}");
    drop(client);
    Client::connect_unix(qemu.socket(), patient()).unwrap();
}
