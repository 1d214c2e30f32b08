//! A client's side of one connection, without I/O.
//!
//! In: bytes from the server, and typed requests. Out: bytes for the server, and
//! for each request its own reply. This file has no socket and no thread, and no
//! clock: a driver tells it when the time for a call is over.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::error::ClientError;
use super::event_queue::EventQueue;
use super::opening::{Absence, Opening};
use super::options::Options;
use super::outbox::Outbox;
use super::version::Version;
use crate::command::{CommandInfo, Empty, Request};
use crate::context::Context;
use crate::decode::from_node;
use crate::document::Node;
use crate::encode::{EncodeMembers, ObjectWriter, to_vec};
use crate::error::Error;
use crate::message::{
    EventMessage, Greeting, InvalidMessage, Message, Messages, Outcome, Reply, RequestId,
    RequestIds, write_oob_request, write_request,
};
use crate::value::{Dict, Value};

/// The name of the capability for out-of-band execution.
const OOB: &str = "oob";

/// A client's side of one connection, without I/O: the driver of a socket moves
/// bytes in and out of it. [`Client`](super::Client) and `AsyncClient` are drivers;
/// write another one for an event loop of your own.
///
/// The session answers the greeting by itself. A call is [`call`](Self::call), then
/// [`take_reply`](Self::take_reply) until the reply is there, or
/// [`give_up`](Self::give_up) when the time is over. Every other reply is dropped:
/// late ones, and those that another client has not read.
///
/// # Memory
///
/// A session keeps one unfinished message of the server; one reply for each call
/// that is waited for; the unread events of each subscription, up to its bound; the
/// requests of calls that are waited for; and at most one half-sent request of a call
/// that is not.
///
/// # Example
///
/// ```
/// use std::time::Duration;
///
/// use qapi_wire::client::{Options, Session};
/// use qapi_wire::command::{CommandInfo, Empty, Request};
/// use qapi_wire::{EncodeMembers, ObjectWriter};
///
/// // What qapi-gen makes of { 'command': 'stop' }
/// struct Stop;
/// impl EncodeMembers for Stop {
///     fn encode_members(&self, _: &mut ObjectWriter<'_, '_>) {}
/// }
/// impl Request for Stop {
///     type Reply = Empty;
///     const INFO: &'static CommandInfo = &CommandInfo::new("stop");
/// }
///
/// /// A server that answers every request with success.
/// fn serve(request: &[u8]) -> String {
///     let request = qapi_wire::Document::parse(request).unwrap();
///     let id = request.root().get("id").and_then(|id| id.as_str()).unwrap();
///     format!("{{\"return\": {{}}, \"id\": \"{id}\"}}\r\n")
/// }
///
/// let mut session = Session::new(Options::default());
/// let greeting = r#"{"QMP": {"version": {"qemu": {"major": 7, "minor": 2, "micro": 0}}}}"#;
/// session.receive(greeting.as_bytes());
/// while session.version().is_none() {
///     // Send the request qmp_capabilities, and receive its reply.
///     let request = session.unsent().to_vec();
///     session.sent(request.len());
///     session.receive(serve(&request).as_bytes());
/// }
/// let call = session.call(&Stop)?;
/// let request = session.unsent().to_vec();
/// session.sent(request.len());
/// session.receive(serve(&request).as_bytes());
/// assert!(session.take_reply(&call).is_some());
/// # Ok::<(), qapi_wire::client::ClientError>(())
/// ```
#[derive(Debug)]
pub struct Session {
    options: Options,
    messages: Messages,
    ids: RequestIds,
    state: State,
    greeting: Option<Greeting>,
    /// The server's version, once the negotiation has succeeded.
    version: Option<Version>,
    outbox: Outbox,
    calls: HashMap<RequestId, Call>,
    /// The last reply without an id that came while a call was waited for.
    unaddressed: Option<Unaddressed>,
    queues: Vec<(Subscriber, EventQueue)>,
    last_subscriber: u64,
    late_replies: u64,
    foreign_replies: u64,
}

/// The phases of a connection.
#[derive(Debug)]
enum State {
    Opening(Box<Opening>),
    /// The request `qmp_capabilities` has been made.
    Negotiating {
        id: RequestId,
        enables_oob: bool,
        version: Version,
    },
    Ready {
        out_of_band: bool,
    },
    Ended(ClientError),
}

/// A call whose reply somebody waits for.
#[derive(Debug)]
struct Call {
    command: String,
    outcome: Option<Outcome>,
}

/// A reply without an id.
#[derive(Debug)]
enum Unaddressed {
    Return,
    Error(Error),
}

/// The key of a subscription to a session's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscriber(u64);

/// The request that ends the negotiation.
struct Negotiate {
    enable: Option<Vec<String>>,
}

