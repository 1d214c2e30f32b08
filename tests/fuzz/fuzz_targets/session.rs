//! Any bytes as a client's of a monitor that may be changed, with a machine
//! behind it, statistics, events, and out-of-band execution, driven as an event
//! loop would: pieces of any size, commands that are finished later and in
//! another order, output that is sent bit by bit.
//!
//! Whatever comes, the session ends each command it has begun, keeps within its
//! limits, and answers in lines of ASCII that are JSON.
#![no_main]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use libfuzzer_sys::fuzz_target;
use qapi_stats::run_state::RunState;
use qapi_stats::stats::{StatsProvider, StatsTarget};
use qapi_wire::Error;
use qapi_wire::command::{Call, CommandSet};
use stats_runtime::host::{Change, Vcpu};
use stats_runtime::qmp::{Command, Limits, Session};
use stats_runtime::{Host, Monitor, NoHost, Registry, Subscription};

/// What happens to a session.
#[derive(Debug)]
enum Step<'a> {
    /// Bytes come.
    Receive(&'a [u8]),
    /// One of these comes, whole.
    Request(u8),
    /// Begins what can be begun.
    Begin,
    /// Finishes a command that was begun.
    Finish(u8),
    /// Sends so many bytes.
    Send(u16),
    /// The client sends no more.
    End,
}

/// A step is a byte that says which, and what it needs.
fn steps(mut input: &[u8]) -> Vec<Step<'_>> {
    let mut steps = Vec::new();
    while let [which, rest @ ..] = input {
        let number = which >> 3;
        input = rest;
        steps.push(match which & 7 {
            0 | 1 => {
                let (piece, rest) = rest.split_at(rest.len().min(number.into()));
                input = rest;
                Step::Receive(piece)
            }
            2 | 3 => Step::Request(number),
            4 => Step::Begin,
            5 => Step::Finish(number),
            6 => Step::Send(u16::from(number) << 6),
            _ if number == 0 => Step::End,
            _ => Step::Begin,
        });
    }
    steps
}

const REQUESTS: &[&str] = &[
    "{'execute': 'qmp_capabilities', 'arguments': {'enable': ['oob']}}",
    "{'execute': 'query-stats', 'arguments': {'target': 'vcpu'}, 'id': [1]}",
    "{'execute': 'query-stats-schemas', 'id': 'x'}",
    "{'exec-oob': 'query-name', 'id': 2.5}",
    "{'execute': 'stop'}{'execute': 'cont', 'id': null}",
    "{'execute': 'human-monitor-command', 'arguments': {'command-line': 'info stats vcpu'}}",
    "{'execute': 'human-monitor-command', 'arguments': {'command-line': 'cpu 1'}}",
    "{'execute': 'human-monitor-command', 'arguments': {'command-line': '",
    "'}}",
    "{'execute': 'qom-list', 'arguments': {'path': '",
    "{'execute': 'qom-get', 'arguments': {'property': 'type', 'path': '",
    "{'execute': 'query-qmp-schema'}",
    "\u{1b}",
];

#[derive(Default)]
struct Machine(AtomicBool);

impl Machine {
    fn change(&self, paused: bool) -> Change {
        if self.0.swap(paused, Ordering::Relaxed) == paused {
            Change::Unchanged
        } else {
            Change::Made
        }
    }
}

impl Host for Machine {
    fn run_state(&self) -> RunState {
        if self.0.load(Ordering::Relaxed) {
            RunState::Paused
        } else {
            RunState::Running
        }
    }

    fn vcpus(&self) -> Option<Vec<Vcpu>> {
        let vcpu = |index| Vcpu::new(index, format!("/machine/unattached/device[{index}]"));
        Some((0..2).map(vcpu).collect())
    }

    fn stop(&self) -> Result<Change, Error> {
        Ok(self.change(true))
    }

    fn cont(&self) -> Result<Change, Error> {
        Ok(self.change(false))
    }

    fn quit(&self) -> Result<Change, Error> {
        Ok(Change::Made)
    }
}

fn monitor() -> Monitor {
    let registry = Registry::new();
    let added = registry.add_stats_callbacks(
        StatsProvider::Kvm,
        |query, sink| {
            if *query.target() == StatsTarget::Vcpu {
                sink.result(Some("/machine/unattached/device[0]"));
                sink.scalar("exits", 3);
                sink.histogram("halt", &[1, 2]);
            }
            Ok(())
        },
        |sink| {
            sink.schema(StatsTarget::Vcpu);
            Ok(())
        },
    );
    assert!(added.is_ok());
    Monitor::new(registry, Arc::<Machine>::default()).with_control(true)
}

/// So low that they are met.
fn limits() -> Limits {
    let mut limits = Limits::default()
        .with_reply_bytes_max(256 << 10)
        .with_output_bytes_high(4 << 10)
        .with_output_bytes_max(1 << 20);
    limits.message.message_bytes_max = 4 << 10;
    limits
}

struct Driver<'a> {
    monitor: &'a Monitor,
    subscription: Subscription,
    session: Session,
    begun: Vec<Command>,
    sent: Vec<u8>,
}

impl Driver<'_> {
    fn step(&mut self, step: &Step<'_>) {
        match step {
            Step::Receive(bytes) => self.session.receive(bytes),
            Step::Request(number) => {
                let request = REQUESTS[usize::from(*number) % REQUESTS.len()];
                self.session.receive(request.as_bytes());
            }
            Step::Begin => {
                while let Some(command) = self.session.next(self.monitor) {
                    self.begun.push(command);
                    // One in band, and any number that overtake it.
                    let in_band = self.begun.iter().filter(|command| !command.oob);
                    assert!(in_band.count() <= 1);
                }
            }
            Step::Finish(number) => {
                if !self.begun.is_empty() {
                    let index = usize::from(*number) % self.begun.len();
                    let command = self.begun.swap_remove(index);
                    self.finish(command);
                }
            }
            Step::Send(count) => {
                let count = self.session.output().len().min((*count).into());
                self.sent.extend_from_slice(&self.session.output()[..count]);
                self.session.sent(count);
            }
            Step::End => self.session.end_of_input(),
        }
        self.subscription.deliver(&mut self.session);
    }

    fn finish(&mut self, command: Command) {
        let context = self.monitor.context();
        let call = Call {
            name: command.info.name,
            arguments: command.arguments.root(),
            context: &context,
        };
        let monitor = self.monitor;
        self.session
            .finish(command.ticket, |reply| monitor.execute(call, reply));
    }

    /// Until nothing is left to do.
    fn settle(&mut self) {
        self.session.end_of_input();
        loop {
            self.step(&Step::Begin);
            while let Some(command) = self.begun.pop() {
                self.finish(command);
            }
            if self.session.output().is_empty() {
                break;
            }
            self.step(&Step::Send(u16::MAX));
        }
        assert!(self.session.is_over());
    }
}

fuzz_target!(|input: &[u8]| {
    let monitor = monitor();
    let mut driver = Driver {
        monitor: &monitor,
        subscription: monitor.subscribe(|| {}),
        session: Session::new(&NoHost.version(), limits()),
        begun: Vec::new(),
        sent: Vec::new(),
    };
    for step in &steps(input) {
        driver.step(step);
    }
    driver.settle();
    assert!(driver.sent.is_ascii());
    for line in driver.sent.split(|&byte| byte == b'\n') {
        assert!(line.is_empty() || qapi_wire::json::parse(line).is_ok());
    }
});
