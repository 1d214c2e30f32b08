//! A connection over a simulated socket, whose client acts between any two
//! calls. A failure repeats with the same choices.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use qapi_stats::run_state::events::Resume;
use qapi_stats::wire::command::{Call, CommandSet};

use super::super::conversation::Protocol;
use super::*;
use crate::lock::Lock;
use crate::qmp::{Limits, begin_reply};
use crate::{NoHost, Registry};

/// What the client does before a call on the socket.
#[derive(Clone, Copy, Debug)]
enum Act {
    Nothing,
    ReadSome,
    ReadAll,
    Send,
    SendAll,
    /// The VMM emits an event.
    Emit,
}

struct World {
    monitor: Monitor,
    acts: VecDeque<Act>,
    /// The requests that the client has not sent yet.
    requests: VecDeque<&'static str>,
    to_server: VecDeque<u8>,
    to_client: VecDeque<u8>,
    /// The bytes that fit between server and client.
    room_bytes: usize,
    received: Vec<u8>,
    emitted: usize,
    is_established: bool,
}

#[derive(Clone)]
struct Socket(Arc<Lock<World>>);

impl World {
    fn new(monitor: &Monitor, requests: &[&'static str]) -> Self {
        Self {
            monitor: monitor.clone(),
            acts: VecDeque::new(),
            requests: requests.iter().copied().collect(),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            room_bytes: 64 << 10,
            received: Vec::new(),
            emitted: 0,
            is_established: true,
        }
    }

    fn act(&mut self) {
        match self.acts.pop_front().unwrap_or(Act::Nothing) {
            Act::Nothing => {}
            Act::ReadSome => {
                let count = self.to_client.len() / 2;
                self.received.extend(self.to_client.drain(..count));
            }
            Act::ReadAll => self.received.extend(self.to_client.drain(..)),
            Act::Send => {
                let request = self.requests.pop_front().unwrap_or_default();
                self.to_server.extend(request.bytes());
            }
            Act::SendAll => {
                for request in std::mem::take(&mut self.requests) {
                    self.to_server.extend(request.bytes());
                }
            }
            Act::Emit => {
                // An event that is emitted before the client has negotiated is
                // not for it.
                if self
                    .received
                    .windows(12)
                    .any(|text| text == b"{\"return\": {")
                {
                    self.emitted += 1;
                    self.monitor.emit(&Resume {});
                }
            }
        }
    }
}

impl Transport for Socket {
    fn is_tcp(&self) -> bool {
        false
    }

    fn is_established(&self) -> bool {
        self.0.lock().is_established
    }

    fn has_input(&self) -> bool {
        false
    }

