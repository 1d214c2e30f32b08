//! A monitor in tokio: a task for each client, which executes its commands.

use std::future::pending;
use std::io;
use std::sync::Arc;

use stats_runtime::qmp::{Limits, Session};
use stats_runtime::server::bind_private;
use stats_runtime::{Monitor, NoHost, Registry};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Notify;

/// Serves one client.
pub(crate) async fn serve(mut stream: UnixStream, monitor: Monitor) -> io::Result<()> {
    let news = Arc::new(Notify::new());
    let wake = Arc::clone(&news);
    let events = monitor.subscribe(move || wake.notify_one());
    let mut session = Session::new(&monitor.host().version(), Limits::default());
    let mut buffer = [0; 4096];
    loop {
        events.run(&mut session, &monitor, &monitor.context());
        let bytes = session.output().len();
        stream.write_all(session.output()).await?;
        session.sent(bytes);
        if session.is_over() {
            return Ok(());
        }
        if bytes > 0 {
            continue; // there is room for the answers to what waits
        }
        let deadline = events.next_deadline();
        let late = async {
            match deadline {
                Some(at) => tokio::time::sleep_until(at.into()).await,
                None => pending().await,
            }
        };
        tokio::select! {
            count = stream.read(&mut buffer) => match count? {
                0 => session.end_of_input(),
                count => session.receive(buffer.get(..count).unwrap_or_default()),
            },
            () = news.notified() => {}
            () = late => {}
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("where to listen?")?;
    let monitor = Monitor::new(Arc::new(Registry::new()), Arc::new(NoHost));
    let listener = bind_private(path.as_ref())?;
    listener.set_nonblocking(true)?;
    let listener = UnixListener::from_std(listener)?;
    let (client, _) = listener.accept().await?;
    Ok(serve(client, monitor).await?)
}