impl EncodeMembers for Negotiate {
    fn encode_members(&self, out: &mut ObjectWriter<'_, '_>) {
        out.optional("enable", &self.enable);
    }
}

impl Request for Negotiate {
    type Reply = Empty;
    const INFO: &'static CommandInfo = &CommandInfo::new("qmp_capabilities");
}

impl Session {
    /// Creates the session of a connection on which nothing has been received.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            messages: Messages::new(options.limits),
            ids: RequestIds::new(),
            state: State::Opening(Box::default()),
            greeting: None,
            version: None,
            outbox: Outbox::default(),
            calls: HashMap::new(),
            unaddressed: None,
            queues: Vec::new(),
            last_subscriber: 0,
            late_replies: 0,
            foreign_replies: 0,
        }
    }

    /// Returns the options.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Takes bytes from the server, cut anywhere, and handles every message that is
    /// complete with them.
    pub fn receive(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Ended(_) => return,
            State::Opening(opening) => {
                let limits = self.options.limits;
                match opening.receive(bytes, &mut self.messages, limits) {
                    None => return,
                    Some(Ok(greeting)) => self.negotiate(greeting),
                    Some(Err(error)) => return self.end(error),
                }
            }
            State::Negotiating { .. } | State::Ready { .. } => self.messages.receive(bytes),
        }
        while !self.has_ended()
            && let Some(message) = self.messages.next_message()
        {
            match message {
                Ok(Message::Reply(reply)) => self.deliver(reply),
                Ok(Message::Event(event)) => self.publish(event),
                Ok(Message::Greeting(_)) => {
                    self.end(ClientError::NotQmp("it greets a second time".to_owned()));
                }
                Err(error) => self.end(garbage(&error)),
            }
        }
    }

    /// Records that the server has closed the connection.
    pub fn receive_end(&mut self) {
        self.end(ClientError::Closed);
    }

    /// Records that the connection broke.
    pub fn fail(&mut self, error: io::Error) {
        self.end(error.into());
    }

    /// Returns the bytes to send to the server next, which may be empty. Call
    /// [`sent`](Self::sent) with the number of those that were sent.
    pub fn unsent(&mut self) -> &[u8] {
        self.outbox.unsent()
    }

    /// Records that the first `count` of the [`unsent`](Self::unsent) bytes have
    /// been sent.
    pub fn sent(&mut self, count: usize) {
        self.outbox.sent(count);
    }

    /// Returns whether the connection has ended or is unusable.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.state, State::Ended(_))
    }

    /// Returns why the connection is unusable; `None` if it is not.
    #[must_use]
    pub fn error(&self) -> Option<&ClientError> {
        match &self.state {
            State::Ended(error) => Some(error),
            _ => None,
        }
    }

    /// Returns whether the server executes commands out of band for this client.
    #[must_use]
    pub fn is_out_of_band(&self) -> bool {
        matches!(self.state, State::Ready { out_of_band: true })
    }

    /// Returns the greeting; `None` before it.
    #[must_use]
    pub fn greeting(&self) -> Option<&Greeting> {
        self.greeting.as_ref()
    }

    /// Returns the server's version; `None` until the negotiation has succeeded, after
    /// which calls can be made.
    #[must_use]
    pub fn version(&self) -> Option<&Version> {
        self.version.as_ref()
    }

    /// Returns the number of replies that came after their call was given up.
    #[must_use]
    pub fn late_replies(&self) -> u64 {
        self.late_replies
    }

    /// Returns the number of replies to requests that this session has not made.
    #[must_use]
    pub fn foreign_replies(&self) -> u64 {
        self.foreign_replies
    }

    /// Returns the moment until which to wait for the negotiation: `deadline`, or an
    /// earlier one if the server's bytes so far are not QMP. Ask before every read.
    pub fn opening_deadline(&mut self, deadline: Instant, now: Instant) -> Instant {
        match &mut self.state {
            State::Opening(opening) => opening.deadline(deadline, now),
            _ => deadline,
        }
    }

    /// Ends a session that has not become ready within `after`, and returns the
    /// reason.
    pub fn give_up_opening(&mut self, after: Duration) -> ClientError {
        let error = match &self.state {
            State::Ended(error) => error.clone(),
            State::Opening(opening) => opening.explain(Absence::Timeout),
            State::Negotiating { .. } | State::Ready { .. } => {
                self.overdue(Negotiate::INFO.name.to_owned(), after, true)
            }
        };
        self.state = State::Ended(error.clone());
        error
    }

    /// Makes a request, which [`unsent`](Self::unsent) returns. Its reply has the
    /// returned id.
    ///
    /// # Errors
    ///
    /// Returns the error of a connection that has ended.
    pub fn call<R: Request>(&mut self, request: &R) -> Result<RequestId, ClientError> {
        self.enqueue(R::INFO.name, |line, id| write_request(line, id, request))
    }

    /// Makes a request for out-of-band execution: the command overtakes those that
    /// the server has not finished.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::NotOutOfBand`] if the command does not allow it, or if
    /// the server has not enabled it; and the error of a connection that has ended.
    pub fn call_out_of_band<R: Request>(&mut self, request: &R) -> Result<RequestId, ClientError> {
        let is_allowed = R::INFO.allow_oob;
        if !is_allowed || !self.is_out_of_band() {
            return Err(ClientError::NotOutOfBand {
                command: R::INFO.name,
                is_allowed,
            });
        }
        self.enqueue(R::INFO.name, |line, id| {
            write_oob_request(line, id, request);
        })
    }

    /// Makes a request that has the members `body`, for example `execute` and
    /// `arguments`. An id of the session's replaces any in `body`.
    ///
    /// # Errors
    ///
    /// Returns the error of a connection that has ended.
    pub fn call_untyped(&mut self, mut body: Dict) -> Result<RequestId, ClientError> {
        let name = body.get("execute").or_else(|| body.get("exec-oob"));
        let name = name.and_then(Value::as_str).unwrap_or("the request");
        let name = name.to_owned();
        self.enqueue(&name, |line, id| {
            body.take("id");
            body.push("id", Value::from(id.as_str()));
            line.extend(to_vec(&Value::Object(body)));
            line.push(b'\n');
        })
    }

    /// Returns the outcome of a call, once; `None` if it is not known yet, or has been
    /// returned.
    ///
    /// # Errors
    ///
    /// The outcome is the error of a connection that has ended, if the reply had
    /// not come by then.
    pub fn take_reply(&mut self, id: &RequestId) -> Option<Result<Outcome, ClientError>> {
        let come = self.calls.get_mut(id)?.outcome.take();
        let outcome = match (come, self.error()) {
            (Some(outcome), _) => Ok(outcome),
            (None, Some(end)) => Err(end.clone()),
            (None, None) => return None,
        };
        self.calls.remove(id);
        Some(outcome)
    }

    /// Returns whether the reply to a call has not come, and the call has not been
    /// given up.
    #[must_use]
    pub fn awaits_reply(&self) -> bool {
        self.calls.values().any(|call| call.outcome.is_none())
    }

    /// Forgets a call whose reply has not come within `after`, and returns the
    /// reason. A request of which nothing has been sent is not sent any more.
    pub fn give_up(&mut self, id: &RequestId, after: Duration) -> ClientError {
        let is_sent = !self.outbox.withdraw(id);
        let call = self.calls.remove(id);
        let command = call.map_or_else(|| "the request".to_owned(), |call| call.command);
        self.overdue(command, after, is_sent)
    }

    /// Forgets a call for whose reply nobody waits any more. Does nothing if the
    /// outcome has been taken.
    pub fn forget(&mut self, id: &RequestId) {
        self.calls.remove(id);
        self.outbox.withdraw(id);
    }

    /// Subscribes to the events that come from now on. Those that are not read take at
    /// most `event_bytes_max` bytes of memory.
    pub fn subscribe(&mut self, event_bytes_max: usize) -> Subscriber {
        self.last_subscriber += 1;
        let subscriber = Subscriber(self.last_subscriber);
        let queue = EventQueue::new(event_bytes_max);
        self.queues.push((subscriber, queue));
        subscriber
    }

    /// Ends a subscription, and drops its events.
    pub fn unsubscribe(&mut self, subscriber: Subscriber) {
        self.queues.retain(|(of, _)| *of != subscriber);
    }

    /// Returns the subscriber's oldest event; `None` if none has come.
    ///
    /// # Errors
    ///
    /// Returns [`ClientError::EventsLost`] once, before the events that follow those
    /// lost; and after all events the error of a connection that has ended.
    pub fn next_event(
        &mut self,
        subscriber: Subscriber,
    ) -> Option<Result<EventMessage, ClientError>> {
        let queue = self.queues.iter_mut().find(|(of, _)| *of == subscriber);
        let event = queue.and_then(|(_, queue)| queue.pop());
        event.or_else(|| self.error().cloned().map(Err))
    }

    /// Answers the greeting.
    fn negotiate(&mut self, greeting: Greeting) {
        let version = match from_node(greeting.version(), &Context::tolerant()) {
            Ok(version) => version,
            Err(error) => return self.end(ClientError::NotQmp(format!("the greeting: {error}"))),
        };
        let is_offered = greeting.capabilities().iter().any(|name| name == OOB);
        let enables_oob = self.options.out_of_band && is_offered;
        self.greeting = Some(greeting);
        let (id, mut bytes) = (self.ids.next_id(), Vec::new());
        let enable = enables_oob.then(|| vec![OOB.to_owned()]);
        write_request(&mut bytes, &id, &Negotiate { enable });
        self.outbox.push(id.clone(), bytes);
        self.state = State::Negotiating {
            id,
            enables_oob,
            version,
        };
    }

    fn enqueue(
        &mut self,
        command: &str,
        write: impl FnOnce(&mut Vec<u8>, &RequestId),
    ) -> Result<RequestId, ClientError> {
        if let Some(end) = self.error() {
            return Err(end.clone());
        }
        if self.calls.is_empty() {
            self.unaddressed = None;
        }
        let (id, mut bytes) = (self.ids.next_id(), Vec::new());
        write(&mut bytes, &id);
        self.outbox.push(id.clone(), bytes);
        let call = Call {
            command: command.to_owned(),
            outcome: None,
        };
        self.calls.insert(id.clone(), call);
        Ok(id)
    }

    /// Hands a reply to the call that waits for it, or drops the reply.
    fn deliver(&mut self, reply: Reply) {
        let reply = match &self.state {
            State::Negotiating {
                id,
                enables_oob,
                version,
            } => match reply.open(id) {
                Ok(Outcome::Return(_)) => {
                    self.version = Some(version.clone());
                    self.state = State::Ready {
                        out_of_band: *enables_oob,
                    };
                    return;
                }
                Ok(Outcome::Error(reply)) => {
                    return self.end(ClientError::Refused(reply.into_error()));
                }
                Err(foreign) => foreign,
            },
            _ => reply,
        };
        let id = reply.id().and_then(Node::as_str);
        let call = id.and_then(|id| self.calls.get_key_value(id));
        let Some((id, _)) = call else {
            return self.set_aside(reply);
        };
        let id = id.clone();
        match (self.calls.get_mut(&id), reply.open(&id)) {
            (Some(call), Ok(outcome)) if call.outcome.is_none() => call.outcome = Some(outcome),
            // A second reply to the same request.
            _ => self.foreign_replies += 1,
        }
    }

    /// Counts a reply that nobody waits for.
    fn set_aside(&mut self, reply: Reply) {
        match reply.id() {
            Some(id) if self.ids.has_made(id) => self.late_replies += 1,
            Some(_) => self.foreign_replies += 1,
            None => {
                self.foreign_replies += 1;
                self.unaddressed = Some(match reply.open_any() {
                    Outcome::Return(_) => Unaddressed::Return,
                    Outcome::Error(reply) => Unaddressed::Error(reply.into_error()),
                });
            }
        }
    }

    fn publish(&mut self, event: EventMessage) {
        let event = Arc::new(event);
        for (_, queue) in &mut self.queues {
            queue.push(Arc::clone(&event));
        }
    }

    /// Makes the connection unusable, for the first reason that is known.
    fn end(&mut self, error: ClientError) {
        let error = match &self.state {
            State::Ended(_) => return,
            State::Opening(opening)
                if matches!(error, ClientError::Closed | ClientError::Transport(_)) =>
            {
                opening.explain(Absence::End(error))
            }
            _ => error,
        };
        self.state = State::Ended(error);
        self.outbox.clear();
    }

    /// Returns the error for a call whose reply has not come in time.
    fn overdue(&mut self, command: String, after: Duration, is_sent: bool) -> ClientError {
        match self.unaddressed.take() {
            Some(Unaddressed::Return) => ClientError::Unaddressed {
                command,
                error: None,
            },
            Some(Unaddressed::Error(error)) => ClientError::Unaddressed {
                command,
                error: Some(error),
            },
            None => ClientError::Timeout {
                command,
                after,
                is_sent,
            },
        }
    }
}

/// Decodes the outcome of a call.
///
/// A command whose success is not answered has succeeded if no error came within the
/// time for the call, or until the connection ended.
///
/// # Errors
///
/// Returns the server's error, or the difference from the type of the command's
/// result.
pub fn decode_reply<R: Request>(
    outcome: Result<Outcome, ClientError>,
) -> Result<R::Reply, ClientError> {
    let decode = |value: Node<'_>| {
        from_node(value, &Context::tolerant()).map_err(|error| ClientError::UnexpectedReply {
            command: R::INFO.name.to_owned(),
            error,
        })
    };
    match outcome {
        Ok(Outcome::Return(reply)) => decode(reply.value()),
        Ok(Outcome::Error(reply)) => Err(ClientError::Refused(reply.into_error())),
        Err(ClientError::Timeout { is_sent: true, .. } | ClientError::Closed)
            if !R::INFO.success_response =>
        {
            decode(Node::empty_object())
        }
        Err(error) => Err(error),
    }
}

fn garbage(error: &InvalidMessage) -> ClientError {
    if error.exceeds_limits() {
        ClientError::TooLarge(error.to_string())
    } else {
        ClientError::NotQmp(format!("it sends something that is not a message: {error}"))
    }
}
