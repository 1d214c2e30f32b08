//! A session: the protocol's state for one client.
//!
//! In: bytes, outcomes, events. Out: commands to execute, and bytes. It never
//! executes anything itself, and everything it holds is bounded by [`Limits`].

use std::collections::VecDeque;
use std::sync::Arc;

use qapi_stats::control::commands::QmpCapabilities;
use qapi_stats::control::{QMPCapability, VersionInfo};
use qapi_stats::wire::command::{Call, CommandInfo, CommandSet};
use qapi_stats::wire::compat::Policy;
use qapi_stats::wire::json::MessageReader;
use qapi_stats::wire::{Context, Error, Node, Special, Writer};

use super::limits::Limits;
use super::reply;
use super::request::{Arguments, Malformed, Request};

mod delivery;

/// Which command an outcome belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ticket(u64);

/// A command to execute. When it is done, hand its outcome to
/// [`Session::finish`].
#[derive(Debug)]
pub struct Command {
    /// What to finish it with.
    pub ticket: Ticket,
    /// What the schema says of it.
    pub info: &'static CommandInfo,
    /// Its arguments, not yet decoded.
    pub arguments: Arguments,
    /// Whether it overtakes others: see the protocol's "out-of-band".
    pub oob: bool,
}

/// The protocol's state for one client.
#[derive(Debug)]
pub struct Session {
    limits: Limits,
    policy: Policy,
    reader: MessageReader,
    output: Vec<u8>,
    /// How much of the output has been sent.
    sent_bytes: usize,
    /// Whether the output's room is somebody else's.
    is_output_borrowed: bool,
    phase: Phase,
    /// In-band requests that wait for their turn.
    queue: VecDeque<Queued>,
    /// Commands handed out and not yet finished.
    running: Vec<Running>,
    next_ticket: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Negotiating,
    Executing { oob: bool },
    Closed,
}

/// What waits for its turn: errors keep their place among the requests.
#[derive(Debug)]
enum Queued {
    Request(Request),
    Error(Malformed),
}

#[derive(Debug)]
struct Running {
    ticket: Ticket,
    /// The request, which has the id to reply under.
    request: Arc<Request>,
    info: &'static CommandInfo,
    oob: bool,
}

/// From here on output that has been sent is cut off even though more waits.
const OUTPUT_COMPACT_BYTES: usize = 64 << 10;

/// How much is read while a command is being executed.
const READ_AHEAD_BYTES: usize = 64 << 10;

