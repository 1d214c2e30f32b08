//! Differences as text.
//!
//! In: the differences of a virtual machine. Out: a table for people, or lines of JSON or
//! CSV for programs. Nothing here computes a difference.

use std::io::{self, Write};

use qapi_stats::wire::to_json;

use super::difference::{Difference, SHARES};
use crate::measure;
use crate::printable::printable;
use crate::query::records::{Field, Form as LinesForm, Records};
use crate::sample::{Identity, Kind, Timestamp};
use crate::summary::{self, Figure, Happening, Summary};
use crate::table;
use crate::time_span;

/// The form of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Table,
    Jsonl,
    Csv,
}

/// The differences of a virtual machine.
pub(super) struct Machine<'a> {
    pub(super) identity: &'a Identity,
    pub(super) summaries: [&'a Summary; 2],
    pub(super) differences: &'a [Difference],
    /// True if a table has the small differences too.
    pub(super) has_small: bool,
}

/// Prints the differences of virtual machines, one after the other.
pub(super) struct Printer<'a> {
    lines: Option<Records>,
    spans: [(Timestamp, Timestamp); 2],
    out: &'a mut dyn Write,
}

impl<'a> Printer<'a> {
    pub(super) fn new(
        form: Form,
        spans: [(Timestamp, Timestamp); 2],
        out: &'a mut dyn Write,
    ) -> Self {
        let lines = match form {
            Form::Table => None,
            Form::Jsonl => Some(Records::new(LinesForm::Jsonl)),
            Form::Csv => Some(Records::new(LinesForm::Csv)),
        };
        Self { lines, spans, out }
    }

    /// Prints which parts are compared.
    pub(super) fn begin(&mut self, texts: [&str; 2]) -> io::Result<()> {
        if self.lines.is_some() {
            return Ok(());
        }
        for ((name, text), (from, to)) in ["A", "B"].iter().zip(texts).zip(self.spans) {
            writeln!(
                self.out,
                "{name}: {}, {} to {} UTC",
                printable(text),
                time_span::date_time(from),
                time_span::date_time(to)
            )?;
        }
        Ok(())
    }

    /// Prints a virtual machine.
    pub(super) fn machine(&mut self, machine: &Machine<'_>) -> io::Result<()> {
        match &mut self.lines {
            Some(lines) => {
                for one in machine.differences {
                    lines.line(&fields(machine.identity, one), self.out)?;
                }
                Ok(())
            }
            None => print_table(machine, self.out),
        }
    }

    /// Prints the virtual machines that only one side has.
    pub(super) fn alone(&mut self, alone: &[Vec<String>; 2]) -> io::Result<()> {
        for (name, labels) in ["A", "B"].iter().zip(alone) {
            for label in labels {
                // Programs read the lines; the sentence is for the person who runs them.
                let sentence = format!("only in {name}: {}", printable(label));
                match &self.lines {
                    Some(_) => writeln!(io::stderr(), "vmstats: {sentence}")?,
                    None => writeln!(self.out, "\n{sentence}")?,
                }
            }
        }
        Ok(())
    }
}

fn print_table(machine: &Machine<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    table::heading(out, machine.identity.label())?;
    for (name, summary) in ["A", "B"].iter().zip(machine.summaries) {
        writeln!(out, "{name}: {}", printable(&covered(summary)))?;
    }
    let mut rows = table::columns(&["NAME", "A", "B", "CHANGE"]);
    for column in 1..4 {
        table::right_align(&mut rows, column);
    }
    let mut small = 0;
    for one in machine.differences {
        if !machine.has_small && one.is_small() {
            small += 1;
            continue;
        }
        let object = one.object.as_ref().map(ToString::to_string);
        let object = object.filter(|object| !object.is_empty());
        let name = match object {
            Some(object) => format!("{} [{object}]", one.stat.name),
            None => one.stat.name.clone(),
        };
        let [before, after] = [0, 1].map(|side| level(one, side));
        rows.add_row([&name, &before, &after, &one.change(["A", "B"])].map(|text| printable(text)));
        for (percentile, share) in SHARES {
            let [before, after] = one.buckets(share);
            if before.is_some() || after.is_some() {
                let bucket =
                    |index: Option<usize>| index.map_or(String::new(), |index| bounds(one, index));
                let shift = match (before, after) {
                    (Some(before), Some(after)) if before != after => {
                        let sign = if after > before { '+' } else { '-' };
                        let buckets = after.abs_diff(before);
                        let plural = if buckets == 1 { "" } else { "s" };
                        format!("{sign}{buckets} bucket{plural}")
                    }
                    _ => String::new(),
                };
                rows.add_row([
                    format!("  {percentile}"),
                    bucket(before),
                    bucket(after),
                    shift,
                ]);
            }
        }
    }
    if machine.differences.is_empty() {
        return writeln!(out, "nothing moved");
    }
    if !rows.is_empty() {
        table::print(out, &rows)?;
    }
    if small > 0 {
        let plural = if small == 1 { "" } else { "s" };
        writeln!(
            out,
            "{small} statistic{plural} differ by less than 5 %; --zeros shows all"
        )?;
    }
    Ok(())
}

