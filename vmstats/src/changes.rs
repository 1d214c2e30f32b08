//! The changes of one virtual machine as a table for people.
//!
//! In: two samples. Out: lines of text: what happened to the machine, and the statistics
//! that moved, with their rates. vCPUs are summed, so that a machine of any size has one
//! line for each statistic.

use std::io::{self, Write};
use std::sync::Arc;

use qapi_stats::stats::{StatsSchemaValue, StatsTarget};

use crate::measure;
use crate::printable::printable;
use crate::rates::{self, Aggregate, Amount, Change, Life, ObjectChanges};
use crate::sample::{Absence, Object, Sample, Stat, Table};
use crate::table;

/// Prints what changed between two samples of one virtual machine.
///
/// # Errors
///
/// Returns the error of writing.
pub fn print(before: &Sample, after: &Sample, out: &mut dyn Write) -> io::Result<()> {
    let comparison = rates::compare(before, after);
    let events = events(&comparison, after).into_iter();
    for sentence in events.chain(absences(Some(before), after)) {
        writeln!(out, "{}", printable(&sentence))?;
    }
    let mut rows = table::columns(&["", "NAME", "PER SECOND", "VALUE", "p50", "p99"]);
    for column in 2..6 {
        table::right_align(&mut rows, column);
    }
    for group in groups(&after.objects, &comparison.objects) {
        for (place, stat) in group.table.stats.iter().enumerate() {
            let moved = group.has_moved(place, before);
            if let Some(aggregate) = group.aggregate(place).filter(|_| moved) {
                rows.add_row(row(group.table, stat, &aggregate));
            }
        }
    }
    if rows.is_empty() {
        return writeln!(out, "nothing moved\n");
    }
    table::print(out, &rows)?;
    writeln!(out)
}

/// Returns a sentence for each thing that happened to the machine.
fn events(comparison: &rates::Comparison<'_>, after: &Sample) -> Vec<String> {
    if comparison.is_restarted {
        return vec!["the virtual machine was started again".to_owned()];
    }
    let mut events = Vec::new();
    for (object, changes) in after.objects.iter().zip(&comparison.objects) {
        match changes.life {
            Life::Continues => {}
            Life::Appeared => events.push(format!("{} appeared", name(object))),
            Life::Reset => events.push(format!("{} counts from zero again", name(object))),
        }
        for (stat, change) in object.table.stats.iter().zip(&changes.changes) {
            if let Change::WentBack(by) = change {
                let by = measure::amount(*by, stat.schema.as_ref());
                events.push(format!(
                    "{} of {} went back by {by}",
                    stat.name,
                    name(object)
                ));
            }
        }
    }
    events.extend(
        comparison
            .gone
            .iter()
            .map(|object| format!("{} is gone", name(object))),
    );
    events
}

/// Prints what the first sample of a virtual machine lacks.
///
/// # Errors
///
/// Returns the error of writing.
pub fn print_absences(first: &Sample, out: &mut dyn Write) -> io::Result<()> {
    for sentence in absences(None, first) {
        writeln!(out, "{}", printable(&sentence))?;
    }
    Ok(())
}

/// Returns a sentence for each absence that is new, and for each that is over.
fn absences(before: Option<&Sample>, after: &Sample) -> Vec<String> {
    let name = |absence: &Absence| {
        let of = match &absence.object {
            Some(id) => format!("{} {id}", absence.target),
            None => format!("every {}", absence.target),
        };
        format!("{} of {of}", absence.provider)
    };
    let earlier = before.map_or(&[][..], |before| &before.absences);
    let without = |absences: &[Absence], others: &[Absence]| {
        let mut rest = absences.to_vec();
        rest.retain(|absence| !others.contains(absence));
        rest
    };
    let begun = without(&after.absences, earlier).into_iter();
    let begun = begun.map(|absence| format!("no {}: {}", name(&absence), absence.reason));
    let ended = without(earlier, &after.absences).into_iter();
    let ended = ended.map(|absence| {
        let name = name(&absence);
        format!("{name} is read again (before: {})", absence.reason)
    });
    begun.chain(ended).collect()
}

