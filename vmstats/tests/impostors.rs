//! Servers that greet late, answer wrongly or are no monitor at all: the client
//! finds its own reply, or says what the server is and what to do.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::stats::commands::QueryStats;
use qapi_stats::stats::{StatsFilter, StatsFilterBranch};
use qapi_stats::wire::to_json;
use serde_json::Value;
use vmstats::client::{Client, ClientError};
use vmstats::endpoint::Endpoint;

/// What a server does, one after the other.
#[derive(Clone, Copy)]
enum Step {
    /// Sends a text, in which `$ID` is the id of the last request.
    Send(&'static str),
    /// Sends bytes.
    SendBytes(&'static [u8]),
    /// Sends a text many times.
    Repeat(usize, &'static str),
    /// Waits for a request.
    Await,
    /// Waits for the end of the connection.
    Stay,
}

use Step::{Await, Repeat, Send, SendBytes, Stay};

const GREETING: Step = Send(
    "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 1, \"major\": 4}, \
     \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n",
);
const EMPTY: Step = Send("{\"return\": {}, \"id\": $ID}\r\n");
const STATS: Step = Send("{\"return\": [{\"provider\": \"kvm\", \"stats\": []}], \"id\": $ID}\r\n");
const EVENT: &str =
    "{\"timestamp\": {\"seconds\": 1, \"microseconds\": 2}, \"event\": \"STOP\"}\r\n";
const FOREIGN: Step = Send("{\"return\": {}, \"id\": \"vmstats-1\"}\r\n");

/// Makes a server that does these steps for one client, and asks it.
fn ask(steps: &[Step], timeout: Duration) -> Result<String, ClientError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = UnixListener::bind(&path).unwrap();
    let steps = steps.to_vec();
    let server = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        // The client may leave at any step.
        let _ = serve(&stream, &steps);
    });
    let outcome = query(&path, timeout);
    server.join().unwrap();
    outcome
}

fn serve(stream: &UnixStream, steps: &[Step]) -> std::io::Result<()> {
    let mut out = stream;
    let mut lines = BufReader::new(stream);
    let mut id = String::new();
    for step in steps {
        match step {
            Send(text) => out.write_all(text.replace("$ID", &id).as_bytes())?,
            SendBytes(bytes) => out.write_all(bytes)?,
            Repeat(times, text) => out.write_all(text.repeat(*times).as_bytes())?,
            Await => {
                let mut line = String::new();
                lines.read_line(&mut line)?;
                let request: Value = serde_json::from_str(&line)?;
                id = request["id"].to_string();
            }
            Stay => while lines.read(&mut [0; 100])? > 0 {},
        }
    }
    Ok(())
}

fn query(path: &Path, timeout: Duration) -> Result<String, ClientError> {
    let mut client = Client::connect(&Endpoint::Unix(path.to_owned()), timeout)?;
    let request = QueryStats(StatsFilter {
        target: StatsFilterBranch::Vm,
        providers: None,
    });
    client.execute(&request)?;
    let reply = client.execute_raw(&request)?;
    Ok(to_json(&reply.value()))
}

/// Checks the answer of a server that is asked twice after the negotiation.
fn check(name: &str, steps: &[Step]) {
    let reply =
        ask(steps, Duration::from_secs(10)).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(reply, "[{\"provider\": \"kvm\", \"stats\": []}]", "{name}");
}

fn check_error(name: &str, steps: &[Step], expected: &str) {
    let error = ask(steps, Duration::from_millis(500))
        .unwrap_err()
        .to_string();
    assert!(error.contains(expected), "{name}: {error}");
    // Neither `{:?}` of a text nor of an error.
    for debug in ["\\\"", "Some(", "Error {", "kind:"] {
        assert!(!error.contains(debug), "{name}: {error}");
    }
}

#[test]
fn reply_is_found_whatever_else_the_server_sends() {
    let usual = [GREETING, Await, EMPTY, Await, STATS, Await, STATS];
    check("usual", &usual);
    let after = |before: &[Step]| [before, &usual].concat();
    check("event first", &after(&[Send(EVENT)]));
    check("reply of another first", &after(&[FOREIGN, FOREIGN]));
    check(
        "error of another first",
        &after(&[Send(
            "{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}\r\n",
        )]),
    );
    check("rest of a reply first", &after(&[Send("1}]}]}\r\n")]));
    check(
        "rest of a string first",
        &after(&[Send("a\", \"b\": \"c\"}]}\r\n")]),
    );
    check("blank lines first", &after(&[Send("\r\n\r\n")]));
    check(
        "telnet",
        &after(&[SendBytes(
            b"\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00",
        )]),
    );
    check(
        "foreign replies between",
        &[
            GREETING,
            FOREIGN,
            Await,
            FOREIGN,
            Send("{\"return\": {}}\r\n"),
            EMPTY,
            FOREIGN,
            Await,
            Send("{\"return\": []}\r\n"),
            FOREIGN,
            STATS,
            FOREIGN,
            Await,
            Send("{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}\r\n"),
            Send("{\"return\": [], \"id\": {\"a\": [1]}}\r\n"),
            STATS,
        ],
    );
    check(
        "flood of events",
        &[
            GREETING,
            Await,
            Repeat(5000, EVENT),
            EMPTY,
            Await,
            Repeat(5000, EVENT),
            STATS,
            Await,
            STATS,
        ],
    );
    let lines = [
        "{'QMP': {'version': {'qemu': {'micro': 0, 'minor': 1, 'major': 4}, 'package': ''}}}",
        "{\n    \"QMP\": {\n        \"version\": {\"qemu\": {\"micro\": 0, \"minor\": 6, \
         \"major\": 0}, \"package\": \"\"}}\n}\n",
    ];
    for greeting in lines {
        check(greeting, &[&[Send(greeting)], &usual[1..]].concat());
    }
}

