//! A conversation, checked message by message.
//!
//! In: requests, replies and events, in the order of a log. Out: the findings of each.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{Hash as _, Hasher as _};

use qapi_wire::{Document, Node};

use super::{Allow, Check, Finding, FindingCode, Step, nearest};
use crate::compare::Direction;
use crate::interface::Interface;

/// The requests that wait for a reply. A log may have requests without one, and the
/// oldest are forgotten.
const WAITING_MAX: usize = 10_000;

/// A command that waits for its reply.
#[derive(Debug)]
struct Waiting {
    command: String,
    /// The whole request, to recognize it when a log repeats it.
    request: u64,
}

/// A conversation of one client.
#[derive(Debug)]
pub struct Session<'a> {
    interface: &'a Interface,
    allow: Allow,
    /// The commands that wait for a reply, by the canonical texts of their ids.
    waiting: BTreeMap<String, Waiting>,
    /// The ids in `waiting`, the oldest first.
    order: VecDeque<String>,
    /// The commands without an id, which are answered in order.
    without_id: VecDeque<String>,
    /// The reply before, which some logs have twice.
    answered: Option<u64>,
    unmatched: usize,
}

impl<'a> Session<'a> {
    /// Begins a conversation.
    #[must_use]
    pub fn new(interface: &'a Interface, allow: Allow) -> Self {
        Self {
            interface,
            allow,
            waiting: BTreeMap::new(),
            order: VecDeque::new(),
            without_id: VecDeque::new(),
            answered: None,
            unmatched: 0,
        }
    }

    /// Returns the number of replies so far whose request is not in the log, so that
    /// nobody knows their type.
    #[must_use]
    pub fn unmatched(&self) -> usize {
        self.unmatched
    }

    /// Checks a message. Returns its direction and the findings, or `None` if it is
    /// not a message of QMP.
    pub fn message(&mut self, message: &Document) -> Option<(Direction, Vec<Finding>)> {
        let root = message.root();
        let has = |name: &str| root.get(name).is_some();
        if has("execute") || has("exec-oob") {
            Some((Direction::Send, self.request(root)))
        } else if has("return") || has("error") {
            Some((Direction::Receive, self.reply(root)))
        } else if has("event") {
            Some((Direction::Receive, self.event(root)))
        } else if has("QMP") {
            Some((Direction::Receive, Vec::new()))
        } else {
            None
        }
    }

    fn request(&mut self, root: Node<'_>) -> Vec<Finding> {
        let mut check = Check::new(self.interface, self.allow, Direction::Send);
        check.keys(root, &["execute", "exec-oob", "arguments", "id", "control"]);
        let oob = root.get("exec-oob");
        let how = if oob.is_some() { "exec-oob" } else { "execute" };
        let command = oob.or_else(|| root.get("execute")).and_then(Node::as_str);
        let Some(name) = command else {
            let message = "the name of a command is expected".to_owned();
            check.within(Step::Member(how.to_owned()), |check| {
                check.report(FindingCode::WrongType, message, None);
            });
            return check.findings;
        };
        let id = root.get("id").map(canonical);
        // Some logs have a request twice: when it is queued and when it is written.
        let request = fingerprint(root);
        let waiting = id.as_ref().and_then(|id| self.waiting.get(id));
        if waiting.is_some_and(|waiting| waiting.request == request) {
            return Vec::new();
        }
        self.expect_reply(id, name, request);
        if oob.is_some() && root.get("execute").is_some() {
            let message = "execute and exec-oob exclude each other".to_owned();
            check.report(FindingCode::NotAMessage, message, None);
        }
        let Some(command) = self.interface.commands.get(name) else {
            let known = nearest(name, self.interface.commands.keys());
            let message = format!("no command '{name}' exists{known}");
            check.within(Step::Member(how.to_owned()), |check| {
                check.report(FindingCode::UnknownCommand, message, None);
            });
            return check.findings;
        };
        check.within(Step::Member(how.to_owned()), |check| {
            check.traits(&command.traits, &format!("command '{name}'"));
            if oob.is_some() && !command.allow_oob {
                let message = format!("command '{name}' cannot be executed out of band");
                check.report(FindingCode::NotOob, message, command.traits.place.clone());
            }
        });
        let arguments = root
            .get("arguments")
            .unwrap_or_else(|| Node::empty_object());
        check.is_open = command.schema.is_some_and(|facts| facts.open_arguments);
        check.within(Step::Member("arguments".to_owned()), |check| {
            check.value(command.arg, arguments);
        });
        check.findings
    }

