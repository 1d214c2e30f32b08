//! One client's connection, a step at a time.
//!
//! In: the facts that the socket is ready, that an event was emitted, or that a
//! deadline has passed; results of commands. Out: replies and events on the
//! socket, the next command to execute, and what to wait for. A connection
//! never blocks, and knows neither threads nor listeners.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use qapi_stats::wire::Error;

use super::budget::Held;
use super::conversation::{Conversation, Task, TaskResult};
use super::options::Options;
use super::stream::{Stream, Transport};
use crate::monitor::Monitor;
use crate::qmp::Command;

/// A connected client.
#[derive(Debug)]
pub(super) struct Connection<T = Stream> {
    stream: T,
    conversation: Conversation,
    has_input_ended: bool,
    /// The bytes that may still be read before the input counts as ended, because
    /// the server ends.
    last_bytes: Option<usize>,
    /// `true` until the client has sent its first bytes, by which an HTTP request
    /// is recognized.
    expects_opening: bool,
    /// `true` while output waits for the client to read.
    is_blocked: bool,
    /// A task for which no thread is free.
    parked: Option<Task>,
    /// The time since which no thread has been free for the next command.
    parked_since: Option<Instant>,
    began: Instant,
    /// The bytes that were moved since [`take_traffic`](Self::take_traffic).
    traffic: Traffic,
    /// The time when the client last sent something.
    received: Instant,
    /// The time when the client last read something, or when its output began
    /// to wait.
    progressed: Instant,
}

/// Numbers of bytes that went over the socket.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    pub(super) received: u64,
    pub(super) sent: u64,
}

/// The reason for a step.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ready {
    /// The socket has bytes to read, or has failed, which reading reports.
    pub(super) to_read: bool,
    /// Both directions of the socket are shut down.
    pub(super) hung_up: bool,
    /// The server ends: the connection reads what the client has sent, and then
    /// takes the input for ended.
    pub(super) must_end: bool,
}

impl Ready {
    /// Returns both reasons.
    pub(super) fn or(self, other: Self) -> Self {
        Self {
            to_read: self.to_read || other.to_read,
            hung_up: self.hung_up || other.hung_up,
            must_end: self.must_end || other.must_end,
        }
    }
}

/// The buffers that a thread lends to each connection that it steps.
#[derive(Debug)]
pub(super) struct Buffers {
    input: Vec<u8>,
    /// The text of a reply. The session takes it without copying, and returns
    /// its allocation once the client has read the reply.
    pub(super) reply: Vec<u8>,
}

/// The room for replies that every thread may keep.
const REPLY_BYTES_KEPT: usize = 1 << 20;

/// The number of bytes that are read at a time at first: more than a request of most
/// clients. Servers without threads have a buffer each, and a program may have thousands.
const INPUT_BYTES: usize = 4 << 10;

/// The number of bytes that are read at a time once a message has filled the buffer.
const LONG_INPUT_BYTES: usize = 64 << 10;

impl Buffers {
    pub(super) fn new() -> Self {
        Self {
            input: vec![0; INPUT_BYTES],
            reply: Vec::new(),
        }
    }

    /// Returns whether the reply buffer has more than [`REPLY_BYTES_KEPT`] bytes.
    pub(super) fn has_large_reply(&self) -> bool {
        self.reply.capacity() > REPLY_BYTES_KEPT
    }

    /// Returns whether there is room for replies to give back.
    pub(super) fn has_reply_room(&self) -> bool {
        self.reply.capacity() > 0
    }

    /// Gives the room for replies back.
    pub(super) fn shrink(&mut self) {
        self.reply = Vec::new();
    }
}

/// The rounds of sending, executing and reading in one step, so that a client who
/// types into the human monitor as fast as it reads the echo holds nobody up.
const ROUNDS_MAX: usize = 64;

/// The bytes that a client may have sent before the server ended, and that are
/// read afterwards. More than a socket's buffer has by default, so that only a
/// client which goes on sending is cut short.
const LAST_BYTES_MAX: usize = 4 << 20;

/// The outcome of a step.
#[derive(Debug)]
pub(super) enum Step {
    /// The caller must execute a task. The connection may be stepped meanwhile.
    Execute(Task),
    /// The connection waits until its socket is ready or its deadline passes.
    Wait,
    /// The connection could go on, but has had its turn.
    Yield,
}

