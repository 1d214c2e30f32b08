//! The run of `vmstats report`.
//!
//! In: arguments. Out: a file with the page.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::columns::Grid;
use super::page::{Facts, page};
use super::section::{Section, SectionBuilder};
use crate::cli::ReportArgs;
use crate::excerpt::Excerpt;
use crate::failure::Failure;
use crate::recording::row::{Event, EventKind};
use crate::sample::{Identity, Timestamp};
use crate::time_span;

/// The number of intervals of a span, for the number of columns.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a length in seconds, divided by an interval"
)]
fn samples_in((begin, end): (Timestamp, Timestamp), interval: Duration) -> u64 {
    let samples = end.since(begin).as_secs_f64() / interval.as_secs_f64().max(1e-3);
    samples.round() as u64 + 1
}

/// Runs `vmstats report`.
///
/// # Errors
///
/// Returns an error if the recording cannot be read or has no samples in its part, or if
/// the file cannot be written.
pub fn run(arguments: &ReportArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let part = &arguments.recording;
    let mut excerpt = Excerpt::open(part)?;
    let (begin, end) = excerpt.span;
    let split = match arguments.split {
        None => Timestamp(begin.0.midpoint(end.0)),
        Some(moment) => moment
            .within(excerpt.span)
            .map_err(|problem| Failure::other(format!("--split: {problem}")))?,
    };
    let about = excerpt.recording.about();
    let intervals: Vec<Duration> = excerpt.intervals().between(begin, end).collect();
    let shortest = intervals.iter().min().copied().unwrap_or_default();
    let facts = Facts {
        recording: part.text.clone(),
        host: Some(about.host.clone()).filter(|host| !host.is_empty()),
        intervals,
        grid: Grid::new(begin, end, samples_in(excerpt.span, shortest)),
        split,
        told: Vec::new(),
    };
    let identities = excerpt.identities();
    let intervals = excerpt.intervals().clone();
    let mut told = Vec::new();
    let mut builders: HashMap<Arc<str>, SectionBuilder> = HashMap::new();
    let builder = |vm: &Arc<str>| {
        let identity = identities.get(vm).cloned();
        let identity = identity.unwrap_or_else(|| Identity {
            endpoint: vm.as_ref().to_owned(),
            ..Identity::default()
        });
        SectionBuilder::new(identity, facts.grid, split, intervals.clone())
    };
    excerpt.each(|recorded| {
        let builder = builders.entry(recorded.vm).or_insert_with_key(builder);
        builder.add(&recorded.sample);
        Ok(())
    })?;
    if builders.is_empty() {
        return Err(Failure::other(format!("{}: no samples", part.text)));
    }
    // The virtual machine that never answered may be the one that the review is about.
    for vm in identities.keys() {
        let _ = { builders.entry(Arc::clone(vm)) }.or_insert_with_key(builder);
    }
    for event in excerpt.recording.events()? {
        if !(begin..=end).contains(&event.time) {
            continue;
        }
        let Some(sentence) = sentence(&event) else {
            continue;
        };
        match event.vm {
            Some(vm) => {
                let builder = builders.entry(vm).or_insert_with_key(builder);
                builder.tell(event.time, sentence);
            }
            None => told.push((event.time, sentence)),
        }
    }
    let mut sections: Vec<Section> = builders.into_values().map(SectionBuilder::finish).collect();
    sections.sort_by(|left, right| {
        let by_change = right.change().total_cmp(&left.change());
        by_change.then_with(|| left.identity.endpoint.cmp(&right.identity.endpoint))
    });
    told.sort_by_key(|(at, _)| *at);
    let facts = Facts { told, ..facts };
    write(&arguments.output, &page(&facts, &sections))?;
    let plural = if sections.len() == 1 { "" } else { "s" };
    writeln!(
        out,
        "{}: {} VM{plural}, {} to {} UTC",
        arguments.output.display(),
        sections.len(),
        time_span::date_time(begin),
        time_span::date_time(end)
    )?;
    Ok(())
}

/// Returns what an event tells that the samples do not.
fn sentence(event: &Event) -> Option<String> {
    let text = &event.text;
    Some(match event.kind {
        EventKind::Connected => format!("the monitor answers: version {text}"),
        EventKind::Failed => format!("the monitor cannot be asked: {text}"),
        EventKind::Restarted => format!("the virtual machine was started again: {text}"),
        EventKind::Gone => "the socket of the monitor is gone".to_owned(),
        EventKind::Clock | EventKind::Lost => text.clone(),
        // The section lists what could not be read.
        EventKind::Absent => return None,
    })
}

fn write(path: &Path, page: &str) -> Result<(), Failure> {
    std::fs::write(path, page)
        .map_err(|error| Failure::other(format!("{}: {error}", path.display())))
}
