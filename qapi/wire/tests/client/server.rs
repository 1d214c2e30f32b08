//! A server that does what a script says.
//!
//! In: steps. Out: bytes on any stream, with the ids of the client's requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::thread;
use std::time::Duration;

use qapi_wire::client::ClientError;
use serde_json::Value;

pub(crate) const GREETING: &str = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 22, \"minor\": 2, \
                            \"major\": 7}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n";
pub(crate) const EMPTY: &str = "{\"return\": {}, \"id\": $0}\r\n";
pub(crate) const SIZES: &str = "{\"return\": [7, 8], \"id\": $0}\r\n";

/// A step of a server.
#[derive(Clone)]
pub(crate) enum Step {
    /// Sends a text. `$0` is the id of the last request, `$1` that of the one before.
    Send(&'static str),
    /// Sends a text many times.
    Repeat(usize, &'static str),
    /// Waits for a request that executes this command.
    Await(&'static str),
    Sleep(Duration),
    /// Reads until the client ends the connection.
    Stay,
}

pub(crate) use Step::{Await, Repeat, Send, Sleep, Stay};

/// Returns the steps of a server that negotiates, and then does `steps`.
pub(crate) fn negotiated(steps: &[Step]) -> Vec<Step> {
    let head = [Send(GREETING), Await("qmp_capabilities"), Send(EMPTY)];
    [&head, steps].concat()
}

/// Returns the beginnings of a server's steps, at each of which it closes the
/// connection, and the error of a client that makes one call; `None` if it succeeds.
pub(crate) fn closing() -> impl Iterator<Item = (Vec<Step>, Option<&'static str>)> {
    let steps = negotiated(&[Await("sizes"), Send(SIZES)]);
    (0..=steps.len()).map(move |count| {
        let expected = match count {
            0 => Some("closed the connection without a greeting"),
            1..=4 => Some("the server closed the connection; connect again"),
            _ => None,
        };
        (steps[..count].to_vec(), expected)
    })
}

/// Checks the outcome of a client whose server closed the connection after so many
/// steps.
pub(crate) fn check_closed(
    count: usize,
    expected: Option<&str>,
    outcome: Result<Vec<i64>, ClientError>,
) {
    let Some(expected) = expected else {
        assert_eq!(outcome.unwrap(), [7, 8]);
        return;
    };
    let error = outcome.unwrap_err();
    assert!(error.to_string().contains(expected), "{count}: {error}");
    assert!(error.is_fatal());
}

/// Does the steps on another thread. Ends early if the client leaves.
pub(crate) fn serve<R, W>(reader: R, mut writer: W, steps: Vec<Step>)
where
    R: Read + std::marker::Send + 'static,
    W: Write + std::marker::Send + 'static,
{
    thread::spawn(move || {
        let mut lines = BufReader::new(reader);
        let mut ids = Vec::new();
        for step in steps {
            if run(&step, &mut lines, &mut writer, &mut ids).is_err() {
                return;
            }
        }
    });
}

fn run(
    step: &Step,
    lines: &mut impl BufRead,
    writer: &mut impl Write,
    ids: &mut Vec<String>,
) -> std::io::Result<()> {
    match step {
        Send(text) => writer.write_all(fill(text, ids).as_bytes())?,
        Repeat(times, text) => writer.write_all(fill(text, ids).repeat(*times).as_bytes())?,
        Await(command) => {
            let mut line = String::new();
            if lines.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let request: Value = serde_json::from_str(&line).unwrap();
            let executed = request.get("execute").or(request.get("exec-oob"));
            assert_eq!(executed.unwrap(), command, "{request}");
            ids.insert(0, request["id"].to_string());
        }
        Sleep(time) => thread::sleep(*time),
        Stay => {
            std::io::copy(lines, &mut std::io::sink())?;
        }
    }
    writer.flush()
}

/// Puts the ids of requests into a text.
pub(crate) fn fill(text: &str, ids: &[String]) -> String {
    let mut text = text.to_owned();
    for (index, id) in ids.iter().enumerate().take(10) {
        text = text.replace(&format!("${index}"), id);
    }
    text
}
