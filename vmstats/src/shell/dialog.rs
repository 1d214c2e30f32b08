//! A conversation with a monitor, line by line.
//!
//! In: lines as they are typed. Out: text to print, fit for a terminal. This
//! file knows neither where lines come from nor where text goes.

use std::fmt::Write;

use qapi_stats::introspect::commands::QueryQmpSchema;
use qapi_stats::misc::commands::HumanMonitorCommand;
use qapi_stats::wire::command::Request;
use qapi_stats::wire::message::{EventMessage, Timestamp};
use qapi_stats::wire::{Document, Encode, Error, ErrorClass, Node, Value, Writer, to_json};

use super::completion::HmpWords;
use super::editor::Words;
use super::human::HumanMonitor;
use super::impact;
use super::index::Index;
use super::pretty::pretty;
use super::request::{self, Line};
use crate::client::{Client, ClientError, Reply};
use crate::printable::printable;

/// The size at which a help text is cut off. The server chooses the names and the
/// arguments of its commands, so the text could be of any size.
const HELP_BYTES_MAX: usize = 1 << 20;

/// How JSON is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// On one line, in ASCII, as it is sent.
    Compact,
    /// Over several lines.
    Pretty {
        /// Colours names, strings and literals.
        is_coloured: bool,
    },
}

impl Style {
    /// Returns a value as text.
    pub(super) fn show(self, value: &impl Encode) -> String {
        let json = to_json(value);
        match self {
            Self::Compact => json,
            // Escapes make the text longer than the message that it came in, so
            // it may be beyond the parser's limits. Then show it unchanged.
            Self::Pretty { is_coloured } => match Document::parse(json.as_bytes()) {
                Ok(document) => pretty(document.root(), is_coloured),
                Err(_) => json,
            },
        }
    }

    /// Returns an event as text: the message that it came in.
    pub(super) fn show_event(self, event: &EventMessage) -> String {
        self.show(&EventText(event))
    }
}

/// The outcome of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Text to print, without a newline at its end. Empty text is not printed.
    Text(String),
    /// The line is wrong, or the server refuses it.
    Wrong(String),
    /// The conversation is over.
    Exit,
}

/// The server of a conversation, and with it the language of the lines.
#[derive(Debug)]
pub(super) enum Server {
    /// QMP: lines are commands with arguments, or JSON.
    Qmp(Box<Client>),
    /// A human monitor.
    Human(HumanMonitor),
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Dialog {
    server: Server,
    style: Style,
}

impl Dialog {
    /// Begins a conversation.
    pub(super) fn new(server: Server, style: Style) -> Self {
        Self { server, style }
    }

    /// Returns whether the server has ended the connection.
    pub(super) fn has_ended(&self) -> bool {
        match &self.server {
            Server::Qmp(client) => client.has_ended(),
            Server::Human(monitor) => monitor.has_ended(),
        }
    }

    /// Asks the server which words can be completed.
    ///
    /// # Errors
    ///
    /// Returns the client's error.
    pub(super) fn words(&mut self) -> Result<Words, ClientError> {
        Ok(match &mut self.server {
            Server::Qmp(client) => Words::Qmp(index(client)?),
            Server::Human(monitor) => {
                let help = monitor.run("help")?;
                let help_info = monitor.run("help info")?;
                Words::Hmp(HmpWords::new(&help, &help_info))
            }
        })
    }

    /// Returns what a line does to the machine, if the user must confirm it.
    pub(super) fn impact(&self, line: &str) -> Option<&'static str> {
        if let Server::Human(_) = self.server {
            return impact::of_hmp_line(line);
        }
        let Ok(Line::Request { body, .. }) = request::parse(line) else {
            return None;
        };
        let command = body.get("execute").or_else(|| body.get("exec-oob"));
        let command = command.and_then(Value::as_str)?;
        let arguments = body.get("arguments").and_then(Value::as_object);
        let hmp_line = arguments
            .and_then(|arguments| arguments.get("command-line"))
            .and_then(Value::as_str)
            .filter(|_| command == HumanMonitorCommand::INFO.name);
        match hmp_line {
            Some(line) => impact::of_hmp_line(line),
            None => impact::of_command(command),
        }
    }

    /// Executes a line.
    ///
    /// # Errors
    ///
    /// Returns the client's error if the connection has ended or the server does
    /// not speak QMP. The conversation is over then.
    pub(super) fn enter(&mut self, line: &str) -> Result<Outcome, ClientError> {
        let outcome = match &mut self.server {
            Server::Qmp(client) => enter_qmp(client, self.style, line),
            Server::Human(monitor) => enter_hmp(monitor, line),
        };
        match outcome {
            Err(ClientError::Refused(error)) => Ok(Outcome::Wrong(refusal(&error))),
            outcome => outcome,
        }
    }
}

