//! The rows of the list of virtual machines.
//!
//! In: the observed virtual machines, a moment, and an order. Out: rows in that order,
//! and the text of their cells. This file draws nothing.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use qapi_stats::stats::StatsSchemaValue;
use regex_lite::Regex;

use super::column::Column;
use super::figures::Numbers;
use super::history::Entry;
use super::observed::{Observed, Severity};
use super::stats::Scope;
use super::vm_id::VmId;
use crate::measure;
use crate::printable::printable;
use crate::sample::{Kind, Sample, Stat, Timestamp};

/// The text of a cell that has no value.
pub(super) const NO_VALUE: &str = "-";

/// An order of rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// The column that is compared.
    pub(super) column: Column,
    /// Whether the order is the other one than usual, which is the largest number or the
    /// first name first.
    pub(super) is_inverted: bool,
}

/// The virtual machines that show their vCPUs.
#[derive(Clone, Copy, Debug)]
pub(super) enum Folding<'a> {
    /// Rows of virtual machines, some followed by their vCPUs.
    Unfolded(&'a BTreeSet<VmId>),
    /// Rows of vCPUs only, ordered among all. A virtual machine that cannot be read has
    /// one row.
    VcpusOnly,
}

/// A row.
#[derive(Clone, Debug)]
pub(super) struct Row<'a> {
    /// The virtual machine.
    pub(super) vm: VmId,
    /// The virtual machine itself, or one of its vCPUs.
    pub(super) scope: Scope,
    /// The name for people.
    pub(super) name: String,
    /// The last sample; `None` before the first one.
    pub(super) entry: Option<&'a Entry>,
    /// The numbers, for each column one; `None` if the virtual machine cannot be read:
    /// then the numbers of its last sample are old.
    pub(super) numbers: Option<&'a Numbers>,
    /// The state of the virtual machine.
    pub(super) state: (Severity, String),
}

/// Returns the rows at a moment. `names` selects virtual machines by their names.
pub(super) fn rows<'a>(
    observed: &'a Observed,
    moment: Timestamp,
    order: &Order,
    folding: Folding<'_>,
    names: Option<&Regex>,
) -> Vec<Row<'a>> {
    let place = observed
        .columns
        .iter()
        .position(|column| *column == order.column);
    let sort = |rows: &mut Vec<Row<'a>>| {
        rows.sort_by(|left, right| {
            let by_column = compare(left, right, &order.column, place, order.is_inverted);
            by_column.then_with(|| natural(&left.name, &right.name))
        });
    };
    let mut rows: Vec<Row<'a>> = observed
        .labels()
        .into_iter()
        .filter(|(_, label)| names.is_none_or(|names| names.is_match(label)))
        .filter(|(vm, _)| observed.is_there(*vm, moment))
        .map(|(vm, name)| {
            let entry = observed.history.at(vm, moment);
            let state = observed.state(vm, moment);
            let current = entry.filter(|_| state.0 != Severity::Bad);
            Row {
                vm,
                scope: Scope::Vm,
                name,
                entry,
                numbers: current.map(|entry| &entry.figures.vm),
                state,
            }
        })
        .collect();
    match folding {
        Folding::Unfolded(unfolded) => {
            sort(&mut rows);
            let with_vcpus = rows.into_iter().flat_map(|row| {
                let mut vcpus = if unfolded.contains(&row.vm) {
                    vcpus(&row, |id| format!("vCPU {id}"))
                } else {
                    Vec::new()
                };
                sort(&mut vcpus);
                std::iter::once(row).chain(vcpus)
            });
            with_vcpus.collect()
        }
        Folding::VcpusOnly => {
            let one_or_vcpus = rows.into_iter().flat_map(|row| match row.numbers {
                Some(_) => vcpus(&row, |id| format!("{}/{id}", row.name)),
                None => vec![row],
            });
            let mut vcpus: Vec<Row<'a>> = one_or_vcpus.collect();
            sort(&mut vcpus);
            vcpus
        }
    }
}

/// Returns the rows of the vCPUs of a virtual machine.
fn vcpus<'a>(row: &Row<'a>, name: impl Fn(&str) -> String) -> Vec<Row<'a>> {
    let vcpus = row.entry.iter().flat_map(|entry| &entry.figures.vcpus);
    vcpus
        .map(|(id, numbers)| Row {
            scope: Scope::Vcpu(id.clone()),
            name: name(&printable(&id.to_string())),
            numbers: row.numbers.map(|_| numbers),
            ..row.clone()
        })
        .collect()
}

fn compare(
    left: &Row<'_>,
    right: &Row<'_>,
    column: &Column,
    place: Option<usize>,
    is_inverted: bool,
) -> Ordering {
    let turn = |order: Ordering| {
        if is_inverted { order.reverse() } else { order }
    };
    match column {
        Column::Name => turn(natural(&left.name, &right.name)),
        Column::State => turn(right.state.cmp(&left.state)),
        _ => {
            let number = |row: &Row<'_>| row.numbers?.get(place?).copied().flatten();
            // Rows without a number come last in both orders.
            match (number(left), number(right)) {
                (Some(left), Some(right)) => turn(right.total_cmp(&left)),
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (None, None) => Ordering::Equal,
            }
        }
    }
}