#[test]
fn error_says_what_the_server_is_when_it_is_not_a_monitor() {
    for (name, opening, expected) in [
        (
            "HTTP",
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "it is a web server",
        ),
        ("SSH", "SSH-2.0-OpenSSH_9.2p1\r\n", "it is an SSH server"),
        ("VNC", "RFB 003.008\n", "it is a VNC server"),
        ("NBD", "NBDMAGICIHAVEOPT", "it is an NBD server"),
        ("TLS", "\x15\x03\x01\0\x02\x02\x46", "write tls:HOST:PORT"),
        (
            "a human monitor",
            "QEMU 7.2.22 monitor - type 'help'\r\n(qemu) ",
            "shell --hmp",
        ),
        (
            "a serial port",
            "Debian GNU/Linux 12 host ttyS0\r\n\r\nhost login: ",
            "it begins with 'Debian GNU",
        ),
        ("escapes", "\x1b[2J", "it begins with '\\u{1b}[2J'"),
        ("a guest agent", "{\"return\": {}}\n", "like a guest agent"),
        (
            "no version",
            "{\"QMP\": {}}\r\n",
            "'QMP.version' is missing",
        ),
        (
            "wrong version",
            "{\"QMP\": {\"version\": \"1.0\"}}\r\n",
            "the greeting: ",
        ),
        (
            "half a greeting",
            "{\"QMP\": {\"vers",
            "the greeting is not complete",
        ),
    ] {
        check_error(name, &[Send(opening), Stay], expected);
        check_error(name, &[Send(opening)], expected);
    }
    check_error(
        "nothing",
        &[Stay],
        "accepts the connection but sends no greeting, like the socket of a guest agent",
    );
    check_error("the end", &[], "closed the connection without a greeting");
}

#[test]
fn error_says_what_is_wrong_when_the_reply_is() {
    let ask = |answer: &'static str, expected: &str| {
        let steps = [GREETING, Await, EMPTY, Await, Send(answer), Stay];
        check_error(answer, &steps, expected);
    };
    ask("", "no answer in time");
    ask("{\"return\": []}\r\n", "lack the requests' ids");
    ask(
        "{\"error\": {\"class\": \"GenericError\", \"desc\": \"x\"}}\r\n",
        "an error without an id: x",
    );
    ask(
        "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"x\"}, \"id\": $ID}\r\n",
        "query-stats came with QEMU 7.1, and this is 4.1.0",
    );
    ask(
        "{\"return\": {}, \"id\": $ID}\r\n",
        "the reply to query-stats: ",
    );
    ask("{\"error\": \"x\", \"id\": $ID}\r\n", "not a QMP server: ");
    ask("nonsense\r\n", "not a QMP server: ");
    let closing = [GREETING, Await, EMPTY, Await, Send("{\"return\": [{\"prov")];
    check_error("half a reply", &closing, "the server closed the connection");
    let refusing = [
        GREETING,
        Await,
        Send("{\"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}, \"id\": $ID}\r\n"),
        Stay,
    ];
    check_error("no negotiation", &refusing, "the server refuses: no");
}

#[test]
fn error_says_that_another_client_is_served_when_one_is() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["socket", &"long".repeat(40)] {
        // A listener's path is short, so take the long way to it.
        let path = folder.path().join(name);
        let bound = folder.path().join("bound");
        let listener = UnixListener::bind(&bound).unwrap();
        std::fs::rename(&bound, &path).unwrap();
        let timeout = Duration::from_millis(100);
        let error = query(&path, timeout).unwrap_err().to_string();
        assert!(error.contains("does not accept the connection"), "{error}");
        // The first client has left the queue when it is accepted.
        let (first, _) = listener.accept().unwrap();
        drop(first);
        let other = UnixStream::connect(&bound).or_else(|_| UnixStream::connect(&path));
        let Ok(other) = other else { continue };
        let served = listener.accept().unwrap();
        let error = query(&path, timeout).unwrap_err().to_string();
        assert!(
            error.contains("another one, such as libvirt, is connected; give the VM a second")
                && error.contains("-qmp unix:PATH"),
            "{error}"
        );
        assert!(
            error.contains(&format!("process {}", std::process::id())),
            "{error}"
        );
        drop((other, served));
    }
}

#[test]
fn timeout_of_any_length_is_kept() {
    let usual = [GREETING, Await, EMPTY, Await, STATS, Await, STATS];
    ask(&usual, Duration::MAX).unwrap();
    let begin = Instant::now();
    for timeout in [Duration::ZERO, Duration::from_nanos(1)] {
        assert!(ask(&[Stay], timeout).is_err());
    }
    assert!(begin.elapsed() < Duration::from_secs(5));
}