/// Returns a sentence about the time that a summary covers, and what happened in it.
fn covered(summary: &Summary) -> String {
    let count = |is: fn(&Happening) -> bool| {
        summary
            .events
            .iter()
            .filter(|event| is(&event.happening))
            .count()
    };
    let mut sentence = format!(
        "{:.1} s between {} samples",
        summary.covered_seconds, summary.samples
    );
    let counts = [
        ("restarts", count(|one| *one == Happening::Restarted)),
        ("gaps", count(|one| matches!(one, Happening::Gap(_)))),
        ("resets", count(|one| matches!(one, Happening::Reset(..)))),
        (
            "objects appeared",
            count(|one| matches!(one, Happening::Appeared(..))),
        ),
        (
            "objects gone",
            count(|one| matches!(one, Happening::Gone(..))),
        ),
    ];
    for (what, count) in counts {
        if count > 0 {
            sentence.push_str(&format!(", {what}: {count}"));
        }
    }
    let delays = summary.events.iter().filter_map(|one| match one.happening {
        Happening::Late(delay) => Some(delay),
        _ => None,
    });
    let late = delays.clone().count();
    if let Some(longest) = delays.max() {
        let longest = longest.as_secs_f64();
        sentence.push_str(&format!(
            ", late answers: {late}, the longest after {longest:.1} s"
        ));
    }
    if let Some(absence) = summary.absences.first() {
        sentence.push_str(&format!("; not read: {absence}"));
    }
    sentence
}

/// Returns the value of a statistic on one side, for people.
fn level(one: &Difference, side: usize) -> String {
    let figure = one.figures.get(side).and_then(Option::as_ref);
    let Some((figure, level)) = figure.and_then(|figure| Some((figure, figure.level()?))) else {
        return "not read".to_owned();
    };
    let text = summary::level(&one.stat, level);
    let meaning = one.stat.schema.as_ref();
    match figure {
        #[expect(clippy::cast_precision_loss, reason = "rounded for people")]
        Figure::Gauge { min, max, .. } if min != max => {
            let bound = |bound: u128| measure::mean(bound as f64, meaning);
            format!("{text} ({} to {})", bound(*min), bound(*max))
        }
        _ => text,
    }
}

fn bounds(one: &Difference, index: usize) -> String {
    match &one.stat.schema {
        Some(schema) => measure::bucket(schema, index, buckets_count(one)),
        None => format!("[{index}]"),
    }
}

/// Returns the number of buckets of a histogram.
fn buckets_count(one: &Difference) -> usize {
    let counts = one.figures.iter().flatten().map(|figure| match figure {
        Figure::Histogram { increases, .. } => increases.len(),
        _ => 0,
    });
    counts.max().unwrap_or(0)
}

/// Returns the fields of a line.
fn fields(identity: &Identity, one: &Difference) -> Vec<Field> {
    let json = |text: &str| Some(to_json(text));
    let number = |number: f64| Some(format!("{number:.6}"));
    let schema = one.stat.schema.as_ref();
    let unit = schema.map(|schema| schema.quantity().to_string());
    let unit = unit.filter(|unit| !unit.is_empty());
    let kind = match one.stat.kind {
        Kind::Counter => "rate",
        Kind::Histogram => "histogram",
        Kind::Gauge | Kind::Unknown => "mean",
        Kind::Boolean => "share",
        Kind::Peak => "max",
    };
    let object = one.object.as_ref();
    let mut fields = vec![
        ("vm", json(identity.label())),
        ("endpoint", json(&identity.endpoint)),
        ("provider", json(one.provider.name())),
        ("target", json(one.target.name())),
        (
            "qom-path",
            object.and_then(|id| json(id.qom_path.as_deref()?)),
        ),
        ("vcpu", object.and_then(|id| Some(id.index?.to_string()))),
        ("name", json(&one.stat.name)),
        ("unit", unit.as_deref().and_then(json)),
        ("kind", json(kind)),
    ];
    let [before, after] = one.levels();
    fields.push(("a", before.and_then(number)));
    fields.push(("b", after.and_then(number)));
    fields.push(("ratio", one.ratio().and_then(number)));
    fields.push(("doublings", number(one.doublings())));
    let names = [
        [
            "a-increase",
            "a-seconds",
            "a-min",
            "a-max",
            "a-left-out",
            "a-p50",
            "a-p99",
        ],
        [
            "b-increase",
            "b-seconds",
            "b-min",
            "b-max",
            "b-left-out",
            "b-p50",
            "b-p99",
        ],
    ];
    for (side, [increase, seconds, min, max, left_out, p50, p99]) in names.into_iter().enumerate() {
        let figure = one.figures.get(side).and_then(Option::as_ref);
        let (grown, covered) = match figure {
            Some(Figure::Counter { increase, seconds }) => {
                (Some(increase.to_string()), number(*seconds))
            }
            Some(Figure::Histogram { increases, seconds }) => (
                Some(crate::rates::sum(increases).to_string()),
                number(*seconds),
            ),
            _ => (None, None),
        };
        let (low, high) = match figure {
            Some(Figure::Gauge { min, max, .. }) => (Some(min.to_string()), Some(max.to_string())),
            _ => (None, None),
        };
        fields.extend([
            (increase, grown),
            (seconds, covered),
            (min, low),
            (max, high),
        ]);
        let steps = one.left_out.get(side).map(ToString::to_string);
        fields.push((left_out, steps));
        for (name, (_, share)) in [p50, p99].into_iter().zip(SHARES) {
            let bucket = one.buckets(share).get(side).copied().flatten();
            fields.push((name, bucket.and_then(|bucket| bucket_json(one, bucket))));
        }
    }
    fields
}

/// Returns the bounds of a bucket as JSON.
fn bucket_json(one: &Difference, index: usize) -> Option<String> {
    let bounds = one
        .stat
        .schema
        .as_ref()?
        .bucket_bounds(index, buckets_count(one))?;
    Some(match bounds.upper {
        Some(upper) => format!("{{\"lower\": {}, \"upper\": {upper}}}", bounds.lower),
        None => format!("{{\"lower\": {}}}", bounds.lower),
    })
}
