//! The conversation of a client with the monitor, in the protocol of the client's
//! listener.
//!
//! In: bytes of the client, results of tasks. Out: bytes for the client, tasks to
//! execute. It knows no socket and no clock.

use std::time::Instant;

use qapi_stats::wire::Error;

use super::budget::Held;
use super::options::Options;
use crate::events::Subscription;
#[cfg(feature = "hmp")]
use crate::hmp::LineMonitor;
use crate::monitor::Monitor;
use crate::qmp::{Command, Session, Ticket};

/// The protocol of a listener's clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Qmp,
    /// The human monitor.
    #[cfg(feature = "hmp")]
    Human,
}

/// The protocol's state for one client.
#[derive(Debug)]
pub(super) enum Conversation {
    Qmp(Box<Session>, Subscription),
    #[cfg(feature = "hmp")]
    Human(Human),
}

/// Something to execute. The conversation waits for its [`TaskResult`].
#[derive(Debug)]
pub(super) enum Task {
    Command(Command),
    /// A line of the human monitor is complete.
    #[cfg(feature = "hmp")]
    Line(Box<LineMonitor>),
}

/// The outcome of a task.
#[derive(Debug)]
pub(super) enum TaskResult {
    Command {
        ticket: Ticket,
        outcome: Result<(), Error>,
        reply: Vec<u8>,
    },
    /// The line has been executed.
    #[cfg(feature = "hmp")]
    Line(Box<LineMonitor>),
}

/// The state of one client of the human monitor.
#[cfg(feature = "hmp")]
#[derive(Debug)]
pub(super) struct Human {
    /// `None` while a line is executed.
    lines: Option<Box<LineMonitor>>,
    /// The bytes that `lines` has not taken yet, because a line waits before them.
    unread: Vec<u8>,
    has_input_ended: bool,
}

impl Task {
    /// Returns the name for the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Command(command) => command.info.name,
            #[cfg(feature = "hmp")]
            Self::Line(_) => "a line of the human monitor",
        }
    }
}

impl Conversation {
    /// Begins a conversation. `wake` is called when an event waits for the client.
    pub(super) fn new(
        protocol: Protocol,
        monitor: &Monitor,
        options: &Options,
        wake: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        // Subscribe first: an event that is emitted while the VMM's `Host` returns
        // its version is for this client, too.
        match protocol {
            Protocol::Qmp => {
                let events = monitor.subscribe(wake);
                let mut session = Session::new(&monitor.host().version(), options.limits);
                session.set_policy(monitor.context().policy());
                Self::Qmp(Box::new(session), events)
            }
            #[cfg(feature = "hmp")]
            Protocol::Human => Self::Human(Human {
                lines: Some(Box::new(LineMonitor::new(&monitor.host().version()))),
                unread: Vec::new(),
                has_input_ended: false,
            }),
        }
    }

    /// Returns what the client makes the server hold.
    pub(super) fn held(&self) -> Held {
        match self {
            Self::Qmp(session, _) => Held {
                bytes: session.held_bytes(),
                executing_bytes: session.executing_bytes(),
            },
            #[cfg(feature = "hmp")]
            Self::Human(human) => Held {
                bytes: human.unread.capacity() + human.output().len(),
                executing_bytes: 0,
            },
        }
    }

    /// Returns whether the client may send out-of-band commands, so that the
    /// socket must be read while a command is executed.
    pub(super) fn is_oob(&self) -> bool {
        match self {
            Self::Qmp(session, _) => session.is_oob(),
            #[cfg(feature = "hmp")]
            Self::Human(_) => false,
        }
    }

    /// Returns the maximum length of a reply in bytes.
    pub(super) fn reply_bytes_max(&self) -> usize {
        match self {
            Self::Qmp(session, _) => session.reply_bytes_max(),
            #[cfg(feature = "hmp")]
            Self::Human(_) => usize::MAX,
        }
    }

    /// Returns whether the client has not negotiated yet.
    pub(super) fn is_negotiating(&self) -> bool {
        match self {
            Self::Qmp(session, _) => session.is_negotiating(),
            #[cfg(feature = "hmp")]
            Self::Human(_) => false,
        }
    }

    /// Returns whether a task has been handed out and not finished.
    pub(super) fn is_executing(&self) -> bool {
        match self {
            Self::Qmp(session, _) => session.is_executing(),
            #[cfg(feature = "hmp")]
            Self::Human(human) => human.lines.is_none(),
        }
    }

    /// Returns whether to read from the client now.
    pub(super) fn wants_input(&self) -> bool {
        match self {
            Self::Qmp(session, _) => session.wants_input(),
            #[cfg(feature = "hmp")]
            Self::Human(human) => {
                human.lines.is_some() && human.output().is_empty() && human.unread.is_empty()
            }
        }
    }

