//! A conversation with a monitor, line by line.
//!
//! In: lines as they are typed. Out: what there is to read, fit for a
//! terminal. It knows neither where lines come from nor where text goes.

use std::fmt::Write;

use qapi_stats::introspect::commands::QueryQmpSchema;
use qapi_stats::misc::commands::HumanMonitorCommand;
use qapi_stats::wire::message::{EventMessage, Message};
use qapi_stats::wire::{Dict, Error, ErrorClass, Value, to_json};

use super::completion::HumanWords;
use super::index::Index;
use super::link::Link;
use super::pretty::pretty;
use super::request::{self, Line};
use crate::client::ClientError;
use crate::printable::printable;

/// How JSON is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// As it is sent: one line, ASCII.
    Compact,
    /// Over several lines.
    Pretty {
        /// With colours.
        is_coloured: bool,
    },
}

impl Style {
    pub(super) fn show(self, value: &Value) -> String {
        match self {
            Self::Compact => to_json(value),
            Self::Pretty { is_coloured } => pretty(value, is_coloured),
        }
    }
}

/// What became of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Text to print, without a newline at its end; nothing if it is empty.
    Text(String),
    /// The line is wrong, or the server refuses it.
    Wrong(String),
    /// No more lines are wanted.
    Exit,
}

/// A conversation in either language.
#[derive(Debug)]
pub(super) struct Dialog {
    link: Link,
    style: Style,
    /// The vCPU that `cpu N` chose: each line of the human monitor is on its
    /// own as far as the server knows.
    cpu_index: Option<i64>,
    is_human: bool,
}

impl Dialog {
    /// A conversation in QMP, or in the human monitor's language.
    pub(super) fn new(link: Link, style: Style, is_human: bool) -> Self {
        Self {
            link,
            style,
            cpu_index: None,
            is_human,
        }
    }

    /// Whether lines are the human monitor's.
    pub(super) fn is_human(&self) -> bool {
        self.is_human
    }

    /// Whether the server has gone.
    pub(super) fn has_ended(&self) -> bool {
        self.link.has_ended()
    }

