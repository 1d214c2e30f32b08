//! The values of a virtual machine, each with its metric.
//!
//! In: an answer and the plans of its tables. Out: points in an order in which those of
//! one metric follow each other. This file knows no format.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use qapi_stats::stats::StatsValue;
use stats_runtime::exposition::Object as Label;

use super::answer::Answer;
use super::plan::{Column, Plan, Plans};
use super::sums::combine;
use crate::exposed;
use crate::sample::{Kind, Object, Value};

/// A value with its metric.
#[derive(Debug)]
pub(super) struct VmPoint<'a> {
    /// The metric.
    pub(super) column: &'a Column,
    /// The object.
    pub(super) label: Label,
    /// The value.
    pub(super) value: StatsValue,
    /// The value of the statistic that is its sum.
    pub(super) sum: Option<StatsValue>,
}

/// Calls `take` with each point of an answer. `take` returns false if the point was left
/// out. Returns the number of statistics that were left out.
pub(super) fn each(
    answer: &Answer,
    plans: &Plans,
    take: &mut dyn FnMut(VmPoint<'_>) -> bool,
) -> usize {
    let mut dropped = answer.left_out;
    let mut counted = HashSet::new();
    let mut seen = HashSet::new();
    // The objects are sorted, so that those of one table follow each other, unless the
    // monitor added statistics between two objects.
    let groups = || {
        let objects = &answer.sample.objects;
        objects.chunk_by(|one, next| Arc::ptr_eq(&one.table, &next.table))
    };
    let mut tables: HashMap<_, usize> = HashMap::new();
    for table in groups().filter_map(|group| Some(&group.first()?.table)) {
        *{ tables.entry((&table.target, &table.provider)) }.or_default() += 1;
    }
    for group in groups() {
        let Some(first) = group.first() else {
            continue;
        };
        let Some(plan) = plans.of(&first.table) else {
            continue;
        };
        if counted.insert(Arc::as_ptr(plan).addr()) {
            dropped += plan.dropped;
        }
        let mut unique = Vec::new();
        for object in group {
            let label = exposed::label(&object.table.target, &object.id);
            let key = (&object.table.target, &object.table.provider, label.clone());
            if seen.insert(key) {
                unique.push((object, label));
            } else {
                // Two values of one object would make the whole text invalid.
                dropped += 1;
            }
        }
        // The values of vCPUs that are gone belong to the sums for ever.
        let unplugged = answer.unplugged.of(&first.table).unwrap_or_default();
        if tables.get(&(&first.table.target, &first.table.provider)) == Some(&1) {
            dropped += sums(plan, &unique, unplugged, take);
        } else {
            // Each table has a part of the vCPUs, whose sum would be no sum, and there twice.
            dropped += plan.sums.len();
        }
        dropped += objects(plan, &unique, take);
    }
    dropped
}

/// Takes the points of each object.
fn objects(
    plan: &Plan,
    objects: &[(&Object, Label)],
    take: &mut dyn FnMut(VmPoint<'_>) -> bool,
) -> usize {
    let mut dropped = 0;
    for (object, label) in objects {
        for column in &plan.objects {
            let value = |place: usize| exposed::value(object.values.get(place)?);
            let Some(number) = value(column.place) else {
                continue;
            };
            let is_taken = take(VmPoint {
                column,
                label: label.clone(),
                value: number,
                sum: column.sum_place.and_then(value),
            });
            dropped += usize::from(!is_taken);
        }
    }
    dropped
}

/// Takes the points of all vCPUs together.
fn sums(
    plan: &Plan,
    objects: &[(&Object, Label)],
    unplugged: &[Option<Value>],
    take: &mut dyn FnMut(VmPoint<'_>) -> bool,
) -> usize {
    let mut dropped = 0;
    for column in &plan.sums {
        let values = |place: usize| {
            let objects = objects.iter();
            objects.map(move |(object, _)| object.values.get(place))
        };
        let mut present = values(column.place).flatten();
        if present.all(|value| *value == Value::Absent) {
            continue;
        }
        let all = |place: usize| {
            let unplugged = unplugged.get(place).and_then(Option::as_ref);
            values(place).chain(unplugged.map(Some))
        };
        let sum = |kind: Kind, place: usize| exposed::owned(combine(kind, all(place))?);
        let value = sum(column.kind, column.place);
        let sum = { column.sum_place }.and_then(|place| sum(Kind::Counter, place));
        let is_taken = value.is_some_and(|value| {
            take(VmPoint {
                column,
                label: Label::Only,
                value,
                sum,
            })
        });
        dropped += usize::from(!is_taken);
    }
    dropped
}

#[cfg(test)]
mod tests {
    use qapi_stats::stats::{StatsProvider, StatsSchema, StatsSchemaValue, StatsTarget};

    use super::super::choice::Choice;
    use super::*;
    use crate::sample::{ObjectId, Table, Timestamp, Window};

    #[test]
    fn sums_are_absent_when_a_reply_has_two_tables_of_a_provider() {
        let now = Timestamp(0);
        let window = Window {
            begin: now,
            end: now,
        };
        let table = |names: &[&str]| {
            let stats = names.iter().map(|name| StatsSchemaValue::cumulative(*name));
            Arc::new(Table::new(StatsSchema {
                provider: StatsProvider::Kvm,
                target: StatsTarget::Vcpu,
                stats: stats.collect(),
            }))
        };
        let object = |table: &Arc<Table>, index| Object {
            table: Arc::clone(table),
            id: ObjectId {
                index: Some(index),
                qom_path: None,
            },
            window,
            values: vec![Value::Number(1); table.stats.len()],
        };
        let count = |objects: Vec<Object>| {
            let answer = Arc::new(Answer::of_objects(window, objects));
            let mut plans = Plans::new(Choice::all());
            plans.update(&[Arc::clone(&answer)]);
            let mut taken = 0;
            let dropped = each(&answer, &plans, &mut |_| {
                taken += 1;
                true
            });
            (taken, dropped)
        };
        let (one, more) = (table(&["x"]), table(&["x", "y"]));
        assert_eq!(count(vec![object(&one, 0), object(&one, 1)]), (1, 0));
        assert_eq!(count(vec![object(&one, 0), object(&more, 1)]), (0, 3));
    }
}
