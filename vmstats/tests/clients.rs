//! Clients that others wrote, asking our monitor: qemu.qmp's library and its
//! shell, and the registry's crate `qapi`. And our client, asking a QEMU that other
//! clients leave.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;

use std::ffi::OsString;
use std::io::{BufReader, ErrorKind, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use program::{Qemu, RawClient, Server};
use qapi_client::qmp;
use qapi_stats::run_state::commands::QueryStatus;
use qapi_stats::stats::commands::QueryStats;
use qapi_stats::stats::{StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest};
use serde_json::Value;
use vmstats::client::{Client, ClientError};
use vmstats::endpoint::Endpoint;

/// A Python that has qemu.qmp: that of the variable `QEMU_QMP_PYTHON`, or the
/// system's. `None`, with the reason printed, if there is none.
fn python() -> Option<OsString> {
    let python = std::env::var_os("QEMU_QMP_PYTHON").unwrap_or_else(|| "python3".into());
    let found = Command::new(&python)
        .args(["-c", "import qemu.qmp"])
        .stderr(Stdio::null())
        .status();
    if found.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    skip::because("qemu.qmp is not installed");
    None
}

fn stat<'a>(result: &'a Value, name: &str) -> &'a Value {
    let stats = result["stats"].as_array().unwrap();
    let stat = stats.iter().find(|stat| stat["name"] == name);
    &stat.unwrap_or_else(|| panic!("{name}: {result}"))["value"]
}

#[test]
fn qemu_qmp_reads_every_answer() {
    let (Some(python), Some(server)) = (python(), Server::demo(&[])) else {
        return;
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/library.py");
    let output = Command::new(python)
        .arg(script)
        .arg(&server.socket)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", program::stderr(&output));
    let answers: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers["greeting"]["version"], answers["version"]);
    assert_eq!(answers["greeting"]["capabilities"][0], "oob");
    let names = |member: &str| -> Vec<&str> {
        let entries = answers[member].as_array().unwrap().iter();
        entries.filter_map(|entry| entry["name"].as_str()).collect()
    };
    let commands = names("commands");
    for command in ["query-stats", "query-stats-schemas", "query-qmp-schema"] {
        assert!(commands.contains(&command), "{commands:?}");
        assert!(names("schema").contains(&command));
    }
    assert_eq!(answers["vm"].as_array().unwrap().len(), 1);
    assert!(stat(&answers["vm"][0], "remote_tlb_flush").is_u64());
    assert_eq!(answers["vcpu"].as_array().unwrap().len(), 2);
    assert!(stat(&answers["vcpu"][0], "exits").as_u64() > Some(0));
    let schemas = answers["schemas"].as_array().unwrap();
    assert_eq!(schemas.len(), 2);
    assert_eq!(schemas[0]["target"], "vcpu");
    let human = answers["human"].as_str().unwrap();
    assert!(human.starts_with("provider: kvm\r\n    "), "{human}");
    assert_eq!(
        answers["refusal"],
        serde_json::json!([
            "GenericError",
            "Parameter 'target' does not accept value 'xyz'"
        ])
    );
    assert_eq!(
        answers["not found"],
        serde_json::json!(["CommandNotFound", "The command nosuch has not been found"])
    );
}

