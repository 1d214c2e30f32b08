//! Events, from where they are emitted to their clients' sessions.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::run_state::{self, GuestPanicAction, ShutdownCause};
use qapi_stats::wire::command::Event;
use qapi_stats::wire::{DecodeMembers, EncodeMembers, Error, Members, ObjectWriter};
use stats_runtime::host::Change;
use stats_runtime::qmp::{Limits, Session};
use stats_runtime::{EventLimit, Host, Monitor, NoHost, Registry, Subscription};

macro_rules! event {
    ($type:ident, $name:literal) => {
        struct $type {
            id: u64,
        }

        impl EncodeMembers for $type {
            fn encode_members(&self, out: &mut ObjectWriter<'_, '_>) {
                out.required("id", &self.id);
            }
        }

        impl DecodeMembers for $type {
            fn decode_members(members: &mut Members<'_>) -> Result<Self, Error> {
                let id = members.required("id")?;
                Ok(Self { id })
            }
        }

        impl Event for $type {
            const NAME: &'static str = $name;
            const HAS_DATA: bool = true;
            const FEATURES: &'static [&'static str] = &[];
        }
    };
}

event!(Moved, "MOVED");
event!(Watchdog, "WATCHDOG");
event!(Port, "VSERPORT_CHANGE");

/// A subscribed client that has negotiated.
struct Client {
    session: Session,
    subscription: Subscription,
    monitor: Monitor,
    woken: Arc<AtomicUsize>,
}

impl Client {
    fn new(monitor: &Monitor, limits: Limits) -> Self {
        let woken = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&woken);
        let mut client = Self {
            session: Session::new(&NoHost.version(), limits),
            subscription: monitor.subscribe(move || {
                counter.fetch_add(1, Ordering::Relaxed);
            }),
            monitor: monitor.clone(),
            woken,
        };
        client.read();
        client.send("{'execute': 'qmp_capabilities'}");
        assert_eq!(client.read(), ["{\"return\": {}}"]);
        client
    }

    fn send(&mut self, request: &str) {
        self.session.receive(request.as_bytes());
        let context = self.monitor.context();
        self.subscription
            .run(&mut self.session, &self.monitor, &context);
    }

    /// What has come, its events without their timestamps.
    fn read(&mut self) -> Vec<String> {
        self.subscription.deliver(&mut self.session);
        let output = str::from_utf8(self.session.output()).unwrap().to_owned();
        self.session.sent(output.len());
        let lines = output.lines();
        lines
            .map(|line| match line.split_once("}, \"event\"") {
                Some((_, event)) => format!("{{\"event\"{event}"),
                None => line.to_owned(),
            })
            .collect()
    }
}

fn monitor() -> Monitor {
    Monitor::new(Registry::new(), NoHost)
}

fn line(name: &str, id: u64) -> String {
    format!("{{\"event\": \"{name}\", \"data\": {{\"id\": {id}}}}}")
}

#[test]
fn client_gets_each_event_once_when_it_has_subscribed() {
    let monitor = monitor();
    let mut early = Client::new(&monitor, Limits::default());
    monitor.emit(&Moved { id: 1 });
    let mut late = Client::new(&monitor, Limits::default());
    assert!(late.read().is_empty());
    monitor.emit(&Moved { id: 2 });
    monitor.emit(&Moved { id: 3 });
    assert_eq!(
        early.woken.load(Ordering::Relaxed),
        1,
        "once until it is delivered"
    );
    assert_eq!(early.read(), [1, 2, 3].map(|id| line("MOVED", id)));
    assert_eq!(late.read(), [2, 3].map(|id| line("MOVED", id)));
    assert!(early.read().is_empty());
    assert_eq!(early.subscription.next_deadline(), None);
}

#[test]
fn client_never_gets_events_from_before_its_negotiation() {
    let monitor = monitor();
    let mut session = Session::new(&NoHost.version(), Limits::default());
    let subscription = monitor.subscribe(|| {});
    session.sent(session.output().len());
    monitor.emit(&Moved { id: 1 });
    session.receive(b"{'execute': 'qmp_capabilities'}");
    subscription.run(&mut session, &monitor, &monitor.context());
    subscription.deliver(&mut session);
    assert_eq!(session.output(), b"{\"return\": {}}\r\n");
}

