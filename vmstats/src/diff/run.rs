//! The run of `vmstats diff`.
//!
//! In: arguments. Out: printed differences. The arithmetic is in `difference`.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use super::difference::{differences, matches};
use super::print::{Form, Machine, Printer};
use crate::cli::{DiffArgs, DiffFormat};
use crate::excerpt::Excerpt;
use crate::failure::Failure;
use crate::sample::{Identity, Sample, Timestamp};
use crate::selection::Selection;
use crate::summary::{Step, Summarizer, Summary};
use crate::time_span::PlacedPart;

/// One side of a comparison.
struct Side {
    span: (Timestamp, Timestamp),
    identities: Vec<Identity>,
    summaries: Vec<Summary>,
}

/// Runs `vmstats diff`.
///
/// # Errors
///
/// Returns an error if a recording cannot be read or has no samples in its part, if a
/// name matches nothing, or if no virtual machine is on both sides.
pub fn run(arguments: &DiffArgs, out: &mut dyn Write) -> Result<(), Failure> {
    let names = Selection::of_names(&arguments.names);
    let before = side(&arguments.before, arguments, &names)?;
    let after = side(&arguments.after, arguments, &names)?;
    let matches = matches(&before.identities, &after.identities);
    let label = |side: &Side, place: usize| {
        let identity = side.identities.get(place);
        identity.map_or_else(String::new, |one| one.label().to_owned())
    };
    let alone = |side: &Side, places: &[usize]| -> Vec<String> {
        places.iter().map(|place| label(side, *place)).collect()
    };
    let alone = [
        alone(&before, &matches.alone[0]),
        alone(&after, &matches.alone[1]),
    ];
    if matches.pairs.is_empty() {
        return Err(Failure::other(format!(
            "no VM is in both parts: the first has {}, the second {}",
            alone[0].join(", "),
            alone[1].join(", ")
        )));
    }
    let form = match arguments.format {
        DiffFormat::Table => Form::Table,
        DiffFormat::Jsonl => Form::Jsonl,
        DiffFormat::Csv => Form::Csv,
    };
    let mut printer = Printer::new(form, [before.span, after.span], out);
    printer.begin([&arguments.before.text, &arguments.after.text])?;
    for (left, right) in matches.pairs {
        let (Some(first), Some(second)) = (before.summaries.get(left), after.summaries.get(right))
        else {
            continue;
        };
        let Some(identity) = before.identities.get(left) else {
            continue;
        };
        let mut differences = differences(first, second);
        differences
            .retain(|one| names.has_name(&one.stat.name) && (arguments.zeros || one.is_moving()));
        printer.machine(&Machine {
            identity,
            summaries: [first, second],
            differences: &differences,
            has_small: arguments.zeros || !arguments.names.is_empty(),
        })?;
    }
    printer.alone(&alone)?;
    Ok(())
}

/// Adds up the samples of one side.
fn side(part: &PlacedPart, arguments: &DiffArgs, names: &Selection) -> Result<Side, Failure> {
    let mut excerpt = Excerpt::open(part)?;
    excerpt.check_names(names)?;
    let intervals = excerpt.intervals().clone();
    let identities = excerpt.identities();
    let mut machines: HashMap<Arc<str>, (Option<Arc<Sample>>, Summarizer)> = HashMap::new();
    let mut order = Vec::new();
    excerpt.each(|recorded| {
        let (last, summarizer) = machines.entry(Arc::clone(&recorded.vm)).or_insert_with(|| {
            order.push(Arc::clone(&recorded.vm));
            (None, Summarizer::new(arguments.per_vcpu))
        });
        let gap_min = intervals.gap_min(recorded.sample.window.begin);
        summarizer.add(&Step::new(last.as_deref(), &recorded.sample, gap_min));
        *last = Some(recorded.sample);
        Ok(())
    })?;
    if order.is_empty() {
        return Err(Failure::other(format!("{}: no samples", part.text)));
    }
    let mut side = Side {
        span: excerpt.span,
        identities: Vec::new(),
        summaries: Vec::new(),
    };
    for vm in order {
        let Some((_, summarizer)) = machines.remove(&vm) else {
            continue;
        };
        let identity = identities.get(&vm).cloned();
        side.identities.push(identity.unwrap_or_else(|| Identity {
            endpoint: vm.as_ref().to_owned(),
            ..Identity::default()
        }));
        side.summaries.push(summarizer.finish());
    }
    Ok(side)
}