/// Returns the name of an object with its provider, for a sentence.
fn name(object: &Object) -> String {
    let Table {
        provider, target, ..
    } = object.table.as_ref();
    match (target, &object.id) {
        (StatsTarget::Vcpu, id) if id.index.is_some() => format!("vCPU {id} of {provider}"),
        (_, id) if id.qom_path.is_some() => format!("{id} of {provider}"),
        _ => format!("the {target} of {provider}"),
    }
}

/// The objects of a sample that have one table.
struct Group<'a> {
    table: &'a Table,
    objects: &'a [Object],
    changes: &'a [ObjectChanges],
}

/// Splits the objects of a sample by their tables. Objects of one table follow each
/// other.
fn groups<'a>(objects: &'a [Object], changes: &'a [ObjectChanges]) -> Vec<Group<'a>> {
    let mut rest = changes;
    let same = |left: &Object, right: &Object| Arc::ptr_eq(&left.table, &right.table);
    objects
        .chunk_by(same)
        .filter_map(|objects| {
            let (changes, after) = rest.split_at_checked(objects.len())?;
            rest = after;
            Some(Group {
                table: &objects.first()?.table,
                objects,
                changes,
            })
        })
        .collect()
}

impl Group<'_> {
    fn aggregate(&self, place: usize) -> Option<Aggregate> {
        rates::aggregate(self.objects.iter().zip(self.changes), place)
    }

    /// Returns whether a statistic of any object changed.
    fn has_moved(&self, place: usize, before: &Sample) -> bool {
        let changes = self.objects.iter().zip(self.changes);
        changes
            .filter_map(|(object, changes)| Some((object, changes.changes.get(place)?)))
            .any(|(object, change)| match change {
                Change::Increase(increase) => *increase > 0,
                Change::Buckets(buckets) => rates::sum(buckets) > 0,
                Change::Level => {
                    let earlier = before.objects.iter().find(|earlier| earlier.is(object));
                    let name = self.table.stats.get(place).map(|stat| stat.name.as_str());
                    earlier.and_then(|earlier| earlier.value(name?)) != object.values.get(place)
                }
                Change::Begins | Change::WentBack(_) | Change::Reset | Change::Absent => false,
            })
    }
}

/// Returns the cells of a statistic.
fn row(table: &Table, stat: &Stat, aggregate: &Aggregate) -> [String; 6] {
    let (rate, percentiles) = match &aggregate.amount {
        Amount::Count { per_second, .. } => (rate_text(stat, *per_second), Default::default()),
        Amount::Histogram {
            per_second,
            increases,
            ..
        } => (
            measure::rate(*per_second, None),
            [0.5, 0.99].map(|share| percentile_text(stat.schema.as_ref(), increases, share)),
        ),
        Amount::Sum(_) | Amount::True(_) | Amount::Highest(_) => Default::default(),
    };
    let [p50, p99] = percentiles;
    let mut value = value_text(stat, &aggregate.amount);
    if aggregate.missing > 0 {
        let all = aggregate.objects + aggregate.missing;
        value = format!("{value} ({} of {all})", aggregate.objects);
    }
    [
        table.target.to_string(),
        printable(&stat.name).into_owned(),
        rate,
        value,
        p50,
        p99,
    ]
}

fn rate_text(stat: &Stat, per_second: f64) -> String {
    measure::rate(per_second, stat.schema.as_ref())
}

/// Returns the value of all objects together, in the unit of the statistic.
fn value_text(stat: &Stat, amount: &Amount) -> String {
    match amount {
        Amount::Count { total, .. } | Amount::Sum(total) => match u64::try_from(*total) {
            Ok(total) => measure::amount(total, stat.schema.as_ref()),
            Err(_) => measure::grouped(*total),
        },
        Amount::Highest(highest) => measure::amount(*highest, stat.schema.as_ref()),
        Amount::True(count) => format!("{count} yes"),
        Amount::Histogram { totals, .. } => measure::grouped(rates::sum(totals)),
    }
}

/// Returns the bucket in which a percentile lies. A value within the bucket would be a
/// guess.
fn percentile_text(schema: Option<&StatsSchemaValue>, counts: &[u64], share: f64) -> String {
    match (schema, rates::percentile(counts, share)) {
        (Some(schema), Some(index)) => measure::bucket(schema, index, counts.len()),
        _ => String::new(),
    }
}