#[test]
fn limited_event_goes_out_at_once_and_at_the_end_of_the_interval() {
    let monitor = monitor();
    monitor.limit_event("WATCHDOG", EventLimit::new(Duration::from_millis(300)));
    let mut client = Client::new(&monitor, Limits::default());
    let begin = Instant::now();
    for id in 1..=5 {
        monitor.emit(&Watchdog { id });
    }
    assert_eq!(client.read(), [line("WATCHDOG", 1)]);
    let deadline = client.subscription.next_deadline().unwrap();
    assert!(deadline >= begin + Duration::from_millis(300));
    // Others pass meanwhile.
    monitor.emit(&Moved { id: 6 });
    assert_eq!(client.read(), [line("MOVED", 6)]);
    thread::sleep(deadline.saturating_duration_since(Instant::now()));
    assert_eq!(client.read(), [line("WATCHDOG", 5)]);
    assert_eq!(client.subscription.next_deadline(), None);
    // The interval began anew: the next one waits again.
    monitor.emit(&Watchdog { id: 7 });
    assert!(client.read().is_empty());
    assert!(client.subscription.next_deadline().is_some());
}

/// QEMU's own limits, and one that is counted per port.
#[test]
fn limit_counts_each_value_when_it_names_a_member() {
    let monitor = monitor();
    let mut client = Client::new(&monitor, Limits::default());
    for id in [1, 1, 2, 2] {
        monitor.emit(&Port { id });
    }
    assert_eq!(client.read(), [1, 2].map(|id| line("VSERPORT_CHANGE", id)));
    monitor.limit_event("VSERPORT_CHANGE", EventLimit::new(Duration::ZERO));
    monitor.emit(&Port { id: 1 });
    assert_eq!(client.read(), [line("VSERPORT_CHANGE", 1)]);
}

/// Emits an event when a client says `quit`.
#[derive(Default)]
struct Teller(Mutex<Option<Monitor>>);

impl Host for Teller {
    fn quit(&self) -> Result<Change, Error> {
        if let Some(monitor) = &*self.0.lock().unwrap() {
            monitor.emit(&Moved { id: 1 });
            monitor.emit(&Moved { id: 2 });
        }
        Ok(Change::Made)
    }

    // Emits after `SHUTDOWN`.
    fn end(&self) {
        if let Some(monitor) = &*self.0.lock().unwrap() {
            monitor.emit(&Moved { id: 3 });
        }
    }
}

/// A VMM that emits the events of all changes itself, like one whose REST API
/// makes the same changes as its monitor.
#[derive(Default)]
struct TellsItself {
    monitor: Mutex<Option<Monitor>>,
    has_ended: AtomicBool,
}

impl TellsItself {
    fn emit<E: Event>(&self, event: &E) -> Result<Change, Error> {
        let monitor = self.monitor.lock().unwrap().clone();
        monitor.unwrap().emit(event);
        Ok(Change::Told)
    }
}

impl Host for TellsItself {
    fn stop(&self) -> Result<Change, Error> {
        self.emit(&run_state::events::Stop {})
    }

    fn cont(&self) -> Result<Change, Error> {
        self.emit(&run_state::events::Resume {})
    }

    fn system_powerdown(&self) -> Result<Change, Error> {
        self.emit(&run_state::events::Powerdown {})
    }

    fn quit(&self) -> Result<Change, Error> {
        self.emit(&run_state::events::Shutdown {
            guest: false,
            reason: ShutdownCause::HostSignal,
        })
    }

    fn end(&self) {
        self.has_ended.store(true, Ordering::Relaxed);
    }
}

#[test]
fn event_comes_once_when_the_host_has_emitted_it() {
    let host = Arc::new(TellsItself::default());
    let monitor = Monitor::new(Registry::new(), Arc::clone(&host)).with_control(true);
    *host.monitor.lock().unwrap() = Some(monitor.clone());
    let mut other = Client::new(&monitor, Limits::default());
    let mut client = Client::new(&monitor, Limits::default());
    client.send(
        "{'execute': 'stop'} {'execute': 'cont'} {'execute': 'system_powerdown'} \
         {'execute': 'quit'}",
    );
    assert_eq!(
        other.read(),
        [
            "{\"event\": \"STOP\"}",
            "{\"event\": \"RESUME\"}",
            "{\"event\": \"POWERDOWN\"}",
            "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, \
             \"reason\": \"host-signal\"}}",
        ]
    );
    assert!(host.has_ended.load(Ordering::Relaxed));
    host.monitor.lock().unwrap().take();
}

