//! A session: the protocol's state for one client.
//!
//! In: bytes, outcomes of commands, events. Out: commands to execute, and
//! bytes. A session executes nothing itself, and [`Limits`] bound everything
//! it buffers.

use std::collections::VecDeque;
use std::sync::Arc;

use qapi_stats::control::commands::QmpCapabilities;
use qapi_stats::control::{QMPCapability, VersionInfo};
use qapi_stats::wire::command::{Call, CommandInfo, CommandSet};
use qapi_stats::wire::compat::Policy;
use qapi_stats::wire::json::MessageReader;
use qapi_stats::wire::{Context, Error, Node, SpecialFeatures, Writer};

use super::limits::Limits;
use super::reply;
use super::request::{Arguments, Malformed, Request};

mod output;

/// The key under which a session expects the outcome of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// A command to execute. Report its outcome with [`Session::finish`].
#[derive(Debug)]
pub struct Command {
    /// The key to finish the command with.
    pub ticket: Ticket,
    /// The schema's description of the command.
    pub info: &'static CommandInfo,
    /// The arguments, which have not been decoded yet.
    pub arguments: Arguments,
    /// Whether the client asked for out-of-band execution, in which the command
    /// overtakes the in-band commands that wait or run.
    pub oob: bool,
}

/// The protocol's state for one client.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    policy: Policy,
    reader: MessageReader,
    output: Vec<u8>,
    /// The number of bytes at the start of `output` that have been sent.
    sent_bytes: usize,
    phase: Phase,
    /// The in-band requests that wait for their turn.
    queue: VecDeque<Queued>,
    /// The commands that were handed out and are not finished: at most one
    /// in-band and one out-of-band command.
    running: Vec<Running>,
    next_ticket: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Negotiating,
    Executing { oob: bool },
    Closed,
}

/// A message in the queue. Malformed messages wait in it too, so that their
/// errors are sent in the order of the requests.
type Queued = Result<Request, Malformed>;

#[derive(Debug)]
struct Running {
    ticket: Ticket,
    /// The request, which has the id to reply under.
    request: Arc<Request>,
    info: &'static CommandInfo,
    oob: bool,
}

/// The number of sent bytes from which they are removed from the output even
/// though unsent bytes follow.
const OUTPUT_COMPACT_BYTES: usize = 64 << 10;

/// The number of bytes that are read ahead while a command runs.
const READ_AHEAD_BYTES: usize = 64 << 10;

impl Session {
    /// Creates a session whose output is the greeting.
    #[must_use]
    pub fn new(version: &VersionInfo, limits: Limits) -> Self {
        let mut output = Vec::new();
        reply::greeting(&mut output, version);
        Self {
            limits,
            policy: Policy::ACCEPT,
            reader: MessageReader::new(limits.message),
            output,
            sent_bytes: 0,
            phase: Phase::Negotiating,
            queue: VecDeque::new(),
            running: Vec::new(),
            next_ticket: 0,
        }
    }

