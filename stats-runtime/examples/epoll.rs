//! A monitor in a VMM's own epoll loop, which alone may change the machine.

use std::io;
use std::time::Duration;

use rustix::event::epoll::{self, Event, EventData, EventFlags};
use stats_runtime::host::Change;
use stats_runtime::server::{Listener, Options, Polled};
use stats_runtime::{Monitor, NoHost, Registry};

/// The VMM's state, which the loop owns.
#[derive(Default)]
pub(crate) struct Vmm {
    is_paused: bool,
    has_ended: bool,
}

/// The number by which the loop knows the monitor's descriptor.
const MONITOR: u64 = 1;

/// Runs the VMM until a client ends it.
pub(crate) fn run(mut vmm: Vmm, mut server: Polled) -> io::Result<()> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, &server, EventData::new_u64(MONITOR), EventFlags::IN)?;
    let (flags, data) = (EventFlags::empty(), EventData::new_u64(0));
    let mut events = [Event { flags, data }; 8];
    while !vmm.has_ended {
        let count = rustix::io::retry_on_intr(|| epoll::wait(&epoll, &mut events, None))?;
        for event in events.iter().take(count) {
            if event.data.u64() != MONITOR {
                continue; // one of the VMM's devices
            }
            for command in server.turn()? {
                match command.name() {
                    "stop" => vmm.is_paused = true,
                    "cont" => vmm.is_paused = false,
                    _ => vmm.has_ended = true,
                }
                command.finish(Ok(Change::Made));
            }
        }
    }
    server.drain(Duration::from_secs(1))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("where to listen?")?;
    let monitor = Monitor::new(Registry::default(), NoHost).with_control(true);
    let listener = Listener::unix(path.as_ref())?;
    let server = Polled::new(monitor, [listener], Options::new())?;
    Ok(run(
        Vmm::default(),
        server.hand_over(["stop", "cont", "quit"]),
    )?)
}
