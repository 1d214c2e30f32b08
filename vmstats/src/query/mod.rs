//! `vmstats query` and `vmstats schemas`: what monitors answer.
//!
//! In: arguments. Out: the answers of one or several monitors, as JSON, as lines
//! for programs or as tables.

mod answer;
mod monitors;
mod overview;
pub mod records;
mod schemas;
mod watch;

use std::io::{self, Write};

use qapi_stats::stats::StatsTarget;
use qapi_stats::wire::message::Return;
use qapi_stats::wire::{Writer, to_json};

use crate::cli::{Format, QueryArgs, Target};
use crate::client::Client;
use crate::endpoint::Endpoint;
use crate::failure::{Failure, warn};
use crate::selection::{self, Selection};
use crate::table;
use answer::Answer;
use monitors::ask_each;
use overview::Detail;
use records::{Form, Records};

pub use schemas::schemas;

/// Runs `vmstats query`.
///
/// # Errors
///
/// Returns an error if the arguments contradict each other, if a monitor does not
/// answer, or if a part of the selection matches nothing.
pub fn query(arguments: &QueryArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let is_vcpu = arguments.target.is_none_or(|target| target == Target::Vcpu);
    if !is_vcpu && !arguments.vcpus.is_empty() {
        return Err(Failure::usage("--vcpu needs --target vcpu"));
    }
    let selection = Selection::new(
        arguments.target.map(StatsTarget::from),
        arguments
            .providers
            .iter()
            .map(|name| selection::provider(name))
            .collect(),
        &arguments.names,
        arguments.vcpus.clone(),
    );
    if let Some(interval) = arguments.watch {
        return watch::watch(arguments, selection, interval, out);
    }
    let mut printer = Printer {
        arguments,
        selection: &selection,
        records: Records::new(match arguments.format {
            Format::Csv => Form::Csv,
            _ => Form::Jsonl,
        }),
        is_first: true,
    };
    ask_each(
        &arguments.monitors,
        |client| answer::ask(client, &selection),
        |endpoint, answer| printer.print(endpoint, &answer, out),
    )
}

/// Prints everything that a monitor tells and that is not 0.
///
/// # Errors
///
/// Returns an error if the monitor does not answer.
pub fn print_everything(client: &mut Client, out: &mut dyn Write) -> Result<(), Failure> {
    let selection = Selection::default();
    let answer = answer::ask(client, &selection)?;
    let detail = Detail {
        zeros: false,
        buckets: false,
        selection: &selection,
    };
    Ok(overview::print(&answer, &detail, out)?)
}

/// Prints the answers of several monitors, one after the other.
struct Printer<'a> {
    arguments: &'a QueryArgs,
    selection: &'a Selection,
    records: Records,
    is_first: bool,
}

impl Printer<'_> {
    /// Prints an answer. Fails afterwards if a part of the selection matched
    /// nothing.
    fn print(
        &mut self,
        endpoint: &Endpoint,
        answer: &Answer,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        match self.arguments.format {
            Format::Json => self.print_json(endpoint, answer, out)?,
            Format::Jsonl | Format::Csv => {
                tell_emptiness(endpoint, answer.emptiness.as_deref());
                self.records.values(&endpoint.to_string(), answer, out)?;
            }
            Format::Table => {
                if !self.arguments.monitors.is_one() {
                    endpoint_heading(endpoint, self.is_first, out)?;
                }
                if let Some(reason) = &answer.emptiness {
                    writeln!(out, "nothing: {reason}")?;
                }
                let detail = Detail {
                    zeros: self.arguments.zeros,
                    buckets: self.arguments.buckets || self.selection.has_names(),
                    selection: self.selection,
                };
                overview::print(answer, &detail, out)?;
            }
        }
        self.is_first = false;
        if answer.problems.is_empty() {
            Ok(())
        } else {
            Err(Failure::other(answer.problems.join("; ")))
        }
    }

    /// Prints the reply as it came if the arguments ask one monitor about one
    /// target. Otherwise prints each reply on a line that says whose it is.
    fn print_json(
        &self,
        endpoint: &Endpoint,
        answer: &Answer,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let is_one = self.arguments.monitors.is_one();
        for (target, reply) in &answer.replies {
            if is_one && self.selection.target().is_some() {
                writeln!(out, "{}", to_json(&reply.value()))?;
            } else {
                let endpoint = (!is_one).then_some(endpoint);
                print_wrapped(endpoint, Some(target), reply, out)?;
            }
        }
        Ok(())
    }
}

/// Prints a reply as the member `return` of an object, after members that say
/// whose reply it is.
fn print_wrapped(
    endpoint: Option<&Endpoint>,
    target: Option<&StatsTarget>,
    reply: &Return,
    out: &mut dyn Write,
) -> io::Result<()> {
    let mut line = Vec::new();
    let mut writer = Writer::new(&mut line);
    let mut object = writer.object();
    object.optional("endpoint", &endpoint.map(Endpoint::to_string));
    object.optional("target", &target.map(StatsTarget::to_string));
    object.required("return", &reply.value());
    object.end();
    line.push(b'\n');
    out.write_all(&line)
}

/// Says on the standard error stream why a monitor has nothing to tell.
fn tell_emptiness(endpoint: &Endpoint, reason: Option<&str>) {
    if let Some(reason) = reason {
        warn(&format!("{endpoint}: nothing: {reason}"));
    }
}

/// Prints the heading of a monitor's tables.
fn endpoint_heading(endpoint: &Endpoint, is_first: bool, out: &mut dyn Write) -> io::Result<()> {
    if !is_first {
        writeln!(out)?;
    }
    table::heading(out, &format!("== {endpoint}"))
}
