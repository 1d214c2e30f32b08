//! Statistics as tables for people.
//!
//! In: the answer of a monitor. Out: a table for each kind of object, with its
//! objects as columns, or with sums and extremes if the columns do not fit. Every
//! line has the name of its statistic, for `grep`. This file asks no monitor.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};

use comfy_table::Table;
use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget, StatsType, StatsValue};

use super::answer::{Answer, Meanings, Object, Value, meanings};
use crate::measure;
use crate::printable::printable;
use crate::rates;
use crate::selection::Selection;
use crate::table;

/// The percentiles of a histogram that are shown.
const PERCENTILES: [u8; 2] = [50, 99];

/// The number of characters of a value of an unknown kind that are shown.
const OTHER_CHARS_MAX: usize = 24;

/// The lines of a table that are wanted.
#[derive(Debug)]
pub(super) struct Detail<'a> {
    /// True if statistics and buckets that are 0 are shown.
    pub(super) zeros: bool,
    /// True if the buckets of histograms are shown.
    pub(super) buckets: bool,
    /// The selection, whose names without wildcards are shown although they are 0.
    pub(super) selection: &'a Selection,
}

/// Prints the tables of an answer.
///
/// # Errors
///
/// Returns the error of writing.
pub(super) fn print(answer: &Answer, detail: &Detail<'_>, out: &mut dyn Write) -> io::Result<()> {
    let meanings = meanings(&answer.schemas);
    let mut groups: BTreeMap<(&StatsTarget, &StatsProvider), Vec<&Object>> = BTreeMap::new();
    for object in &answer.objects {
        let group = groups.entry((&object.target, &object.provider));
        group.or_default().push(object);
    }
    let mut zeros = 0;
    for (index, ((target, provider), mut objects)) in groups.into_iter().enumerate() {
        if index > 0 {
            writeln!(out)?;
        }
        objects.sort_by(|left, right| {
            let key = |object: &Object| (object.number, object.qom_path.clone());
            key(left).cmp(&key(right))
        });
        let group = Group {
            target,
            provider,
            objects,
            meanings: &meanings,
        };
        let (rows, left_out) = group.rows(detail);
        zeros += left_out;
        if !rows.is_empty() {
            table::print(out, &group.fitting_table(&rows, table::width()))?;
        } else {
            table::heading(out, &group.title())?;
        }
    }
    match zeros {
        0 => Ok(()),
        1 => writeln!(out, "1 statistic that is 0 is left out; --zeros shows it"),
        _ => writeln!(
            out,
            "{zeros} statistics that are 0 are left out; --zeros shows them"
        ),
    }
}

/// The objects of one target that one provider has statistics of.
struct Group<'a> {
    target: &'a StatsTarget,
    provider: &'a StatsProvider,
    objects: Vec<&'a Object>,
    meanings: &'a Meanings<'a>,
}

/// A line of a table before its columns have been chosen.
struct Row {
    label: String,
    /// The value of each object, or `None` if the object does not have it.
    cells: Vec<Option<Cell>>,
    /// The value of all objects together; empty if it has no meaning.
    sum: String,
}

/// The value of one object.
struct Cell {
    text: String,
    /// The value as a number, by which the smallest and the largest are found;
    /// `None` if the values have no order.
    rank: Option<u64>,
}