/// Executes a line of QMP.
fn enter_qmp(client: &mut Client, style: Style, line: &str) -> Result<Outcome, ClientError> {
    let (body, is_json) = match request::parse(line) {
        Ok(Line::Request { body, is_json }) => (body, is_json),
        Ok(Line::Nothing) => return Ok(Outcome::Text(String::new())),
        Ok(Line::Exit) => return Ok(Outcome::Exit),
        Ok(Line::Help(topic)) => return help(client, topic.as_deref()),
        Err(what) => return Ok(Outcome::Wrong(printable(&what).into_owned())),
    };
    let is_quit = body.get("execute").and_then(Value::as_str) == Some("quit");
    let id = body.get("id").cloned();
    let reply = client.request(body)?;
    let text = match &reply {
        _ if is_json => style.show(&ReplyText {
            reply: &reply,
            id: id.as_ref(),
        }),
        Reply::Return(reply) => style.show(&reply.value()),
        Reply::Error(reply) => refusal(reply.error()),
    };
    match reply {
        Reply::Error(_) => return Ok(Outcome::Wrong(text)),
        Reply::Return(_) if is_quit => client.wait_for_end(),
        Reply::Return(_) => {}
    }
    Ok(Outcome::Text(text))
}

/// Executes a line of the human monitor.
fn enter_hmp(monitor: &mut HumanMonitor, line: &str) -> Result<Outcome, ClientError> {
    let Some(command) = line.split_whitespace().next() else {
        return Ok(Outcome::Text(String::new()));
    };
    let is_quit = matches!(command, "q" | "quit");
    let text = match monitor.run(line) {
        // A server that quits often does not send the reply any more.
        Err(ClientError::Transport(_)) if is_quit => return Ok(Outcome::Exit),
        text => text?,
    };
    if is_quit && text.is_empty() {
        monitor.wait_for_end();
    }
    let lines: Vec<String> = text.split_terminator('\n').map(printable_line).collect();
    Ok(Outcome::Text(lines.join("\n")))
}

/// Asks the server which commands it has.
fn index(client: &mut Client) -> Result<Index, ClientError> {
    client.execute(&QueryQmpSchema {}).map(Index::new)
}

fn help(client: &mut Client, topic: Option<&str>) -> Result<Outcome, ClientError> {
    let index = index(client)?;
    let Some(command) = topic else {
        return Ok(Outcome::Text(help_text(HELP.to_owned(), index.commands())));
    };
    if !index.has_command(command) {
        let command = printable(command);
        return Ok(Outcome::Wrong(format!(
            "the server has no command {command}"
        )));
    }
    let members = index.members(command, &[], &|_| None);
    let lines = members.iter().map(|member| {
        let optional = if member.is_optional { ", optional" } else { "" };
        format!("{}: {}{optional}", member.name, index.describe(member))
    });
    Ok(Outcome::Text(help_text(
        printable(command).into_owned(),
        lines,
    )))
}

const HELP: &str = "\
COMMAND [NAME=VALUE]... or a request as JSON, {\"execute\": ...}.
A VALUE is JSON if it can be, and a string otherwise; NAME.MEMBER=VALUE is for objects.
help COMMAND lists the arguments of a command; exit, or Ctrl-D, leaves. The commands:";

/// Returns a heading with indented lines, as many as [`HELP_BYTES_MAX`] allows.
fn help_text(heading: String, lines: impl Iterator<Item = impl AsRef<str>>) -> String {
    let mut text = heading;
    for line in lines {
        if text.len() > HELP_BYTES_MAX {
            text.push_str("\n  ...");
            break;
        }
        let _ = write!(text, "\n  {}", printable(line.as_ref()));
    }
    text
}

/// Escapes the control characters of a line but tabs, which are harmless and
/// align columns.
fn printable_line(line: &str) -> String {
    let line = line.strip_suffix('\r').unwrap_or(line);
    let columns: Vec<_> = line.split('\t').map(printable).collect();
    columns.join("\t")
}

fn refusal(error: &Error) -> String {
    let desc = printable(error.desc());
    match error.class() {
        ErrorClass::GenericError => format!("the server refuses: {desc}"),
        class => format!("the server refuses: {desc} ({})", printable(class.name())),
    }
}

/// A reply as the message that it came in.
struct ReplyText<'a> {
    reply: &'a Reply,
    /// The id that the user chose. The client sent its own, which is not shown.
    id: Option<&'a Value>,
}

impl Encode for ReplyText<'_> {
    fn encode(&self, out: &mut Writer<'_>) {
        let mut message = out.object();
        match self.reply {
            Reply::Return(reply) => message.required("return", &reply.value()),
            Reply::Error(reply) => {
                let mut error = message.name("error").object();
                error.required("class", reply.error().class().name());
                error.required("desc", reply.error().desc());
                error.end();
            }
        }
        if let Some(id) = self.id {
            message.required("id", id);
        }
        message.end();
    }
}

/// An event as the message that it came in.
struct EventText<'a>(&'a EventMessage);

impl Encode for EventText<'_> {
    fn encode(&self, out: &mut Writer<'_>) {
        let Timestamp {
            seconds,
            microseconds,
        } = self.0.timestamp();
        let mut message = out.object();
        let mut timestamp = message.name("timestamp").object();
        timestamp.required("seconds", &seconds);
        timestamp.required("microseconds", &microseconds);
        timestamp.end();
        message.required("event", self.0.name());
        let data = self.0.data();
        if has_members(data) {
            message.required("data", &data);
        }
        message.end();
    }
}

fn has_members(node: Node<'_>) -> bool {
    node.members().is_some_and(|members| members.len() > 0)
}