/// The socket events that a connection waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Interest {
    pub(super) read: bool,
    pub(super) write: bool,
}

/// The reason why a connection ends.
#[derive(Debug)]
pub(super) enum End {
    /// The session is over.
    Over,
    /// The client has kept the server waiting.
    Late(Lateness),
    /// The client has left while its command is executed.
    HungUp,
    /// The client speaks HTTP.
    Http,
    /// The socket or the TLS channel has failed.
    Broken(io::Error),
    /// The clients together hold too much, and this one holds the most.
    Evicted,
    /// The server stops.
    Stopped,
    /// The step panicked.
    Panicked,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Over => "the session is over",
            Self::Late(Lateness::Negotiating) => "no capabilities were negotiated in time",
            Self::Late(Lateness::Reading) => "the client has not read its output in time",
            Self::Late(Lateness::Idle) => "the client was idle for too long",
            Self::HungUp => "the client left while its command was executed",
            Self::Http => "the client's first byte is a letter, as in HTTP, and not JSON",
            Self::Broken(error) => return write!(f, "the connection failed: {error}"),
            Self::Evicted => "the clients hold too many bytes, and this one the most",
            Self::Stopped => "the server stops",
            Self::Panicked => "the server panicked, which is a bug of stats-runtime",
        })
    }
}

impl End {
    /// Returns whether the connection was lost: ended by a failure, a limit or a
    /// panic, instead of by the client or the VMM.
    pub(super) fn is_loss(&self) -> bool {
        match self {
            Self::Over | Self::HungUp | Self::Stopped => false,
            // The client left and did not read everything.
            Self::Broken(error) => !matches!(
                error.kind(),
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe
            ),
            Self::Late(_) | Self::Http | Self::Evicted | Self::Panicked => true,
        }
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Broken(error)
    }
}

/// The way in which a client keeps the server waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Lateness {
    /// The client does not negotiate capabilities.
    Negotiating,
    /// The client does not read its output.
    Reading,
    /// The client neither sends nor is sent anything.
    Idle,
}

impl<T: Transport> Connection<T> {
    pub(super) fn new(stream: T, conversation: Conversation) -> Self {
        let now = Instant::now();
        Self {
            expects_opening: stream.is_tcp(),
            stream,
            conversation,
            has_input_ended: false,
            last_bytes: None,
            is_blocked: false,
            parked: None,
            parked_since: None,
            began: now,
            traffic: Traffic::default(),
            received: now,
            progressed: now,
        }
    }

    /// Returns how many bytes were moved since the last call.
    pub(super) fn take_traffic(&mut self) -> Traffic {
        std::mem::take(&mut self.traffic)
    }

    /// Returns what the client makes the server hold.
    pub(super) fn held(&self) -> Held {
        let held = self.conversation.held();
        Held {
            bytes: held.bytes + self.stream.held_bytes(),
            ..held
        }
    }

    /// Returns the socket events to wait for.
    pub(super) fn interest(&self) -> Interest {
        Interest {
            read: self.wants_input(),
            write: self.is_blocked,
        }
    }

    /// Returns whether the client may send out-of-band commands, so that the
    /// socket must be read while a command is executed.
    pub(super) fn is_oob(&self) -> bool {
        self.conversation.is_oob()
    }

    /// Returns the maximum length of a reply in bytes.
    pub(super) fn reply_bytes_max(&self) -> usize {
        self.conversation.reply_bytes_max()
    }

    /// Does everything that can be done without blocking, up to the next
    /// command. Reads at most one buffer, so that other clients get their turn.
    pub(super) fn step(
        &mut self,
        ready: Ready,
        results: Vec<TaskResult>,
        monitor: &Monitor,
        options: &Options,
        buffers: &mut Buffers,
    ) -> Result<Step, End> {
        for result in results {
            self.conversation.finish(result);
        }
        if ready.must_end {
            self.last_bytes.get_or_insert(LAST_BYTES_MAX);
        }
        let stepped = if ready.hung_up && self.conversation.is_executing() {
            Err(End::HungUp)
        } else {
            self.converse(ready.to_read, monitor, &mut buffers.input)
        };
        match &stepped {
            Ok(_) => self.conversation.shrink(&mut buffers.reply),
            Err(_) => {
                // Ignore the error: the connection ends even if the client does
                // not take the end of the TLS channel.
                let _ = self.stream.finish();
            }
        }
        let step = stepped?;
        if let Some(lateness) = self.lateness(Instant::now(), options) {
            return Err(End::Late(lateness));
        }
        Ok(step)
    }