    /// Asks what commands the server has.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub(super) fn index(&mut self) -> Result<Index, ClientError> {
        self.link.execute(&QueryQmpSchema {}).map(Index::new)
    }

    /// Asks what words the human monitor has.
    ///
    /// # Errors
    ///
    /// See [`ClientError`].
    pub(super) fn human_words(&mut self) -> Result<HumanWords, ClientError> {
        let help = self.human_text("help")?;
        let help_info = self.human_text("help info")?;
        Ok(HumanWords::new(&help, &help_info))
    }

    /// Does what a line says.
    ///
    /// # Errors
    ///
    /// Of the connection or the protocol: the conversation is over.
    pub(super) fn enter(&mut self, line: &str) -> Result<Outcome, ClientError> {
        let outcome = if self.is_human {
            self.enter_human(line)
        } else {
            self.enter_qmp(line)
        };
        match outcome {
            Err(ClientError::Refused(error)) => Ok(Outcome::Wrong(refusal(&error))),
            outcome => outcome,
        }
    }

    fn enter_qmp(&mut self, line: &str) -> Result<Outcome, ClientError> {
        let (body, is_json) = match request::parse(line) {
            Ok(Line::Request { body, is_json }) => (body, is_json),
            Ok(Line::Nothing) => return Ok(Outcome::Text(String::new())),
            Ok(Line::Exit) => return Ok(Outcome::Exit),
            Ok(Line::Help(topic)) => return self.help(topic.as_deref()),
            Err(what) => return Ok(Outcome::Wrong(printable(&what).into_owned())),
        };
        let is_quit = body.get("execute").and_then(Value::as_str) == Some("quit");
        let shows_id = body.get("id").is_some();
        let message = self.link.request(body)?;
        let is_success = matches!(message, Message::Return(_));
        let outcome = if is_json {
            let text = self.style.show(&whole(&message, shows_id));
            if is_success {
                Outcome::Text(text)
            } else {
                Outcome::Wrong(text)
            }
        } else {
            match message {
                Message::Return(reply) => Outcome::Text(self.style.show(&reply.value().to_value())),
                Message::Error(reply) => Outcome::Wrong(refusal(reply.error())),
                // The link lets nothing else through.
                _ => Outcome::Text(String::new()),
            }
        };
        if is_quit && is_success {
            self.link.wait_for_end();
        }
        Ok(outcome)
    }

    fn enter_human(&mut self, line: &str) -> Result<Outcome, ClientError> {
        let mut words = line.split_whitespace();
        let (command, argument) = (words.next(), words.next());
        if command.is_none() {
            return Ok(Outcome::Text(String::new()));
        }
        let text = match self.human_text(line) {
            // What `quit` answers is often not sent any more.
            Err(ClientError::Transport(_)) if matches!(command, Some("q" | "quit")) => {
                return Ok(Outcome::Exit);
            }
            text => text?,
        };
        if matches!(command, Some("q" | "quit")) && text.is_empty() {
            self.link.wait_for_end();
        }
        // It is silent if there is such a vCPU.
        if let (Some("cpu"), Some(Ok(index)), true) =
            (command, argument.map(str::parse), text.is_empty())
        {
            self.cpu_index = Some(index);
        }
        let lines: Vec<String> = text.split_terminator('\n').map(printable_line).collect();
        Ok(Outcome::Text(lines.join("\n")))
    }

    fn human_text(&mut self, line: &str) -> Result<String, ClientError> {
        self.link.execute(&HumanMonitorCommand {
            command_line: line.to_owned(),
            cpu_index: self.cpu_index,
        })
    }

    fn help(&mut self, topic: Option<&str>) -> Result<Outcome, ClientError> {
        let index = self.index()?;
        let Some(command) = topic else {
            let mut text = String::from(HELP);
            for command in index.commands() {
                let _ = write!(text, "\n  {}", printable(command));
            }
            return Ok(Outcome::Text(text));
        };
        if !index.has_command(command) {
            let command = printable(command);
            return Ok(Outcome::Wrong(format!(
                "the server has no command {command}"
            )));
        }
        let mut text = printable(command).into_owned();
        for member in index.members(command, &[], &|_| None) {
            let optional = if member.is_optional { ", optional" } else { "" };
            let (name, takes) = (printable(&member.name), index.describe(&member));
            let _ = write!(text, "\n  {name}: {}{optional}", printable(&takes));
        }
        Ok(Outcome::Text(text))
    }
}

const HELP: &str = "\
COMMAND [NAME=VALUE]... or a request as JSON, {\"execute\": ...}.
A VALUE is JSON, or else a string as it stands; NAME.MEMBER=VALUE is for objects.
help COMMAND lists what a command takes; exit, or Ctrl-D, leaves. The commands:";

/// A line of a server's text. Tabs are harmless, and lay it out.
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

/// A reply as the message that it came in. An id that the user did not choose
/// is left out.
fn whole(message: &Message, shows_id: bool) -> Value {
    let mut members = Dict::new();
    let id = match message {
        Message::Return(reply) => {
            members.push("return", reply.value().to_value());
            reply.id()
        }
        Message::Error(reply) => {
            let error = reply.error();
            let mut content = Dict::new();
            content.push("class", Value::from(error.class().name()));
            content.push("desc", Value::from(error.desc()));
            members.push("error", Value::Object(content));
            reply.id()
        }
        Message::Greeting(_) | Message::Event(_) => None,
    };
    if let Some(id) = id.filter(|_| shows_id) {
        members.push("id", id.to_value());
    }
    Value::Object(members)
}

/// An event as the message that it came in.
pub(super) fn event(event: &EventMessage) -> Value {
    let timestamp = event.timestamp();
    let mut time = Dict::new();
    time.push("seconds", Value::Int(timestamp.seconds));
    time.push("microseconds", Value::Int(timestamp.microseconds));
    let mut members = Dict::new();
    members.push("timestamp", Value::Object(time));
    members.push("event", Value::from(event.name()));
    if event.data().members().is_some_and(|data| data.len() > 0) {
        members.push("data", event.data().to_value());
    }
    Value::Object(members)
}