/// What qemu.qmp's shell prints if these lines are typed.
fn qmp_shell(python: &OsString, socket: &str, options: &[&str], lines: &str) -> String {
    let home = tempfile::tempdir().unwrap();
    let mut child = Command::new(python)
        .args(["-c", "from qemu.qmp.qmp_shell import main; main()", socket])
        .args(options)
        // Its history is kept there.
        .env("HOME", home.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(lines.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    program::stdout(&output)
}

#[test]
fn qemu_qmps_shell_prints_answers() {
    let (Some(python), Some(server)) = (python(), Server::demo(&[])) else {
        return;
    };
    let text = qmp_shell(
        &python,
        &server.socket,
        &[],
        "query-name\nquery-stats target=vm\nquery-stats target=x\n",
    );
    for expected in [
        "Connected to QEMU 10.2.0",
        "{\"return\": {\"name\": \"tried\"}}",
        "\"provider\": \"kvm\"",
        "Parameter 'target' does not accept value 'x'",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    let text = qmp_shell(
        &python,
        &server.socket,
        &["--hmp"],
        "info stats vcpu exits\n",
    );
    assert!(text.contains("    exits (cumulative): "), "{text}");
}

/// `query-stats` with arguments written by hand: the crate's filter of a VM
/// sends what no monitor takes.
#[derive(serde::Serialize)]
#[serde(transparent)]
struct Untyped<A>(A);

impl<A: serde::Serialize + Send + Sync> qapi_client::Command for Untyped<A> {
    const NAME: &'static str = "query-stats";
    const ALLOW_OOB: bool = false;

    type Ok = Vec<qmp::StatsResult>;
}

fn is_scalar(result: &qmp::StatsResult, name: &str) -> bool {
    let stat = result.stats.iter().find(|stat| stat.name == name);
    matches!(stat.unwrap().value, qmp::StatsValue::scalar(_))
}

#[test]
fn crate_qapi_reads_every_answer() {
    let Some(server) = Server::demo(&[]) else {
        return;
    };
    let stream = UnixStream::connect(&server.socket).unwrap();
    let reader = BufReader::new(stream.try_clone().unwrap());
    let mut client = qapi_client::Qmp::new(qapi_client::Stream::new(reader, stream));

    let greeting = client.handshake().unwrap();
    let version = client.execute(&qmp::query_version {}).unwrap();
    assert_eq!(
        serde_json::to_value(&greeting.version).unwrap(),
        serde_json::to_value(&version).unwrap()
    );
    client.nop().unwrap();
    let name = client.execute(&qmp::query_name {}).unwrap();
    assert_eq!(name.name.as_deref(), Some("tried"));
    let commands = client.execute(&qmp::query_commands {}).unwrap();
    assert!(commands.iter().any(|info| info.name == "query-stats"));
    let schemas = client
        .execute(&qmp::query_stats_schemas { provider: None })
        .unwrap();
    assert_eq!(schemas.len(), 2);
    let exits = schemas[0].stats.iter().find(|stat| stat.name == "exits");
    assert!(matches!(exits.unwrap().type_, qmp::StatsType::cumulative));
    let vcpus = vec!["/machine/unattached/device[1]".to_owned()];
    let filter = qmp::StatsFilter::vcpu {
        providers: None,
        vcpu: vcpus.into(),
    };
    let vcpu = client.execute(&qmp::query_stats(filter)).unwrap();
    assert_eq!(vcpu.len(), 1);
    assert!(is_scalar(&vcpu[0], "exits"));
    let vm = client
        .execute(&Untyped(serde_json::json!({"target": "vm"})))
        .unwrap();
    assert!(is_scalar(&vm[0], "remote_tlb_flush"));
    let human = client
        .execute(&qmp::human_monitor_command {
            cpu_index: Some(1),
            command_line: "info stats vcpu exits".to_owned(),
        })
        .unwrap();
    assert!(human.contains("    exits (cumulative): "), "{human}");
    let refusal = client
        .execute(&qmp::human_monitor_command {
            cpu_index: Some(2),
            command_line: String::new(),
        })
        .unwrap_err();
    assert!(
        refusal.to_string().contains("expects a CPU number"),
        "{refusal}"
    );
}

/// QEMU 7.2 hands replies that a client has not read to the next client.
#[test]
fn every_query_gets_its_own_answer_while_clients_leave_a_qemu() {
    let folder = tempfile::tempdir().unwrap();
    let Some(qemu) = Qemu::start(folder.path(), &[]) else {
        return;
    };
    let endpoint = Endpoint::Unix(qemu.socket.clone().into());
    let request = QueryStats(StatsFilter {
        target: StatsFilterBranch::Vm,
        providers: Some(vec![StatsRequest {
            provider: StatsProvider::Kvm,
            names: Some(vec!["pages_4k".to_owned()]),
        }]),
    });
    for turn in 0..200 {
        let mut leaving = RawClient::connect(&qemu.socket);
        let answer = thread::scope(|scope| {
            let answer = scope.spawn(|| {
                let mut client = Client::connect(&endpoint, Duration::from_secs(20))?;
                client.execute(&request)
            });
            // The query waits in the queue of the socket by then.
            thread::sleep(Duration::from_millis(2));
            leaving.send(&"{'execute': 'stop'}{'execute': 'cont'}".repeat(64));
            thread::sleep(Duration::from_micros(turn % 40 * 100));
            drop(leaving);
            answer.join().unwrap()
        });
        let results = answer.unwrap_or_else(|error| panic!("query {turn}: {error}"));
        let names = results.iter().flat_map(|result| &result.stats);
        let names: Vec<&str> = names.map(|stat| stat.name.as_str()).collect();
        assert_eq!(names, ["pages_4k"], "query {turn}");
    }
}

#[test]
fn qemu_is_reached_at_every_kind_of_address() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("x".repeat(100));
    std::fs::create_dir(&long).unwrap();
    // QEMU does not tell which ports it chose, so choose free ones.
    let listeners = [(), ()].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [telnet, tcp] = listeners.map(|listener| listener.local_addr().unwrap().port());
    let name = format!("vmstats-test-{}", std::process::id());
    let chardev = format!("socket,id=a,path={name},abstract=on,server=on,wait=off");
    let telnet_monitor = format!("telnet:127.0.0.1:{telnet},server=on,wait=off");
    let tcp_monitor = format!("tcp::{tcp},server=on,wait=off");
    let child = Command::new("qemu-system-x86_64")
        .args(["-machine", "none", "-nodefaults", "-display", "none"])
        .args(["-chardev", &chardev, "-mon", "chardev=a,mode=control"])
        .args(["-qmp", &telnet_monitor, "-qmp", &tcp_monitor])
        .args(["-qmp", "unix:q.sock,server=on,wait=off"])
        .current_dir(&long)
        .stdin(Stdio::null())
        .spawn();
    let _qemu = match child {
        Ok(child) => program::Running(child),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return skip::because("QEMU is not installed");
        }
        Err(error) => panic!("QEMU does not start: {error}"),
    };
    for address in [
        format!("{}/q.sock", long.display()),
        format!("unix:{}/q.sock,server=on,wait=off", long.display()),
        format!("@{name}"),
        format!("unix:{name},abstract=on,server=on"),
        format!("telnet:127.0.0.1:{telnet}"),
        format!("tcp:127.0.0.1:{telnet}"),
        format!("tcp::{tcp},server=on,wait=off"),
        format!("localhost:{tcp}"),
    ] {
        let endpoint: Endpoint = address.parse().unwrap();
        let begin = Instant::now();
        let mut client = loop {
            match Client::connect(&endpoint, Duration::from_secs(10)) {
                Ok(client) => break client,
                Err(ClientError::Connect(..)) if begin.elapsed() < Duration::from_secs(20) => {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(error) => panic!("{address}: {error}"),
            }
        };
        client.execute(&QueryStatus {}).unwrap();
    }
}