    fn expect_reply(&mut self, id: Option<String>, name: &str, request: u64) {
        match id {
            Some(id) => {
                let waiting = Waiting {
                    command: name.to_owned(),
                    request,
                };
                if self.waiting.insert(id.clone(), waiting).is_none() {
                    self.order.push_back(id);
                }
            }
            None => self.without_id.push_back(name.to_owned()),
        }
        if self.order.len() > WAITING_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.waiting.remove(&oldest);
        }
        if self.without_id.len() > WAITING_MAX {
            self.without_id.pop_front();
        }
    }

    /// Returns the command that a reply answers.
    fn answered_command(&mut self, id: Option<String>) -> Option<String> {
        match id {
            None => self.without_id.pop_front(),
            Some(id) => {
                let waiting = self.waiting.remove(&id)?;
                self.order.retain(|waiting| *waiting != id);
                Some(waiting.command)
            }
        }
    }

    fn reply(&mut self, root: Node<'_>) -> Vec<Finding> {
        let mut check = Check::new(self.interface, self.allow, Direction::Receive);
        check.keys(root, &["return", "error", "id", "timestamp"]);
        let id = root.get("id").map(canonical);
        let reply = id.is_some().then(|| fingerprint(root));
        let command = self.answered_command(id);
        let is_repeated = command.is_none() && reply.is_some() && reply == self.answered;
        self.answered = reply;
        if is_repeated {
            return Vec::new();
        }
        if let Some(error) = root.get("error") {
            let is_error = ["class", "desc"]
                .iter()
                .all(|name| error.get(name).is_some_and(|text| text.as_str().is_some()));
            if !is_error {
                let message = "an object with class and desc is expected".to_owned();
                check.within(Step::Member("error".to_owned()), |check| {
                    check.report(FindingCode::WrongType, message, None);
                });
            }
            return check.findings;
        }
        let Some(name) = command else {
            self.unmatched += 1;
            return check.findings;
        };
        if let (Some(command), Some(value)) =
            (self.interface.commands.get(&name), root.get("return"))
        {
            check.within(Step::Member("return".to_owned()), |check| {
                check.value(command.ret, value);
            });
        }
        check.findings
    }

    fn event(&mut self, root: Node<'_>) -> Vec<Finding> {
        let mut check = Check::new(self.interface, self.allow, Direction::Receive);
        check.keys(root, &["event", "data", "timestamp"]);
        let Some(name) = root.get("event").and_then(Node::as_str) else {
            check.within(Step::Member("event".to_owned()), |check| {
                let message = "the name of an event is expected".to_owned();
                check.report(FindingCode::WrongType, message, None);
            });
            return check.findings;
        };
        let Some(event) = self.interface.events.get(name) else {
            let known = nearest(name, self.interface.events.keys());
            check.within(Step::Member("event".to_owned()), |check| {
                let message = format!("no event '{name}' exists{known}");
                check.report(FindingCode::UnknownEvent, message, None);
            });
            return check.findings;
        };
        let data = root.get("data").unwrap_or_else(|| Node::empty_object());
        check.within(Step::Member("data".to_owned()), |check| {
            check.value(event.arg, data);
        });
        check.findings
    }
}

impl Check<'_> {
    /// Reports the members of a message that QMP does not have.
    fn keys(&mut self, root: Node<'_>, known: &[&str]) {
        for (name, _) in root.members().into_iter().flatten() {
            if !known.contains(&name) {
                self.within(Step::Member(name.to_owned()), |check| {
                    let message = format!("QMP has no member '{name}' here");
                    check.report(FindingCode::UnknownMember, message, None);
                });
            }
        }
    }
}

/// Returns a text that is equal for equal values.
fn canonical(node: Node<'_>) -> String {
    format!("{:?}", node.to_value())
}

/// Returns a number that differs for messages with other content.
fn fingerprint(message: Node<'_>) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    canonical(message).hash(&mut hasher);
    hasher.finish()
}