impl Group<'_> {
    fn title(&self) -> String {
        format!("{} {}", self.provider, self.target)
    }

    /// Returns the rows, sorted by name, and the number of statistics that are left
    /// out because they are 0.
    fn rows(&self, detail: &Detail<'_>) -> (Vec<Row>, usize) {
        let stats = self.objects.iter().flat_map(|object| &object.stats);
        let names: BTreeSet<&str> = stats.map(|(name, _)| name.as_str()).collect();
        let mut left_out = 0;
        let mut rows = Vec::new();
        for name in names {
            let meaning = self.meanings.get(&(self.target, self.provider, name));
            let values: Vec<Option<&Value>> = self
                .objects
                .iter()
                .map(|object| object.stats.iter().find(|(other, _)| other == name))
                .map(|stat| stat.map(|(_, value)| value))
                .collect();
            let shows_zero = detail.zeros || detail.selection.names_literally(name);
            if !shows_zero && values.iter().flatten().all(|value| value.is_zero()) {
                left_out += 1;
                continue;
            }
            match meaning {
                Some(meaning) if meaning.is_histogram() => {
                    let counts = values.iter().map(|value| value.and_then(Value::counts));
                    let histogram = Histogram {
                        name,
                        meaning,
                        objects: counts.collect(),
                    };
                    rows.extend(histogram.rows(detail));
                }
                _ => rows.push(row(name, meaning.copied(), &values)),
            }
        }
        (rows, left_out)
    }

    /// Returns the first of these tables that fits into `width` columns: with a
    /// column for each object; with the sum and the extremes of all objects; with
    /// the sum alone.
    fn fitting_table(&self, rows: &[Row], width: usize) -> Table {
        if let [_] = self.objects.as_slice() {
            return self.column_table(rows, false);
        }
        for table in [
            self.column_table(rows, true),
            self.column_table(rows, false),
            self.sum_table(rows, true),
        ] {
            if table::width_of(&table) <= width {
                return table;
            }
        }
        self.sum_table(rows, false)
    }

    /// Returns a table with a column for each object, and perhaps with their sum.
    fn column_table(&self, rows: &[Row], has_sum: bool) -> Table {
        let mut names = vec![self.title()];
        names.extend(
            self.objects
                .iter()
                .map(|object| self.label(object, "vCPU ")),
        );
        names.extend(has_sum.then(|| "SUM".to_owned()));
        let mut table = numbers(&names);
        for row in rows {
            let mut cells = vec![row.label.as_str()];
            let of_objects = row.cells.iter();
            cells.extend(of_objects.map(|cell| cell.as_ref().map_or("-", |cell| &cell.text)));
            cells.extend(has_sum.then_some(row.sum.as_str()));
            table.add_row(cells.iter().map(|cell| printable(cell)));
        }
        table
    }

    /// Returns a table with the sum of all objects, and perhaps with the smallest
    /// and the largest value and the objects that have them.
    fn sum_table(&self, rows: &[Row], has_extremes: bool) -> Table {
        let mut names = vec![format!("{} ({})", self.title(), self.objects.len())];
        let extremes = ["MIN", "OF", "MAX", "OF"];
        names.push("SUM".to_owned());
        names.extend(
            extremes
                .map(str::to_owned)
                .into_iter()
                .filter(|_| has_extremes),
        );
        let mut table = numbers(&names);
        for row in rows {
            let mut cells = vec![row.label.clone(), row.sum.clone()];
            if has_extremes {
                let ranked = || {
                    let cells = row.cells.iter().zip(&self.objects);
                    cells.filter_map(|(cell, object)| {
                        let cell = cell.as_ref()?;
                        Some((cell.rank?, cell, object))
                    })
                };
                // Equal values show the first of their objects.
                let smallest = ranked().min_by_key(|(rank, ..)| *rank);
                let largest = ranked().rev().max_by_key(|(rank, ..)| *rank);
                for extreme in [smallest, largest] {
                    let (value, of) = extreme
                        .map(|(_, cell, object)| (cell.text.clone(), self.label(object, "#")))
                        .unwrap_or_default();
                    cells.extend([value, of]);
                }
            }
            table.add_row(cells.iter().map(|cell| printable(cell)));
        }
        table
    }

    /// Returns the name of an object at the head of its column: the number of a
    /// vCPU, or the last part of a path.
    fn label(&self, object: &Object, prefix: &str) -> String {
        match (object.number, &object.qom_path) {
            (Some(number), _) => format!("{prefix}{number}"),
            (None, Some(path)) => {
                let name = path.rsplit('/').next().unwrap_or(path);
                printable(name).into_owned()
            }
            (None, None) => "VALUE".to_owned(),
        }
    }
}

/// Returns a table whose columns, except for the first, have numbers.
fn numbers(names: &[String]) -> Table {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut table = table::columns(&names);
    for column in 1..names.len() {
        table::right_align(&mut table, column);
    }
    table
}

impl Value {
    /// Returns whether the value is 0, "no", or a histogram of nothing.
    fn is_zero(&self) -> bool {
        match self {
            Self::Known(value) => value.total() == 0,
            Self::Other(_) => false,
        }
    }

    /// Returns the counts of a histogram's buckets, the lowest bucket first.
    fn counts(&self) -> Option<Vec<u64>> {
        match self {
            Self::Known(value) => Some(value.lowest_first()),
            Self::Other(_) => None,
        }
    }
}