/// Compares names so that `vm-10` follows `vm-9`.
pub(super) fn natural(left: &str, right: &str) -> Ordering {
    let number = |text: &str| {
        let digits = text.len()
            - text
                .trim_start_matches(|one: char| one.is_ascii_digit())
                .len();
        let (number, rest) = text.split_at(digits);
        (number.parse::<u64>().ok(), digits, rest.len())
    };
    let (mut one, mut two) = (left, right);
    loop {
        let (Some(first), Some(second)) = (one.chars().next(), two.chars().next()) else {
            return one.len().cmp(&two.len()).then_with(|| left.cmp(right));
        };
        let skip = |text: &'_ str, length: usize| text.len() - length;
        if first.is_ascii_digit() && second.is_ascii_digit() {
            let ((number_one, _, rest_one), (number_two, _, rest_two)) = (number(one), number(two));
            let order = number_one.cmp(&number_two);
            if order != Ordering::Equal {
                return order;
            }
            one = one.get(skip(one, rest_one)..).unwrap_or_default();
            two = two.get(skip(two, rest_two)..).unwrap_or_default();
        } else if first == second {
            one = one.get(first.len_utf8()..).unwrap_or_default();
            two = two.get(second.len_utf8()..).unwrap_or_default();
        } else {
            return first.cmp(&second);
        }
    }
}

/// Returns the text of a cell, except for the trend.
pub(super) fn cell(row: &Row<'_>, column: &Column, place: usize) -> String {
    let number = row.numbers.and_then(|numbers| numbers.get(place)?.as_ref());
    match (column, number) {
        (Column::Name, _) => return row.name.clone(),
        (Column::State, _) => {
            return match row.scope {
                Scope::Vm => printable(&row.state.1).into_owned(),
                // The row of its virtual machine has the state.
                Scope::Vcpu(_) => String::new(),
            };
        }
        _ => {}
    }
    let Some(number) = number else {
        return match row.scope {
            Scope::Vcpu(_) if matches!(column, Column::Vcpus | Column::Query) => String::new(),
            _ => NO_VALUE.to_owned(),
        };
    };
    let sample = row.entry.map(|entry| &*entry.sample);
    text(*number, column, sample)
}

fn text(number: f64, column: &Column, sample: Option<&Sample>) -> String {
    match column {
        Column::Vcpus => format!("{number:.0}"),
        Column::Steal | Column::Run | Column::Halt => format!("{number:.1}"),
        Column::Query => duration(number),
        Column::Wait => {
            let found = sample.and_then(|sample| stat(sample, "halt_wait_hist"));
            let bounds = found.and_then(|(stat, buckets)| {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "the index of a bucket"
                )]
                let index = number as usize;
                Some(measure::bucket(stat.schema.as_ref()?, index, buckets))
            });
            bounds.unwrap_or_else(|| format!("[{number:.0}]"))
        }
        Column::Stat(name) => {
            let stat = sample.and_then(|sample| stat(sample, name));
            value(number, stat.map(|(stat, _)| stat))
        }
        Column::Name | Column::Trend | Column::State => String::new(),
    }
}

/// Returns the text of nanoseconds.
pub(super) fn duration(nanoseconds: f64) -> String {
    let schema = StatsSchemaValue::cumulative("duration").seconds(-9);
    measure::mean(nanoseconds, Some(&schema))
}

/// Returns the text of a rate, or of a value that has none.
pub(super) fn value(number: f64, stat: Option<&Stat>) -> String {
    let schema = stat.and_then(|stat| stat.schema.as_ref());
    match stat.map(|stat| stat.kind) {
        // The rate of a histogram counts its values.
        Some(Kind::Histogram) => measure::rate(number, None),
        Some(Kind::Counter) => measure::rate(number, schema),
        _ => measure::mean(number, schema),
    }
}

/// Returns a statistic of a sample by its name, and the number of its buckets.
fn stat<'a>(sample: &'a Sample, name: &str) -> Option<(&'a Stat, usize)> {
    sample.objects.iter().find_map(|object| {
        let place = object.table.position(name)?;
        let buckets = match object.values.get(place) {
            Some(crate::sample::Value::Buckets(buckets)) => buckets.len(),
            _ => 0,
        };
        Some((object.table.stats.get(place)?, buckets))
    })
}

/// Returns the places of the columns that fit into a width, with a cell between two, and
/// the width that is left over. Columns of the highest ranks are left out first; `kept`
/// remains.
pub(super) fn fit(columns: &[Column], width: u16, kept: &Column) -> (Vec<usize>, u16) {
    let mut places: Vec<usize> = (0..columns.len()).collect();
    let column = |place: usize| columns.get(place);
    loop {
        let used: u16 = { places.iter() }
            .filter_map(|place| Some(column(*place)?.width() + 1))
            .sum::<u16>()
            .saturating_sub(1);
        if used <= width {
            return (places, width - used);
        }
        let droppable = places.iter().enumerate().filter_map(|(at, place)| {
            let column = column(*place)?;
            (column.rank() > 0 && column != kept).then_some((column.rank(), at))
        });
        match droppable.max() {
            Some((_, at)) => places.remove(at),
            None => return (places, 0),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_numbers_are_in_the_order_of_the_numbers() {
        let mut names = ["vm-10", "vm-9", "vm", "a", "vm-9b", "vm-010"];
        names.sort_by(|left, right| natural(left, right));
        assert_eq!(names, ["a", "vm", "vm-9", "vm-9b", "vm-010", "vm-10"]);
    }

    #[test]
    fn columns_are_left_out_when_the_list_is_narrow() {
        let columns = Column::all(None);
        let titles = |width| {
            let (places, _) = fit(&columns, width, &Column::Name);
            let titles = places.iter().map(|place| columns[*place].title());
            titles.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(titles(10), "NAME STATE");
        assert_eq!(titles(80), "NAME EXITS/s STEAL% HALT% QUERY STATE");
        assert!(titles(200).contains("SIGNALS/s"));
        let (places, _) = fit(&columns, 10, &Column::Wait);
        assert_eq!(places.len(), 3, "the column that sorts remains");
    }
}