    fn held_bytes(&self) -> usize {
        0
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut world = self.0.lock();
        world.act();
        if world.to_server.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let count = buffer.len().min(world.to_server.len());
        for (to, from) in buffer.iter_mut().zip(world.to_server.drain(..count)) {
            *to = from;
        }
        Ok(count)
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut world = self.0.lock();
        world.act();
        let count = bytes.len().min(world.room_bytes - world.to_client.len());
        if count == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        world.to_client.extend(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Executes a command as a reactor does.
fn execute(monitor: &Monitor, task: Task) -> TaskResult {
    let Task::Command(command) = task else {
        panic!("QMP has no lines");
    };
    let context = monitor.context();
    let call = Call {
        name: command.info.name,
        arguments: command.arguments.root(),
        context: &context,
    };
    let mut reply = Vec::new();
    let write = |out: &mut qapi_stats::wire::Writer<'_>| monitor.execute(call, out);
    let outcome = begin_reply(&mut reply, usize::MAX, &|_| true, context.policy(), write);
    TaskResult::Command {
        ticket: command.ticket,
        outcome,
        reply,
    }
}

/// Steps a connection whenever the kernel would have it stepped, until nothing
/// is left to do; returns what the client has received and the events emitted.
fn converse(acts: &[Act], requests: usize, room_bytes: usize) -> (String, usize) {
    let monitor = Monitor::new(Registry::new(), NoHost);
    let mut to_send = vec!["{'execute': 'query-commands'} }"; requests];
    to_send.insert(0, "{'execute': 'qmp_capabilities'}");
    let world = Arc::new(Lock::new(World {
        acts: acts.iter().copied().collect(),
        room_bytes,
        ..World::new(&monitor, &to_send)
    }));
    let is_woken = Arc::new(AtomicBool::new(false));
    let news = Arc::clone(&is_woken);
    let wake = move || news.store(true, Ordering::Relaxed);
    let options = Options::new().limits(Limits {
        output_bytes_high: 2_000,
        ..Limits::default()
    });
    let mut connection = connection(Arc::clone(&world), &monitor, &options, wake);
    let mut buffers = Buffers::new();
    let (mut ready, mut results) = (Ready::default(), Vec::new());
    loop {
        is_woken.store(false, Ordering::Relaxed);
        let step = connection.step(
            ready,
            std::mem::take(&mut results),
            &monitor,
            &options,
            &mut buffers,
        );
        ready = Ready::default();
        match step.unwrap() {
            Step::Execute(task) => {
                results.push(execute(&monitor, task));
                continue;
            }
            Step::Yield => continue,
            Step::Wait => {}
        }
        // A descriptor is ready, or the client is the one to act.
        loop {
            let mut world = world.lock();
            let interest = connection.interest();
            let is_writable = world.to_client.len() < room_bytes;
            ready.to_read = interest.read && !world.to_server.is_empty();
            let wakes = interest.write || is_woken.load(Ordering::Relaxed);
            if ready.to_read || (wakes && is_writable) {
                break;
            }
            if world.to_client.is_empty() && world.requests.is_empty() && world.acts.is_empty() {
                let received = String::from_utf8(world.received.clone()).unwrap();
                return (received, world.emitted);
            }
            if world.acts.is_empty() {
                world.acts.extend([Act::ReadAll, Act::Send]);
            }
            world.act();
        }
    }
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        4 => Just(Act::Nothing),
        8 => Just(Act::ReadSome),
        8 => Just(Act::ReadAll),
        2 => Just(Act::Send),
        2 => Just(Act::SendAll),
        1 => Just(Act::Emit),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn connection_leaves_no_work_that_nobody_wakes_it_for(
        acts in prop::collection::vec(act(), 0..60),
        requests in 0..20_usize,
        room_bytes in 1..5_000_usize,
    ) {
        let (received, emitted) = converse(&acts, requests, room_bytes);
        let count = |text: &str| received.matches(text).count();
        prop_assert_eq!(count("{\"return\": {}}"), 1);
        prop_assert_eq!(count("{\"return\": [{"), requests);
        prop_assert_eq!(count("JSON parse error"), requests);
        prop_assert_eq!(count("\"RESUME\""), emitted);
    }
}

/// A connection of a client that has sent all of `requests`, and its monitor.
fn connected(requests: &[&'static str], is_established: bool) -> (Connection<Socket>, Monitor) {
    let monitor = Monitor::new(Registry::new(), NoHost);
    let mut world = World {
        is_established,
        ..World::new(&monitor, requests)
    };
    world.acts.push_back(Act::SendAll);
    world.act();
    let world = Arc::new(Lock::new(world));
    let connection = connection(world, &monitor, &Options::new(), || {});
    (connection, monitor)
}

fn connection(
    world: Arc<Lock<World>>,
    monitor: &Monitor,
    options: &Options,
    wake: impl Fn() + Send + Sync + 'static,
) -> Connection<Socket> {
    let conversation = Conversation::new(Protocol::Qmp, monitor, options, wake);
    Connection::new(Socket(world), conversation)
}

fn step(connection: &mut Connection<Socket>, monitor: &Monitor) -> Step {
    let ready = Ready {
        to_read: true,
        hung_up: false,
        must_end: false,
    };
    let buffers = &mut Buffers::new();
    let step = connection.step(ready, Vec::new(), monitor, &Options::new(), buffers);
    step.unwrap()
}

/// The kernel reports bytes that nobody reads again and again.
#[test]
fn connection_waits_for_no_input_while_its_command_is_parked() {
    let (mut connection, monitor) = connected(
        &[
            "{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}",
            "{'execute': 'query-name'}",
        ],
        true,
    );
    for round in 0..2 {
        let Step::Execute(task) = step(&mut connection, &monitor) else {
            panic!("round {round} returned no command");
        };
        assert!(!connection.park(task, &Options::new()));
        assert!(!connection.interest().read, "round {round}");
    }
}

/// The timer reports a deadline that has passed again and again.
#[test]
fn connection_has_no_deadline_in_the_past_while_its_channel_is_not_established() {
    let (mut connection, monitor) = connected(&[], false);
    let interval = Duration::from_millis(10);
    monitor.limit_event("RESUME", crate::EventLimit::new(interval));
    for _ in 0..2 {
        monitor.emit(&Resume {});
    }
    std::thread::sleep(interval);
    assert!(matches!(step(&mut connection, &monitor), Step::Wait));
    let deadline = connection.deadline(&Options::new()).unwrap();
    assert!(deadline > Instant::now() + interval);
}
