//! The time from emitting an event until a waiting client has read it.
//!
//! In: a server with two clients, one of which polls in a loop. Out: a
//! comparison with a bare write to a socket whose reader waits, and the slowest
//! event.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::run_state::events::Resume;
use stats_runtime::server::{Listener, Options, Server};
use stats_runtime::{Monitor, NoHost, Registry};

use super::report::Report;
use super::request::Client;
use crate::tools::{Failure, text};

/// The number of events.
const EVENTS: usize = 500;

/// The time between events, in which the reader starts to wait again.
const PAUSE: Duration = Duration::from_millis(2);

/// The longest time that an event may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Measures events and bare writes in turns.
pub(super) fn run(report: &mut Report) -> Result<(), Failure> {
    let folder = tempfile::tempdir().map_err(text)?;
    let path = folder.path().join("qmp");
    let listener = Listener::unix(&path).map_err(text)?;
    let monitor = Monitor::new(Registry::new(), NoHost);
    let server = Server::start(monitor.clone(), [listener], Options::new()).map_err(text)?;

    let client = || Client::negotiated(UnixStream::connect(&path).map_err(text)?);
    let mut waiting = client()?;
    let events = on_each_read(move || waiting.line().is_ok());
    let (mut writer, mut reader) = UnixStream::pair().map_err(text)?;
    let writes = on_each_read(move || reader.read(&mut [0; 64]).is_ok_and(|count| count > 0));

    let is_over = Arc::new(AtomicBool::new(false));
    let mut polling = client()?;
    let poll_until = Arc::clone(&is_over);
    let poller = thread::spawn(move || {
        while !poll_until.load(Ordering::Relaxed)
            && polling.ask("{\"execute\": \"query-status\"}\n").is_ok()
        {}
    });
    let mut turns = Vec::new();
    for _ in 0..EVENTS {
        let emit = || {
            monitor.emit(&Resume {});
            Ok(())
        };
        let write = || writer.write_all(b"event\n").map_err(text);
        turns.push([until_read(&events, emit)?, until_read(&writes, write)?]);
    }
    is_over.store(true, Ordering::Relaxed);
    let _ = poller.join();
    drop(server);

    let slowest_ns = turns.iter().map(|[ours, _]| *ours).fold(0.0, f64::max);
    report.count("event, the slowest, in ms", None, slowest_ns / 1e6);
    report.compare(
        "event, until it is read",
        None,
        "bare write to a socket",
        &turns,
    );
    Ok(())
}

/// Starts a thread that reads in a loop, and returns the time after each read.
fn on_each_read(mut read: impl FnMut() -> bool + Send + 'static) -> Receiver<Instant> {
    let (sender, receiver): (Sender<Instant>, _) = channel();
    thread::spawn(move || while read() && sender.send(Instant::now()).is_ok() {});
    receiver
}

/// Returns the nanoseconds from `send` until the reader has read.
fn until_read(
    reads: &Receiver<Instant>,
    send: impl FnOnce() -> Result<(), Failure>,
) -> Result<f64, Failure> {
    thread::sleep(PAUSE);
    let begin = Instant::now();
    send()?;
    let end = reads.recv_timeout(PATIENCE);
    let end = end.map_err(|_| "an event did not arrive".to_owned())?;
    Ok(end.duration_since(begin).as_secs_f64() * 1e9)
}