    /// Returns whether all output has been sent, and no more will follow.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Qmp(session, _) => session.is_over(),
            #[cfg(feature = "hmp")]
            Self::Human(human) => human.lines.as_ref().is_some_and(|lines| lines.is_over()),
        }
    }

    /// Returns the time at which to [`deliver`](Self::deliver) although nothing
    /// happens.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        match self {
            Self::Qmp(_, events) => events.next_deadline(),
            #[cfg(feature = "hmp")]
            Self::Human(_) => None,
        }
    }

    /// Takes bytes from the client.
    pub(super) fn receive(&mut self, bytes: &[u8]) {
        match self {
            Self::Qmp(session, _) => session.receive(bytes),
            #[cfg(feature = "hmp")]
            Self::Human(human) => human.unread.extend_from_slice(bytes),
        }
    }

    /// Records that the client sends no more.
    pub(super) fn end_of_input(&mut self) {
        match self {
            Self::Qmp(session, _) => session.end_of_input(),
            #[cfg(feature = "hmp")]
            Self::Human(human) => human.has_input_ended = true,
        }
    }

    /// Moves events to the output.
    pub(super) fn deliver(&mut self) {
        match self {
            Self::Qmp(session, events) => events.deliver(session),
            #[cfg(feature = "hmp")]
            Self::Human(_) => {}
        }
    }

    /// Returns the next task, or `None` if nothing can be executed now.
    pub(super) fn next(&mut self, monitor: &Monitor) -> Option<Task> {
        match self {
            Self::Qmp(session, _) => session.next(monitor).map(Task::Command),
            #[cfg(feature = "hmp")]
            Self::Human(human) => human.next().map(Task::Line),
        }
    }

    /// Takes the result of a task.
    pub(super) fn finish(&mut self, result: TaskResult) {
        match result {
            TaskResult::Command {
                ticket,
                outcome,
                mut reply,
            } => self.finish_command(ticket, outcome, &mut reply),
            #[cfg(feature = "hmp")]
            TaskResult::Line(lines) => self.finish_line(lines),
        }
    }

    /// Completes the reply of a command.
    pub(super) fn finish_command(
        &mut self,
        ticket: Ticket,
        outcome: Result<(), Error>,
        reply: &mut Vec<u8>,
    ) {
        match self {
            Self::Qmp(session, events) => events.finish(session, ticket, outcome, reply),
            #[cfg(feature = "hmp")]
            Self::Human(_) => assert_own_result(),
        }
    }

    #[cfg(feature = "hmp")]
    fn finish_line(&mut self, lines: Box<LineMonitor>) {
        match self {
            Self::Human(human) => human.lines = Some(lines),
            Self::Qmp(..) => assert_own_result(),
        }
    }

    /// Returns the bytes to send.
    pub(super) fn output(&self) -> &[u8] {
        match self {
            Self::Qmp(session, _) => session.output(),
            #[cfg(feature = "hmp")]
            Self::Human(human) => human.output(),
        }
    }

    /// Removes the first bytes of the output, which have been sent.
    pub(super) fn sent(&mut self, count: usize) {
        match self {
            Self::Qmp(session, _) => session.sent(count),
            #[cfg(feature = "hmp")]
            Self::Human(human) => {
                if let Some(lines) = &mut human.lines {
                    lines.sent(count);
                }
            }
        }
    }

    /// Gives memory back before the conversation waits. Moves the allocation of a
    /// reply that was sent to `room`, if it is larger.
    pub(super) fn shrink(&mut self, room: &mut Vec<u8>) {
        match self {
            Self::Qmp(session, _) => {
                let mut sent = session.take_room();
                if sent.capacity() > room.capacity() {
                    sent.clear();
                    *room = sent;
                }
                session.shrink();
            }
            #[cfg(feature = "hmp")]
            Self::Human(human) => human.unread.shrink_to_fit(),
        }
    }
}

/// Asserts that a conversation gets the results of its own tasks only.
#[cfg(feature = "hmp")]
fn assert_own_result() {
    debug_assert!(false, "a task's result belongs to the client of the task");
}

#[cfg(feature = "hmp")]
impl Human {
    fn output(&self) -> &[u8] {
        self.lines.as_ref().map_or(&[], |lines| lines.output())
    }

    /// Reads up to the end of a line. Returns the line monitor to execute the line,
    /// if the line is complete.
    fn next(&mut self) -> Option<Box<LineMonitor>> {
        let lines = self.lines.as_mut()?;
        let count = lines.receive(&self.unread);
        self.unread.drain(..count);
        if lines.has_line() {
            return self.lines.take();
        }
        if self.unread.is_empty() && self.has_input_ended {
            lines.end_of_input();
        }
        None
    }
}