#[test]
fn reset_and_panic_of_the_guest_are_events_of_the_schema() {
    let monitor = monitor();
    let mut client = Client::new(&monitor, Limits::default());
    monitor.emit(&run_state::events::Reset {
        guest: true,
        reason: ShutdownCause::GuestReset,
    });
    monitor.emit(&run_state::events::GuestPanicked {
        action: GuestPanicAction::Pause,
        info: None,
    });
    assert_eq!(
        client.read(),
        [
            "{\"event\": \"RESET\", \"data\": {\"guest\": true, \
             \"reason\": \"guest-reset\"}}",
            "{\"event\": \"GUEST_PANICKED\", \"data\": {\"action\": \"pause\"}}",
        ]
    );
}

#[test]
fn event_precedes_the_reply_when_a_handler_emits_it() {
    let host = Arc::new(Teller::default());
    let monitor = Monitor::new(Registry::new(), Arc::clone(&host)).with_control(true);
    *host.0.lock().unwrap() = Some(monitor.clone());
    let mut other = Client::new(&monitor, Limits::default());
    let mut client = Client::new(&monitor, Limits::default());
    client.send("{'execute': 'query-name'} {'execute': 'quit', 'id': 1} {'execute': 'query-name'}");
    let [first, second, last] = [1, 2, 3].map(|id| line("MOVED", id));
    // What the monitor itself tells of `quit`.
    let third = "{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": false, \
                 \"reason\": \"host-qmp-quit\"}}";
    assert_eq!(other.read(), [&first, &second, third, &last]);
    assert_eq!(
        client.read(),
        [
            "{\"return\": {}}",
            &first,
            &second,
            third,
            &last,
            "{\"return\": {}, \"id\": 1}",
            "{\"return\": {}}"
        ]
    );
    host.0.lock().unwrap().take();
}

/// Stops and goes on, and takes its time between the change and the answer.
#[derive(Default)]
struct Switch(Mutex<bool>);

impl Switch {
    fn turn(&self, is_stopped: bool) -> Change {
        let before = std::mem::replace(&mut *self.0.lock().unwrap(), is_stopped);
        thread::yield_now();
        if before == is_stopped {
            Change::Unchanged
        } else {
            Change::Made
        }
    }
}

impl Host for Switch {
    fn stop(&self) -> Result<Change, Error> {
        Ok(self.turn(true))
    }

    fn cont(&self) -> Result<Change, Error> {
        Ok(self.turn(false))
    }
}

/// However many clients do it, and whichever handle of the monitor they have:
/// who follows the events knows the state.
#[test]
fn events_come_in_the_order_of_the_changes_when_clients_race() {
    let monitor = Monitor::new(Registry::new(), Arc::new(Switch::default()));
    let mut other = Client::new(&monitor, Limits::default());
    let clients = [(); 4].map(|()| {
        let in_control = monitor.clone().with_control(true);
        Client::new(&in_control, Limits::default())
    });
    thread::scope(|scope| {
        for mut client in clients {
            scope.spawn(move || {
                for _ in 0..500 {
                    client.send("{'execute': 'stop'} {'execute': 'cont'}");
                    client.read();
                }
            });
        }
    });
    let events = other.read();
    assert!(events.len() > 2);
    for (event, expected) in events.iter().zip(["STOP", "RESUME"].iter().cycle()) {
        assert_eq!(*event, format!("{{\"event\": \"{expected}\"}}"));
    }
}

/// Neither the session nor what waits for it grows without end.
#[test]
fn session_ends_when_its_client_does_not_read_events() {
    let monitor = monitor();
    let limits = Limits::default().with_output_bytes_high(1000);
    let mut client = Client::new(&monitor, limits);
    for id in 0..20_000 {
        monitor.emit(&Moved { id });
        client.subscription.deliver(&mut client.session);
        assert!(client.session.output().len() < 2000);
    }
    assert!(
        !client.session.is_over(),
        "there is something to be sent yet"
    );
    let sent = client.read();
    assert!((2..20).contains(&sent.len()));
    assert!(client.read().is_empty());
    assert!(client.session.is_over());
}

/// A waking may do anything with the monitor, leave included.
#[test]
fn wake_may_call_the_monitor_when_an_event_is_emitted() {
    let monitor = monitor();
    let other = Arc::new(Mutex::new(Some(monitor.subscribe(|| {}))));
    let from_within = monitor.clone();
    let subscription = monitor.subscribe(move || {
        other.lock().unwrap().take();
        drop(from_within.subscribe(|| {}));
    });
    monitor.emit(&Moved { id: 1 });
    drop(subscription);
    monitor.emit(&Moved { id: 2 });
}
