//! One client's connection, a step at a time.
//!
//! In: the news that the socket is ready, that there are events, or that it is
//! late. Out: replies and events on the socket, and what to wait for next. It
//! never waits itself, and knows neither thread nor listener.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use super::errand::{Errand, Outcome};
use super::options::Options;
use super::stream::Stream;
use crate::commands::Monitor;
use crate::events::Subscription;
use crate::qmp::{Command, Session};

/// A client.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    session: Session,
    events: Subscription,
    input_ended: bool,
    /// Whether this step may wait for the client.
    may_wait: bool,
    /// Whether output waits for the client to read.
    blocked: bool,
    began: Instant,
    /// When the client last sent something.
    received: Instant,
    /// When the client last took something, or output began to wait.
    progressed: Instant,
}

/// Why a step is taken.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready {
    /// The socket can be read, written, or is broken.
    pub(super) socket: bool,
    /// Something has been read from it just now.
    pub(super) has_read: bool,
}

impl Ready {
    /// Both reasons.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            socket: self.socket || other.socket,
            has_read: self.has_read || other.has_read,
        }
    }
}

/// What a thread lends to the connections that it steps.
#[derive(Debug)]
pub(super) struct Buffers {
    input: Vec<u8>,
    /// Empty.
    output: Vec<u8>,
    /// Whether there are threads enough that this one may wait for a client.
    pub(super) may_wait: bool,
}

/// How much is read at a time.
const INPUT_BYTES: usize = 64 << 10;

/// How much room for replies a thread keeps: enough for 1,024 vCPUs.
const OUTPUT_BYTES_KEPT: usize = 8 << 20;

/// From here on the rest of a reply is worth waiting for its client.
const WAIT_BYTES_MIN: usize = 64 << 10;

impl Buffers {
    pub(super) fn new() -> Self {
        Self {
            input: vec![0; INPUT_BYTES],
            output: Vec::new(),
            may_wait: false,
        }
    }
}

/// What came of a step.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) interest: Interest,
    pub(super) errand: Option<Errand>,
    /// Whether the client has just taken all that it had asked for, and may
    /// ask again.
    pub(super) has_answered: bool,
}

/// What a connection waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Interest {
    pub(super) read: bool,
    pub(super) write: bool,
    /// When to take a step in any case.
    pub(super) deadline: Option<Instant>,
}

/// Why a connection ends before its session is over. Nobody is told: it is the
/// client's affair.
#[derive(Debug)]
pub(super) enum End {
    Over,
    Late,
    Broken,
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Broken
    }
}

impl Connection {
    pub(super) fn new(
        stream: Stream,
        monitor: &Monitor,
        events: Subscription,
        options: &Options,
    ) -> Self {
        let now = Instant::now();
        Self {
            stream,
            session: Session::new(&monitor.host().version(), options.limits),
            events,
            input_ended: false,
            may_wait: false,
            blocked: false,
            began: now,
            received: now,
            progressed: now,
        }
    }

    /// How many bytes the client has the server hold.
    pub(super) fn held_bytes(&self) -> usize {
        self.session.held_bytes()
    }

    /// Does what can be done without waiting, and says what to wait for. At
    /// most one buffer is read, so that others get their turn.
    pub(super) fn step(
        &mut self,
        ready: Ready,
        outcomes: Vec<Outcome>,
        monitor: &Monitor,
        options: &Options,
        buffers: &mut Buffers,
    ) -> Result<Step, End> {
        self.may_wait = buffers.may_wait && self.stream.can_wait();
        self.session.borrow_output(&mut buffers.output);
        let stepped = self.go_on(ready, outcomes, monitor, options, &mut buffers.input);
        if stepped.is_err() {
            self.session.drop_output();
        }
        self.session.return_output(&mut buffers.output);
        buffers.output.shrink_to(OUTPUT_BYTES_KEPT);
        stepped
    }

    fn go_on(
        &mut self,
        ready: Ready,
        outcomes: Vec<Outcome>,
        monitor: &Monitor,
        options: &Options,
        input: &mut [u8],
    ) -> Result<Step, End> {
        let mut errand = None;
        let before = self.progressed;
        for Outcome { ticket, reply } in outcomes {
            self.events.finish(&mut self.session, ticket, |writer| {
                writer.raw(&reply?);
                Ok(())
            });
        }
        if ready.socket {
            let outcome = self.converse(monitor, input, ready.has_read);
            if outcome.is_err() {
                self.stream.finish();
            }
            errand = outcome?;
        } else if self.stream.is_established() {
            // Events, or late: no command, which might keep others waiting.
            self.events.deliver(&mut self.session);
            let was_blocked = self.blocked;
            self.send()?;
            if self.is_over() {
                return Err(End::Over);
            }
            // What the client held up goes on when it is its turn.
            self.blocked |= was_blocked;
        }
        let deadline = self.deadline(options);
        if deadline.is_some_and(|deadline| deadline <= Instant::now()) {
            return Err(End::Late);
        }
        let interest = Interest {
            read: !self.input_ended && self.session.wants_input(),
            write: self.blocked,
            deadline: [deadline, self.events.next_deadline()]
                .into_iter()
                .flatten()
                .min(),
        };
        Ok(Step {
            interest,
            has_answered: ready.socket
                && self.progressed != before
                && interest.read
                && !interest.write
                && !self.session.is_oob(),
            errand,
        })
    }