    /// Sends, executes what needs no command, and reads, until a command comes
    /// or a whole round changes nothing.
    ///
    /// After a round that changed nothing, no request can be executed, no event
    /// can be delivered, and nothing can be sent. A loop that ended earlier, for
    /// example because the socket had nothing to read, could leave a request
    /// that waits until the client sends something else.
    fn converse(
        &mut self,
        mut may_read: bool,
        monitor: &Monitor,
        buffer: &mut Vec<u8>,
    ) -> Result<Step, End> {
        // Once the socket refuses output, only the kernel knows when it takes
        // more: `is_blocked` then makes the connection wait for that.
        let mut may_send = true;
        for _ in 0..ROUNDS_MAX {
            // Deliver events also while the handshake lasts. The session discards
            // them, but those that were due at the connection's deadline would
            // otherwise stay due, and the timer would fire again at once.
            self.conversation.deliver();
            if self.stream.is_established()
                && let Some(task) = self.next_task(monitor)
            {
                // Replies to earlier requests must not wait for this one.
                self.send(&mut may_send)?;
                return Ok(Step::Execute(task));
            }
            let mut has_changed = self.send(&mut may_send)?;
            if self.conversation.is_over() && !self.is_blocked {
                return match self.stream.finish() {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        self.progressed = Instant::now();
                        self.is_blocked = true;
                        Ok(Step::Wait)
                    }
                    _ => Err(End::Over),
                };
            }
            // The kernel does not know of bytes that the TLS channel has
            // received, so they must not wait for its next event.
            let may_read_again = self.last_bytes.is_some() || self.stream.has_input();
            let has_unread = may_read || may_read_again;
            if !has_changed && has_unread && self.wants_input() {
                has_changed = self.read(buffer)?;
                may_read = false;
            }
            if !has_changed {
                return Ok(Step::Wait);
            }
        }
        Ok(Step::Yield)
    }

    /// Returns the task that waits for a thread, or the next one.
    fn next_task(&mut self, monitor: &Monitor) -> Option<Task> {
        match self.parked.take() {
            Some(task) => Some(task),
            None => self.conversation.next(monitor),
        }
    }

    /// Keeps the task that the last step returned for the next step, because
    /// other clients come first.
    pub(super) fn hold_back(&mut self, task: Task) {
        self.parked = Some(task);
    }

    /// Records that the task that the last step returned is executed.
    pub(super) fn begin_task(&mut self) {
        self.parked_since = None;
    }

    /// Keeps the task that the last step returned for the next step, because no
    /// thread is free for it. Answers a command with an error instead, and returns
    /// `true`, if it has waited too long. A line of the human monitor waits on.
    pub(super) fn park(&mut self, task: Task, options: &Options) -> bool {
        #[allow(
            clippy::infallible_destructuring_match,
            reason = "there is a second variant with feature `hmp`"
        )]
        let command = match task {
            Task::Command(command) => command,
            #[cfg(feature = "hmp")]
            line @ Task::Line(_) => {
                self.parked = Some(line);
                return false;
            }
        };
        let since = self.parked_since.get_or_insert_with(Instant::now);
        if since.elapsed() < options.busy_timeout {
            self.parked = Some(Task::Command(command));
            return false;
        }
        self.parked_since = None;
        let Command { ticket, info, .. } = command;
        let error = Error::generic(format!(
            "The command {} was not executed: all {} threads wait for commands that do not return",
            info.name, options.threads
        ));
        self.conversation
            .finish_command(ticket, Err(error), &mut Vec::new());
        true
    }

    /// Reads once. Returns whether that changed anything.
    fn read(&mut self, buffer: &mut Vec<u8>) -> Result<bool, End> {
        let was_established = self.stream.is_established();
        match self.receive(buffer) {
            Ok(0) if !was_established => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(0) => {
                self.has_input_ended = true;
                self.conversation.end_of_input();
                Ok(true)
            }
            Ok(count) => {
                self.received = Instant::now();
                self.traffic.received += as_u64(count);
                let bytes = buffer.get(..count).unwrap_or_default();
                self.refuse_http(bytes)?;
                self.conversation.receive(bytes);
                if count == buffer.len() {
                    buffer.resize(LONG_INPUT_BYTES, 0);
                }
                Ok(true)
            }
            // A handshake may have ended, or have something to send.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(!was_established),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads from the socket. Returns 0 at the end, which comes early if the server
    /// ends.
    fn receive(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = match self.last_bytes {
            Some(0) => Ok(0),
            _ => self.stream.read(buffer),
        };
        let Some(last_bytes) = &mut self.last_bytes else {
            return count;
        };
        match count {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            count => {
                *last_bytes = last_bytes.saturating_sub(*count.as_ref().unwrap_or(&0));
                count
            }
        }
    }

    /// Ends the connection if a TCP client begins with a letter, as HTTP
    /// requests do and QMP requests do not. A web page can make a browser send
    /// an HTTP request with any body to any port of the user's machine, and a
    /// body may hold commands.
    fn refuse_http(&mut self, bytes: &[u8]) -> Result<(), End> {
        if self.expects_opening
            && let Some(first) = bytes.iter().find(|byte| !byte.is_ascii_whitespace())
        {
            self.expects_opening = false;
            if first.is_ascii_alphabetic() {
                return Err(End::Http);
            }
        }
        Ok(())
    }

    /// Sends as much output as the socket takes. Returns whether it took any.
    /// Clears `may_send` once the socket takes no more.
    fn send(&mut self, may_send: &mut bool) -> Result<bool, End> {
        let mut has_sent = false;
        while *may_send {
            let output = if self.stream.is_established() {
                self.conversation.output()
            } else {
                &[]
            };
            let written = if output.is_empty() {
                self.stream.flush().map(|()| 0)
            } else {
                self.stream.write(output)
            };
            match written {
                Ok(0) if output.is_empty() => {
                    self.is_blocked = false;
                    break;
                }
                Ok(0) => return Err(io::Error::from(io::ErrorKind::WriteZero).into()),
                Ok(count) => {
                    self.conversation.sent(count);
                    self.traffic.sent += as_u64(count);
                    self.progressed = Instant::now();
                    has_sent = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if !self.is_blocked {
                        self.progressed = Instant::now();
                    }
                    self.is_blocked = true;
                    *may_send = false;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(has_sent)
    }

    /// Returns whether to read from the socket. While a command is executed,
    /// only a client that may send out-of-band commands has something to say.
    /// While a command is parked, every step returns that command before it
    /// reads, so the kernel would report the same input again and again.
    fn wants_input(&self) -> bool {
        let may_read_ahead = !self.conversation.is_executing() || self.conversation.is_oob();
        may_read_ahead
            && self.parked.is_none()
            && !self.has_input_ended
            && self.conversation.wants_input()
    }

    /// Returns how the client has kept the server waiting for too long, or `None`
    /// if it has not.
    pub(super) fn lateness(&self, now: Instant, options: &Options) -> Option<Lateness> {
        let (deadline, lateness) = self.client_deadline(options)?;
        (deadline <= now).then_some(lateness)
    }

    /// Returns when to step the connection although nothing happens.
    pub(super) fn deadline(&self, options: &Options) -> Option<Instant> {
        let parked = self.parked_since;
        let parked = parked.and_then(|since| since.checked_add(options.busy_timeout));
        let deadlines = [
            self.client_deadline(options).map(|(deadline, _)| deadline),
            self.conversation.next_deadline(),
            parked,
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Returns when the client is late, and in which way.
    fn client_deadline(&self, options: &Options) -> Option<(Instant, Lateness)> {
        let late = |since: Instant, timeout: Option<Duration>, lateness| {
            Some((since.checked_add(timeout?)?, lateness))
        };
        let active = self.received.max(self.progressed);
        let deadlines = [
            late(
                self.began,
                options.negotiation_timeout,
                Lateness::Negotiating,
            )
            .filter(|_| self.conversation.is_negotiating()),
            late(self.progressed, options.write_timeout, Lateness::Reading)
                .filter(|_| self.is_blocked),
            late(active, options.idle_timeout, Lateness::Idle)
                .filter(|_| !self.conversation.is_executing()),
        ];
        deadlines.into_iter().flatten().min()
    }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

#[cfg(test)]
mod tests;
