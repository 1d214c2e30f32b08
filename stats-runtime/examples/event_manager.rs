//! A monitor in the loop of rust-vmm's event-manager.

use std::time::Duration;

use event_manager::{EventManager, EventOps, EventSet, Events, MutEventSubscriber, SubscriberOps};
use stats_runtime::host::Change;
use stats_runtime::server::{Listener, Options, Polled};
use stats_runtime::{Monitor, NoHost, Registry};

/// The monitor, with the part of the VMM that its clients may change.
pub(crate) struct Qmp {
    pub(crate) server: Polled,
    pub(crate) is_paused: bool,
    pub(crate) has_ended: bool,
}

impl MutEventSubscriber for Qmp {
    fn init(&mut self, ops: &mut EventOps) {
        if let Err(error) = ops.add(Events::new(&self.server, EventSet::IN)) {
            eprintln!("the monitor serves nobody: {error}");
        }
    }

    fn process(&mut self, _: Events, _: &mut EventOps) {
        let Ok(commands) = self.server.turn() else {
            self.has_ended = true;
            return;
        };
        for command in commands {
            match command.name() {
                "stop" => self.is_paused = true,
                "cont" => self.is_paused = false,
                _ => self.has_ended = true,
            }
            command.finish(Ok(Change::Made));
        }
    }
}

/// Runs the VMM until a client ends it.
pub(crate) fn run(qmp: Qmp) -> Result<(), Box<dyn std::error::Error>> {
    let mut manager = EventManager::new()?;
    let id = manager.add_subscriber(qmp);
    while !manager.subscriber_mut(id)?.has_ended {
        manager.run()?;
    }
    let qmp = manager.remove_subscriber(id)?;
    Ok(qmp.server.drain(Duration::from_secs(1))?)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("where to listen?")?;
    let monitor = Monitor::new(Registry::default(), NoHost).with_control(true);
    let listener = Listener::unix(path.as_ref())?;
    let server = Polled::new(monitor, [listener], Options::new())?;
    run(Qmp {
        server: server.hand_over(["stop", "cont", "quit"]),
        is_paused: false,
        has_ended: false,
    })
}