/// Returns the row of a statistic with a single value for each object.
fn row(name: &str, meaning: Option<&StatsSchemaValue>, values: &[Option<&Value>]) -> Row {
    let cell = |value: &Value| match value {
        Value::Known(known) => Cell {
            text: measure::value(known, meaning),
            rank: match known {
                StatsValue::Scalar(_) | StatsValue::Boolean(_) => Some(known.total()),
                StatsValue::List(_) => None,
            },
        },
        Value::Other(json) => Cell {
            text: shortened(json),
            rank: None,
        },
    };
    Row {
        label: name.to_owned(),
        cells: values.iter().map(|value| value.map(cell)).collect(),
        sum: sum(meaning, values),
    }
}

/// Cuts a text that would make a column too wide.
fn shortened(text: &str) -> String {
    match text.char_indices().nth(OTHER_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or(text)),
        None => text.to_owned(),
    }
}

/// Returns the sum of the values. The sum of peaks and of lists has no meaning;
/// that of truth values is the number of objects for which it is true.
fn sum(meaning: Option<&StatsSchemaValue>, values: &[Option<&Value>]) -> String {
    if meaning.is_some_and(|meaning| meaning.type_ == StatsType::Peak) {
        return String::new();
    }
    let mut total: u64 = 0;
    let mut is_boolean = false;
    for value in values.iter().flatten() {
        match value {
            Value::Known(StatsValue::Scalar(value)) => total = total.saturating_add(*value),
            Value::Known(StatsValue::Boolean(value)) => {
                total += u64::from(*value);
                is_boolean = true;
            }
            Value::Known(StatsValue::List(_)) | Value::Other(_) => return String::new(),
        }
    }
    if is_boolean {
        format!("{total} yes")
    } else {
        measure::amount(total, meaning)
    }
}

/// The counts of a histogram's buckets for each object.
struct Histogram<'a> {
    name: &'a str,
    meaning: &'a StatsSchemaValue,
    objects: Vec<Option<Vec<u64>>>,
}

impl Histogram<'_> {
    /// Returns the rows of the histogram: the percentiles, or the number of samples
    /// and the buckets, the lowest bucket first.
    fn rows(&self, detail: &Detail<'_>) -> Vec<Row> {
        let total = self.total();
        let mut rows = Vec::new();
        if detail.buckets {
            rows.push(Row {
                label: format!("{} samples", self.name),
                cells: self.cells(|counts| count_cell(rates::sum(counts))),
                sum: measure::grouped(rates::sum(&total)),
            });
        }
        for percent in PERCENTILES {
            let cell = |counts: &Vec<u64>| self.percentile(counts, percent);
            rows.push(Row {
                label: format!("{} p{percent}", self.name),
                cells: self.cells(cell),
                sum: self.percentile(&total, percent).text,
            });
        }
        let shown = (0..total.len()).filter(|_| detail.buckets);
        for index in shown {
            let count = |counts: &Vec<u64>| counts.get(index).copied().unwrap_or(0);
            let sum = count(&total);
            if sum > 0 || detail.zeros {
                let range = measure::bucket(self.meaning, index, total.len());
                rows.push(Row {
                    label: format!("{} {range}", self.name),
                    cells: self.cells(|counts| count_cell(count(counts))),
                    sum: measure::grouped(sum),
                });
            }
        }
        rows
    }

    fn cells(&self, cell: impl Fn(&Vec<u64>) -> Cell) -> Vec<Option<Cell>> {
        let objects = self.objects.iter();
        objects.map(|counts| counts.as_ref().map(&cell)).collect()
    }

    /// Returns the counts of all objects together.
    fn total(&self) -> Vec<u64> {
        let mut total = Vec::new();
        for counts in self.objects.iter().flatten() {
            rates::add_buckets(&mut total, counts);
        }
        total
    }

    /// Returns the bucket with the percentile. A value within the bucket would be a
    /// guess.
    fn percentile(&self, counts: &[u64], percent: u8) -> Cell {
        let share = f64::from(percent) / 100.0;
        match rates::percentile(counts, share) {
            Some(index) => Cell {
                text: measure::bucket(self.meaning, index, counts.len()),
                rank: u64::try_from(index).ok(),
            },
            None => Cell {
                text: "-".to_owned(),
                rank: None,
            },
        }
    }
}

fn count_cell(count: u64) -> Cell {
    Cell {
        text: measure::grouped(count),
        rank: Some(count),
    }
}