impl Session {
    /// A session that has just begun: its output is the greeting.
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
            is_output_borrowed: false,
            phase: Phase::Negotiating,
            queue: VecDeque::new(),
            running: Vec::new(),
            next_ticket: 0,
        }
    }

    /// What becomes of what is deprecated or unstable: in commands, replies
    /// and events. [`run`](Self::run) takes the policy of its context; who
    /// executes commands otherwise sets it here, and decodes their arguments
    /// in a context that has the same.
    pub fn set_policy(&mut self, policy: Policy) {
        self.policy = policy;
    }

    /// Takes bytes from the client, cut anywhere.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.phase != Phase::Closed {
            self.reader.receive(bytes);
        }
    }

    /// The client sends no more. What it has sent is still answered.
    pub fn end_of_input(&mut self) {
        self.reader.end();
    }

    /// Whether to read from the client now. False while it does not read its
    /// replies, or has sent more than can be executed.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        // While a command is executed, what comes next can wait in the socket.
        let pending_bytes_max = if self.running.is_empty() {
            self.limits.message.message_bytes_max
        } else {
            READ_AHEAD_BYTES
        };
        self.phase != Phase::Closed
            && self.output().len() < self.limits.output_bytes_high
            && self.reader.pending_bytes() <= pending_bytes_max
            && self.queue.len() < self.limits.queued_requests_max
    }

    /// Whether the session is over: the output has been sent, and there will
    /// be no more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let idle = self.running.is_empty() && self.queue.is_empty();
        match self.phase {
            Phase::Closed => self.output().is_empty(),
            _ => idle && self.output().is_empty() && self.reader.is_exhausted(),
        }
    }

    /// Ends the session. What stands in the output is still to be sent.
    pub fn close(&mut self) {
        self.phase = Phase::Closed;
        self.queue.clear();
    }

    /// The next command to execute, if there is one now. Errors that need no
    /// command are answered on the way, and so is the negotiation.
    ///
    /// Without the out-of-band capability the next command comes when the one
    /// before is finished.
    pub fn next(&mut self, commands: &dyn CommandSet) -> Option<Command> {
        loop {
            if self.phase == Phase::Closed || self.output().len() >= self.limits.output_bytes_high {
                return None;
            }
            let in_band_is_free = self.running.iter().all(|running| running.oob);
            let queued = if in_band_is_free {
                self.queue.pop_front()
            } else {
                None
            };
            let next = match queued {
                Some(next) => next,
                None => self.read()?,
            };
            let overtakes = matches!(&next, Queued::Request(request) if request.oob);
            if !in_band_is_free && !overtakes {
                self.queue.push_back(next);
                continue;
            }
            match next {
                Queued::Error(malformed) => {
                    self.answer_error(malformed.id(), &malformed.error);
                }
                Queued::Request(request) => {
                    if let Some(command) = self.admit(request, commands) {
                        return Some(command);
                    }
                }
            }
        }
    }

    /// Answers a command: with what `write` writes, or with its error, of
    /// which what was written before is cut off. A ticket that has been
    /// finished already has no effect.
    pub fn finish(
        &mut self,
        ticket: Ticket,
        write: impl FnOnce(&mut Writer<'_>) -> Result<(), Error>,
    ) {
        let Some(index) = self
            .running
            .iter()
            .position(|running| running.ticket == ticket)
        else {
            return;
        };
        let Running { request, info, .. } = self.running.swap_remove(index);
        if self.phase != Phase::Closed {
            self.compact_output();
            let bytes_max = self.limits.reply_bytes_max;
            reply::reply(
                &mut self.output,
                request.id(),
                info.success_response,
                bytes_max,
                self.policy,
                write,
            );
        }
    }

    /// Executes everything that can be executed now, one after the other, in
    /// the caller's thread, by the policy of the context.
    ///
    /// It ends early when much output waits: call it again when that has been
    /// [sent](Self::sent), before waiting for input.
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

    /// What is to be sent to the client.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.get(self.sent_bytes..).unwrap_or_default()
    }

    /// The first `count` bytes of the output have been sent.
    pub fn sent(&mut self, count: usize) {
        self.sent_bytes = self.sent_bytes.saturating_add(count).min(self.output.len());
        if self.sent_bytes == self.output.len() {
            self.output.clear();
            self.sent_bytes = 0;
            if !self.is_output_borrowed {
                self.output.shrink_to(self.limits.output_bytes_high);
            }
        }
    }

    fn compact_output(&mut self) {
        if self.sent_bytes >= OUTPUT_COMPACT_BYTES {
            self.output.drain(..self.sent_bytes);
            self.sent_bytes = 0;
        }
    }

    /// Reads one message, if there is room for another.
    fn read(&mut self) -> Option<Queued> {
        let oob = self.phase == Phase::Executing { oob: true };
        // Without the capability nothing is read ahead.
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
            Ok(message) => match Request::new(message, oob) {
                Ok(request) => Queued::Request(request),
                Err(malformed) => Queued::Error(malformed),
            },
            Err(error) => Queued::Error(Malformed::unparsed(error.into())),
        })
    }

    /// Looks a request's command up. What cannot be executed is answered.
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
        // The generated dispatch asks the same, but in QEMU's order it comes
        // before what follows here.
        let special = Special::among(info.features);
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
                let id = request.id();
                reply::reply(&mut self.output, id, true, usize::MAX, self.policy, |out| {
                    out.raw(b"{}");
                    Ok(())
                });
            }
            Err(error) => self.answer_error(request.id(), &error),
        }
    }

    fn answer_error(&mut self, id: Option<Node<'_>>, error: &Error) {
        self.compact_output();
        reply::error(&mut self.output, id, error);
    }
}

/// Which capabilities a client switches on: whether out-of-band execution is
/// among them.
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
