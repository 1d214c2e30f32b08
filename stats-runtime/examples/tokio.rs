//! A monitor in a task of tokio, which alone may change the machine.

use std::io;
use std::time::Duration;

use stats_runtime::host::Change;
use stats_runtime::server::{Listener, Options, Polled};
use stats_runtime::{Monitor, NoHost, Registry};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The VMM's state, which the task owns.
#[derive(Default)]
pub(crate) struct Vmm {
    is_paused: bool,
    has_ended: bool,
}

/// Serves the monitor until a client ends the VMM.
pub(crate) async fn run(mut vmm: Vmm, server: Polled) -> io::Result<()> {
    #[allow(deprecated, reason = "its successor needs `unsafe`")]
    let mut server = AsyncFd::with_interest(server, Interest::READABLE)?;
    while !vmm.has_ended {
        let mut ready = server.readable_mut().await?;
        for command in ready.get_inner_mut().turn()? {
            match command.name() {
                "stop" => vmm.is_paused = true,
                "cont" => vmm.is_paused = false,
                _ => vmm.has_ended = true,
            }
            command.finish(Ok(Change::Made));
        }
        // Wait for news only if no work is left, because tokio reports news once.
        if ready.get_inner().is_idle() {
            ready.clear_ready();
        }
        tokio::task::yield_now().await; // let other tasks run before the next turn
    }
    server.into_inner().drain(Duration::from_secs(1))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("where to listen?")?;
    let monitor = Monitor::new(Registry::default(), NoHost).with_control(true);
    let listener = Listener::unix(path.as_ref())?;
    let server = Polled::new(monitor, [listener], Options::new())?;
    Ok(run(Vmm::default(), server.hand_over(["stop", "cont", "quit"])).await?)
}