    /// Whether it can be waited for.
    pub(super) fn can_wait(&self) -> bool {
        self.stream.can_wait()
    }

    /// Waits a moment for the client to send something, which the next step is
    /// to answer; false if it has not.
    pub(super) fn wait(&mut self, buffers: &mut Buffers) -> Result<bool, End> {
        match self.stream.wait(&mut buffers.input) {
            Ok(count) => {
                self.take_input(&buffers.input, count);
                Ok(true)
            }
            Err(error) => match error.kind() {
                io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(false),
                _ => Err(error.into()),
            },
        }
    }

    /// Takes what has been read.
    fn take_input(&mut self, buffer: &[u8], count: usize) {
        if count == 0 {
            self.input_ended = true;
            self.session.end_of_input();
        } else {
            self.received = Instant::now();
            let bytes = buffer.get(..count).unwrap_or_default();
            self.session.receive(bytes);
        }
    }

    /// Executes what has been received, sends, and reads once; up to a command
    /// that others may overtake.
    fn converse(
        &mut self,
        monitor: &Monitor,
        buffer: &mut [u8],
        mut has_read: bool,
    ) -> Result<Option<Errand>, End> {
        let context = monitor.context();
        loop {
            if self.stream.is_established() {
                let is_oob = self.session.is_oob();
                let is_errand = |command: &Command| is_oob && !command.oob;
                let session = &mut self.session;
                let command = self.events.run_until(session, monitor, &context, is_errand);
                if let Some(command) = command {
                    // Those that overtake it may have come with it.
                    let session = &mut self.session;
                    let _ = self.events.run_until(session, monitor, &context, is_errand);
                    self.send()?;
                    let reply_bytes_max = self.session.reply_bytes_max();
                    return Ok(Some(Errand::new(command, reply_bytes_max)));
                }
            }
            let has_sent = self.send()?;
            if self.is_over() {
                return Err(End::Over);
            }
            if has_sent && !self.blocked {
                // There may be more to execute now that there is room.
                continue;
            }
            let may_read = !has_read || self.stream.has_input();
            if self.input_ended || !may_read || !self.session.wants_input() {
                return Ok(None);
            }
            let was_established = self.stream.is_established();
            match self.stream.read(buffer) {
                Ok(0) if !was_established => return Err(End::Broken),
                Ok(count) => self.take_input(buffer, count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // A handshake may have something to say, or have ended.
                    self.send()?;
                    if was_established || !self.stream.is_established() {
                        return Ok(None);
                    }
                }
                Err(error) => return Err(error.into()),
            }
            has_read = true;
        }
    }

    /// Whether there is nothing more to do, or to send.
    fn is_over(&self) -> bool {
        // What the stream has taken may still wait for the client.
        self.session.is_over() && !self.blocked
    }

    /// Sends what the client takes; true if it took something.
    fn send(&mut self) -> Result<bool, End> {
        let mut has_sent = false;
        let mut has_waited = false;
        let outcome = loop {
            let output = if self.stream.is_established() {
                self.session.output()
            } else {
                &[]
            };
            if output.is_empty() {
                break self.stream.flush();
            }
            let is_long = output.len() >= WAIT_BYTES_MIN && !self.blocked;
            let written = if is_long && !has_waited && self.may_wait {
                has_waited = true;
                self.stream.write_waiting(output)
            } else {
                self.stream.write(output)
            };
            match written {
                Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    self.session.sent(count);
                    has_sent = true;
                }
                Err(error) => break Err(error),
            }
        };
        let was_blocked = self.blocked;
        self.blocked = match outcome {
            Ok(()) => false,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            Err(error) => return Err(error.into()),
        };
        if has_sent || (self.blocked && !was_blocked) {
            self.progressed = Instant::now();
        }
        Ok(has_sent)
    }

    /// When the client is late.
    fn deadline(&self, options: &Options) -> Option<Instant> {
        let negotiating = self.session.is_negotiating();
        let late = |since: Instant, timeout: Option<Duration>| since.checked_add(timeout?);
        [
            late(self.began, options.negotiation_timeout).filter(|_| negotiating),
            late(self.progressed, options.write_timeout).filter(|_| self.blocked),
            late(self.received.max(self.progressed), options.idle_timeout),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