    /// Sets the compatibility policy for deprecated and unstable commands,
    /// members and events. [`run`](Self::run) sets the policy of its context;
    /// call this only if you execute commands yourself, and decode their
    /// arguments in a context with the same policy.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Buffers bytes from the client. The bytes may be cut anywhere.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.phase != Phase::Closed {
            self.reader.receive(bytes);
        }
    }

    /// Records that the client sends no more. The session still answers the
    /// requests that were received before.
    pub fn end_of_input(&mut self) {
        self.reader.end();
    }

    /// Returns whether to read from the client now. Returns `false` while the
    /// client leaves its replies unread or has sent more than can be executed.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        // While a command runs, further requests can wait in the socket.
        let pending_bytes_max = if self.running.is_empty() {
            self.limits.message.message_bytes_max
        } else {
            READ_AHEAD_BYTES
        };
        self.phase != Phase::Closed
            && self.has_room()
            && self.reader.pending_bytes() <= pending_bytes_max
            && self.queue.len() < self.limits.queued_requests_max
    }

    /// Returns whether the session is over: all output has been sent, and no
    /// more will follow.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let idle = self.running.is_empty() && self.queue.is_empty();
        match self.phase {
            Phase::Closed => self.output().is_empty(),
            _ => idle && self.output().is_empty() && self.reader.is_exhausted(),
        }
    }

    /// Ends the session. The output that has been written is still to be sent.
    pub fn close(&mut self) {
        self.phase = Phase::Closed;
        self.queue.clear();
    }

    /// Returns the next command to execute, or `None` if no command can be
    /// executed now. Negotiates, and answers requests that fail before they are
    /// executed, on the way.
    ///
    /// Without the out-of-band capability the next command follows when the
    /// one before is finished. With it, one in-band and one out-of-band command
    /// may run at the same time.
    pub fn next(&mut self, commands: &dyn CommandSet) -> Option<Command> {
        loop {
            // A second out-of-band command waits for the first, so that their
            // replies keep the order of the requests.
            let is_oob_busy = self.running.iter().any(|running| running.oob);
            if self.phase == Phase::Closed || !self.has_room() || is_oob_busy {
                return None;
            }
            let in_band_is_free = self.running.is_empty();
            let queued = if in_band_is_free {
                self.queue.pop_front()
            } else {
                None
            };
            let next = match queued {
                Some(next) => next,
                None => self.read()?,
            };
            let overtakes = next.as_ref().is_ok_and(|request| request.oob);
            if !in_band_is_free && !overtakes {
                self.queue.push_back(next);
                continue;
            }
            match next {
                Err(malformed) => {
                    self.answer_error(malformed.id(), &malformed.error);
                }
                Ok(request) => {
                    if let Some(command) = self.admit(request, commands) {
                        return Some(command);
                    }
                }
            }
        }
    }

    /// Writes the reply for `ticket`. If `write` fails, discards its partial
    /// output and replies with the error. Does nothing for a ticket that is
    /// finished already.
    pub fn finish(
        &mut self,
        ticket: Ticket,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    ) {
        if self.running.iter().any(|running| running.ticket == ticket) {
            let mut reply = self.take_room();
            let outcome = self.begin_reply(&mut reply, write);
            self.finish_reply(ticket, outcome, &mut reply);
            self.give_room(reply);
        }
    }

    /// Executes every command that can be executed now, one after the other, in
    /// the caller's thread, with the policy of `context`.
    ///
    /// Returns early when much output waits: call it again when the output has
    /// been [sent](Self::sent), before waiting for input.
    pub fn run(&mut self, commands: &dyn CommandSet, context: &Context<'_>) {
        self.set_policy(context.policy());
        while let Some(Command {
            ticket,
            info,
            arguments,
            ..
        }) = self.next(commands)
        {
            let call = Call {
                name: info.name,
                arguments: arguments.root(),
                context,
            };
            self.finish(ticket, |reply| commands.execute(call, reply));
        }
    }

    /// Reads one message if the queue has room for another.
    fn read(&mut self) -> Option<Queued> {
        let oob = self.phase == Phase::Executing { oob: true };
        // A client without the out-of-band capability has no message read ahead.
        let room = if oob {
            self.limits.queued_requests_max
        } else {
            0
        };
        let busy = self.running.iter().any(|running| !running.oob);
        if busy && self.queue.len() >= room {
            return None;
        }
        let message = self.reader.next_message()?;
        Some(match message {
            Ok(message) => Request::new(message, oob),
            Err(error) => Err(Malformed::unparsed(error.into())),
        })
    }

    /// Looks up the command of a request. Answers the request with an error,
    /// and returns `None`, if it cannot be executed.
    fn admit(&mut self, request: Request, commands: &dyn CommandSet) -> Option<Command> {
        let oob = request.oob;
        let command = request.command();
        if self.phase == Phase::Negotiating {
            self.negotiate(&request);
            return None;
        }
        let Some(info) = commands.command(command) else {
            let desc = format!("The command {command} has not been found");
            self.answer_error(request.id(), &Error::command_not_found(desc));
            return None;
        };
        // The generated dispatch checks the policy as well. QEMU checks it
        // before the request's out-of-band mark, so it is checked here first.
        let special = SpecialFeatures::among(info.features);
        if let Err(error) = self.policy.command(info.name, special) {
            self.answer_error(request.id(), &error);
            return None;
        }
        if oob && !info.allow_oob {
            let desc = format!("The command {command} does not support OOB");
            self.answer_error(request.id(), &Error::generic(desc));
            return None;
        }
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        let request = Arc::new(request);
        let arguments = Arguments::new(Arc::clone(&request));
        self.running.push(Running {
            ticket,
            request,
            info,
            oob,
        });
        Some(Command {
            ticket,
            info,
            arguments,
            oob,
        })
    }

    fn negotiate(&mut self, request: &Request) {
        let outcome = if request.command() == "qmp_capabilities" {
            capabilities(request.arguments())
        } else {
            Err(Error::command_not_found(
                "Expecting capabilities negotiation with 'qmp_capabilities'",
            ))
        };
        match outcome {
            Ok(oob) => {
                self.phase = Phase::Executing { oob };
                self.compact_output();
                self.output.extend_from_slice(b"{\"return\": {}");
                reply::finish(&mut self.output, request.id());
            }
            Err(error) => self.answer_error(request.id(), &error),
        }
    }
}

/// Decodes the arguments of `qmp_capabilities`. Returns whether the client
/// switches out-of-band execution on.
fn capabilities(arguments: Node<'_>) -> Result<bool, Error> {
    let context = Context::strict();
    let call = Call {
        name: "qmp_capabilities",
        arguments,
        context: &context,
    };
    let QmpCapabilities { enable } = call.arguments()?;
    Ok(enable.unwrap_or_default().contains(&QMPCapability::Oob))
}
