//! `vmstats dump`: the values of a recording as text.
//!
//! In: a recording. Out: lines of JSON or CSV, or OpenMetrics with timestamps. The forms
//! themselves are those of `query` and of stats-runtime.

mod openmetrics;
mod spool;

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use crate::cli::{DumpArgs, DumpFormat};
use crate::excerpt::Excerpt;
use crate::failure::Failure;
use crate::query::records::{Form, Records};
use crate::sample::{Identity, Sample};
use crate::selection::Selection;
use crate::summary::Step;

/// Runs `vmstats dump`.
///
/// # Errors
///
/// Returns an error if the recording cannot be read or has no samples in its part, or if
/// a name matches nothing.
pub fn run(arguments: &DumpArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let names = Selection::of_names(&arguments.names);
    let mut excerpt = Excerpt::open(&arguments.recording)?;
    excerpt.check_names(&names)?;
    let form = match arguments.format {
        DumpFormat::Jsonl => Form::Jsonl,
        DumpFormat::Csv => Form::Csv,
        DumpFormat::Openmetrics => return openmetrics::run(&mut excerpt, &names, out),
    };
    let identities = excerpt.identities();
    let intervals = excerpt.intervals().clone();
    let mut records = Records::new(form);
    let mut last: HashMap<Arc<str>, Arc<Sample>> = HashMap::new();
    excerpt.each(|recorded| {
        let unknown = Identity::default();
        let identity = identities.get(&recorded.vm).unwrap_or(&unknown);
        let before = last.get(&recorded.vm).map(AsRef::as_ref);
        let gap_min = intervals.gap_min(recorded.sample.window.begin);
        let step = Step::new(before, &recorded.sample, gap_min);
        records.step(identity, &step, &|name| names.has_name(name), out)?;
        last.insert(recorded.vm, recorded.sample);
        Ok(())
    })?;
    if last.is_empty() {
        let part = &arguments.recording.text;
        return Err(Failure::other(format!("{part}: no samples")));
    }
    Ok(())
}
