//! A monitor that a test plays.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::thread;

use serde_json::{Value, json};

/// The answer of a played monitor to a command.
pub(crate) enum Answer {
    Return(Value),
    Unknown,
    /// The connection breaks.
    End,
}

/// Plays a monitor. `answer` gets the number of the connection and the command.
pub(crate) fn play(path: &Path, mut answer: impl FnMut(usize, &str) -> Answer + Send + 'static) {
    let listener = UnixListener::bind(path).unwrap();
    thread::spawn(move || {
        for (run, stream) in listener.incoming().enumerate() {
            serve(BufReader::new(stream.unwrap()), |command| {
                answer(run, command)
            });
        }
    });
}

fn serve(mut stream: BufReader<UnixStream>, mut answer: impl FnMut(&str) -> Answer) {
    let greeting = json!({"QMP": {"version": {
        "qemu": {"major": 9, "minor": 0, "micro": 0}, "package": ""}, "capabilities": []}});
    // The other side may be killed at any moment.
    if writeln!(stream.get_mut(), "{greeting}").is_err() {
        return;
    }
    let mut line = String::new();
    while stream.read_line(&mut line).is_ok_and(|length| length > 0) {
        let request: Value = serde_json::from_str(&line).unwrap();
        line.clear();
        let id = request.get("id");
        let reply = match answer(request.get("execute").and_then(Value::as_str).unwrap()) {
            Answer::Return(value) => json!({"id": id, "return": value}),
            Answer::Unknown => {
                json!({"id": id, "error": {"class": "CommandNotFound", "desc": "?"}})
            }
            Answer::End => return,
        };
        if writeln!(stream.get_mut(), "{reply}").is_err() {
            return;
        }
    }
}
