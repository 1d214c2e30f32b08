//! A monitor in plain threads: one reads a client's socket, one answers it.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, mpsc};
use std::{net, thread, time::Duration, time::Instant};

use stats_runtime::qmp::{Limits, Session};
use stats_runtime::server::bind_private;
use stats_runtime::{Monitor, NoHost, Registry};

/// Serves one client.
pub(crate) fn serve(stream: &UnixStream, monitor: &Monitor) -> io::Result<()> {
    // `Some` carries bytes of the client, empty at the end; `None` announces
    // events. The channel is short, so that a client which sends faster than it
    // is answered fills it and then its socket.
    let (news, inbox) = mpsc::sync_channel(4);
    let wake = news.clone();
    // A full channel has news already, which wakes the receiver as well.
    let events = monitor.subscribe(move || drop(wake.try_send(None)));
    let mut session = Session::new(&monitor.host().version(), Limits::default());
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = (&*stream).read(&mut buffer).unwrap_or(0);
                let bytes = buffer.get(..count).unwrap_or_default().to_vec();
                if news.send(Some(bytes)).is_err() || count == 0 {
                    return;
                }
            }
        });
        let outcome = loop {
            events.run(&mut session, monitor, &monitor.context());
            let bytes = session.output().len();
            let sent = (&*stream).write_all(session.output());
            session.sent(bytes);
            if sent.is_err() || session.is_over() {
                break sent;
            } else if bytes > 0 {
                continue; // there is room for the answers to what waits
            }
            let left = |at: Instant| at.saturating_duration_since(Instant::now());
            match inbox.recv_timeout(events.next_deadline().map_or(Duration::MAX, left)) {
                Ok(Some(bytes)) if bytes.is_empty() => session.end_of_input(),
                Ok(Some(bytes)) => session.receive(&bytes),
                Ok(None) | Err(_) => {}
            }
        };
        drop(inbox); // with which the reader ends
        stream.shutdown(net::Shutdown::Both).and(outcome)
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("where to listen?")?;
    let monitor = Monitor::new(Arc::new(Registry::new()), Arc::new(NoHost));
    let (client, _) = bind_private(path.as_ref())?.accept()?;
    Ok(serve(&client, &monitor)?)
}
