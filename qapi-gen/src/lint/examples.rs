//! The examples in documentation.
//!
//! In: the comments of all files. Out: messages that are not JSON, or that do not fit
//! the schema. An example's lines begin with `->` for a request and `<-` for a reply
//! or an event, in the markup of any release.

use qapi_wire::Document;
use qapi_wire::json::{Limits, Scan, Scanner};

use super::advice::{Advice, Report, Rule};
use crate::interface::{Interface, Place};
use crate::schema::CheckedSchema;
use crate::source::{SourceFile, SourceMap};
use crate::validate::{Allow, Session, line_of};

/// Checks the examples of all files.
pub(super) fn check(schema: &CheckedSchema, sources: &SourceMap, report: &mut Report) {
    let interface = Interface::of_schema(schema, sources);
    for (_, file) in sources.iter() {
        // Comments are read as text, because what is an example depends on the markup.
        let mut block: Vec<(usize, &str)> = Vec::new();
        for (number, line) in file.text().lines().enumerate() {
            match line.strip_prefix('#') {
                Some("#") | None => {
                    check_block(&interface, file, &block, report);
                    block.clear();
                }
                Some(text) => block.push((number + 1, text)),
            }
        }
        check_block(&interface, file, &block, report);
    }
}

/// An example message.
struct Message {
    line: usize,
    text: String,
}

/// Checks the examples of one comment, which are one conversation.
fn check_block(
    interface: &Interface,
    file: &SourceFile,
    block: &[(usize, &str)],
    report: &mut Report,
) {
    // Documentation of something deprecated shows how it is used.
    let allow = Allow {
        deprecated: true,
        unstable: true,
        removed: false,
    };
    let mut session = Session::new(interface, allow);
    let definition = block.iter().find_map(|(_, text)| {
        let name = text.trim_start().strip_prefix('@')?;
        name.trim_end().strip_suffix(':')
    });
    for message in messages(block) {
        report.examples += 1;
        if is_abridged(&message.text) {
            report.abridged += 1;
            continue;
        }
        let text = message.text.trim().as_bytes();
        let mut advise = |line: usize, what: String| {
            report.advice.push(Advice {
                rule: Rule::Example,
                subject: definition.unwrap_or("free-form").to_owned(),
                message: what,
                place: Some(Place {
                    file: file.name().to_owned(),
                    line: message.line + line,
                }),
            });
        };
        match Document::parse(text) {
            Err(error) => advise(0, format!("the example is not JSON: {}", error.desc())),
            Ok(document) => match session.message(&document) {
                None => advise(
                    0,
                    "the example is neither a request nor a reply nor an event".to_owned(),
                ),
                Some((_, findings)) => {
                    for finding in findings {
                        let mut finding = finding;
                        // The example's line is enough, and a baseline must not have
                        // lines.
                        finding.place = None;
                        advise(line_of(text, &finding.path), finding.to_string());
                    }
                }
            },
        }
    }
}

/// Returns whether a message leaves something out: `...` outside of strings.
fn is_abridged(text: &str) -> bool {
    let mut in_string = false;
    let mut previous = ' ';
    let mut outside = String::new();
    for c in text.chars() {
        if c == '"' && previous != '\\' {
            in_string = !in_string;
        } else if !in_string {
            outside.push(c);
        }
        previous = c;
    }
    outside.contains("...")
}

/// Cuts the messages out of a comment. A message ends where its brackets close, where
/// the next one begins, or before an empty line.
fn messages(block: &[(usize, &str)]) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut open = false;
    for (line, text) in block {
        let trimmed = text.trim_start();
        let begins = ["-> ", "<- "]
            .iter()
            .find_map(|mark| trimmed.strip_prefix(mark));
        match begins {
            Some(text) => {
                messages.push(Message {
                    line: *line,
                    text: text.to_owned(),
                });
                open = true;
            }
            None if trimmed.is_empty() => open = false,
            None if open => {
                if let Some(message) = messages.last_mut() {
                    message.text.push('\n');
                    message.text += text;
                }
            }
            None => continue,
        }
        if let Some(message) = messages.last()
            && is_whole(message.text.as_bytes())
        {
            open = false;
        }
    }
    messages
}

fn is_whole(text: &[u8]) -> bool {
    matches!(
        Scanner::new(Limits::default()).scan(text),
        Scan::Message { .. }
    )
}
