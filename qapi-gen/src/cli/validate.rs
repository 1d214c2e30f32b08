//! `qapi-gen validate`.
//!
//! In: logs of conversations, or data files, and interfaces. Out: what does not fit,
//! and the oldest interface that everything fits.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use qapi_gen::compare::Direction;
use qapi_gen::interface::Interface;
use qapi_gen::validate::{Allow, Finding, LogItem, LogReader, Session, line_of, validate_value};
use qapi_wire::Document;

use super::input::Reading;
use super::output;

/// The maximum size of a data file.
const DATA_BYTES_MAX: u64 = 64 << 20;

/// Checks messages or data against a schema.
///
/// A file is a log with a JSON message in a line, as libvirt and qemu.qmp write it;
/// other lines are counted and skipped. With --type a file is one JSON value. `-` is
/// standard input.
///
/// Each finding is a line FILE:LINE: CODE PATH: MESSAGE [PLACE IN THE SCHEMA]. The
/// exit status is 0 if everything fits, 1 if something does not, and 2 if it could not
/// be checked. With several schemas it is 0 if everything fits one of them.
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// The logs or data files
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,

    /// A schema, GIT-REV:path of one, a file with a reply to query-qmp-schema, or the
    /// socket of a monitor; give several, the oldest first, to learn which is the
    /// oldest that takes everything
    #[arg(long, required = true, value_name = "SOURCE")]
    schema: Vec<String>,

    /// Check data files of this type, which the schema names, instead of messages
    #[arg(long = "type", value_name = "TYPE")]
    type_name: Option<String>,

    /// Accept what is deprecated, unstable, or unknown to the schema (`removed`)
    #[arg(long, value_enum, value_delimiter = ',')]
    allow: Vec<Accepted>,

    /// Check only what a client sends, or only what it receives
    #[arg(long, value_enum, conflicts_with = "type_name")]
    only: Option<Only>,

    #[command(flatten)]
    reading: Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Accepted {
    /// Parts that are deprecated.
    Deprecated,
    /// Parts that are unstable.
    Unstable,
    /// Commands, events, members and values that the schema does not have.
    Removed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Only {
    /// Requests.
    Send,
    /// Replies and events.
    Receive,
}

/// The result of a check against one interface.
#[derive(Default)]
struct Outcome {
    lines: Vec<String>,
    messages: usize,
    skipped: usize,
    unmatched: usize,
}

impl Validate {
    /// Checks everything, and prints the findings.
    pub(super) fn run(&self) -> ExitCode {
        let fits = self.validate();
        output::finish(fits.map(|fits| ExitCode::from(u8::from(!fits))))
    }

    fn validate(&self) -> Result<bool, String> {
        let from_stdin = self.files.iter().filter(|file| *file == "-").count();
        if from_stdin > 1 || (from_stdin == 1 && self.schema.len() > 1) {
            return Err("standard input can be read only once".to_owned());
        }
        let mut oldest = None;
        for schema in &self.schema {
            let interface = self.reading.interface(schema)?;
            let outcome = self.check(&interface, schema)?;
            if outcome.lines.is_empty() && oldest.is_none() {
                oldest = Some(schema);
            }
            self.print(&outcome, schema)?;
        }
        if self.schema.len() > 1 {
            output::print(&match oldest {
                Some(schema) => format!("the oldest schema that takes everything: {schema}\n"),
                None => "no schema takes everything\n".to_owned(),
            })?;
        }
        Ok(oldest.is_some())
    }

    fn print(&self, outcome: &Outcome, schema: &str) -> Result<(), String> {
        let mut text = String::new();
        for line in &outcome.lines {
            if self.schema.len() > 1 {
                text += schema;
                text += ": ";
            }
            text += line;
            text.push('\n');
        }
        output::print(&text)?;
        let what = if self.type_name.is_some() {
            "files"
        } else {
            "messages"
        };
        let Outcome {
            lines, messages, ..
        } = outcome;
        let mut summary = format!("{schema}: {} findings in {messages} {what}", lines.len());
        if outcome.skipped > 0 {
            summary += &format!(", {} lines without a message", outcome.skipped);
        }
        if outcome.unmatched > 0 {
            let count = outcome.unmatched;
            summary += &format!(", {count} replies without their request, not checked");
        }
        eprintln!("qapi-gen: {summary}");
        Ok(())
    }

    fn check(&self, interface: &Interface, schema: &str) -> Result<Outcome, String> {
        let accepts = |accepted| self.allow.contains(&accepted);
        let allow = Allow {
            deprecated: accepts(Accepted::Deprecated),
            unstable: accepts(Accepted::Unstable),
            removed: accepts(Accepted::Removed),
        };
        let mut outcome = Outcome::default();
        for file in &self.files {
            let (before, lines) = (outcome.messages, outcome.lines.len());
            match &self.type_name {
                Some(name) => check_data(&mut outcome, interface, allow, file, name, schema)?,
                None => self.check_log(&mut outcome, interface, allow, file)?,
            }
            if outcome.messages == before && outcome.lines.len() == lines {
                let what = match self.only {
                    None => "message",
                    Some(Only::Send) => "request",
                    Some(Only::Receive) => "reply or event",
                };
                return Err(format!("{file}: there is no {what} in it"));
            }
        }
        Ok(outcome)
    }

    fn check_log(
        &self,
        outcome: &mut Outcome,
        interface: &Interface,
        allow: Allow,
        file: &str,
    ) -> Result<(), String> {
        let failed = |error: io::Error| format!("cannot read {file}: {error}");
        let mut log = LogReader::new(open(file).map_err(failed)?);
        let mut session = Session::new(interface, allow);
        while let Some(item) = log.next_item().map_err(failed)? {
            match item {
                LogItem::Object {
                    line,
                    text,
                    document,
                    is_alone,
                } => match session.message(&document) {
                    Some((direction, findings)) => {
                        if self.wants(direction) {
                            outcome.messages += 1;
                            outcome.report(file, line, &text, &findings);
                        }
                    }
                    None if is_alone => outcome.lines.push(format!(
                        "{file}:{line}: not-a-message: neither a request nor a reply nor an event"
                    )),
                    None => outcome.skipped += 1,
                },
                LogItem::Invalid { line, reason } => {
                    outcome
                        .lines
                        .push(format!("{file}:{line}: not-json: {reason}"));
                }
            }
        }
        outcome.skipped += log.skipped();
        outcome.unmatched += session.unmatched();
        Ok(())
    }

    fn wants(&self, direction: Direction) -> bool {
        match self.only {
            None => true,
            Some(Only::Send) => direction == Direction::Send,
            Some(Only::Receive) => direction == Direction::Receive,
        }
    }
}

impl Outcome {
    fn report(&mut self, file: &str, line: usize, text: &[u8], findings: &[Finding]) {
        for finding in findings {
            let line = line + line_of(text, &finding.path);
            self.lines.push(format!("{file}:{line}: {finding}"));
        }
    }
}

fn check_data(
    outcome: &mut Outcome,
    interface: &Interface,
    allow: Allow,
    file: &str,
    type_name: &str,
    schema: &str,
) -> Result<(), String> {
    let failed = |error: io::Error| format!("cannot read {file}: {error}");
    let mut text = Vec::new();
    let mut reader = open(file).map_err(failed)?.take(DATA_BYTES_MAX + 1);
    reader.read_to_end(&mut text).map_err(failed)?;
    if u64::try_from(text.len()).is_ok_and(|len| len > DATA_BYTES_MAX) {
        return Err(format!("{file} exceeds 64 MiB"));
    }
    outcome.messages += 1;
    let document = match Document::parse(&text) {
        Ok(document) => document,
        Err(error) => {
            outcome
                .lines
                .push(format!("{file}:1: not-json: {}", error.desc()));
            return Ok(());
        }
    };
    let findings = validate_value(interface, allow, type_name, &document);
    let findings = findings.ok_or_else(|| {
        if interface.is_of_schema() {
            format!("{schema} has no type '{type_name}'")
        } else {
            format!("{schema} is a reply to query-qmp-schema, which does not name types")
        }
    })?;
    outcome.report(file, 1, &text, &findings);
    Ok(())
}

fn open(file: &str) -> io::Result<Box<dyn BufRead>> {
    if file == "-" {
        return Ok(Box::new(io::stdin().lock()));
    }
    Ok(Box::new(BufReader::new(File::open(file)?)))
}
