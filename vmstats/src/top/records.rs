//! Statistics as lines for programs.
//!
//! In: the observed virtual machines. Out: one line of JSON or CSV for each virtual
//! machine or vCPU and statistic. A value that was not read is absent, with the reason.

use std::io::{self, Write};

use qapi_stats::wire::to_json;

use super::observed::Machine;
use super::stats::{Origin, Scope, StatRow, rows};
use crate::printable::printable;
use crate::rates::Amount;
use crate::sample::{Kind, Sample, Timestamp};

/// The names of the fields, in the order of a line.
const FIELDS: [&str; 18] = [
    "time",
    "vm",
    "endpoint",
    "vcpu",
    "provider",
    "target",
    "name",
    "kind",
    "begin",
    "end",
    "seconds",
    "error-seconds",
    "rate",
    "total",
    "unit",
    "buckets",
    "objects",
    "absent",
];

/// The form of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON, one object a line. Fields without a value are left out.
    Json,
    /// CSV with a heading.
    Csv,
}

/// A field's value: JSON, and whether it is a string.
#[derive(Clone, Debug)]
enum Field {
    None,
    Text(String),
    /// A number or a list.
    Plain(String),
}

/// A writer of lines.
#[derive(Debug)]
pub(super) struct Records {
    form: Form,
    has_heading: bool,
    is_zero_skipped: bool,
}

impl Records {
    /// Makes a writer. `is_zero_skipped` leaves out the statistics that were 0.
    pub(super) fn new(form: Form, is_zero_skipped: bool) -> Self {
        Self {
            form,
            has_heading: false,
            is_zero_skipped,
        }
    }

    /// Writes the statistics of a scope of a virtual machine.
    pub(super) fn write(
        &mut self,
        (machine, scope): (&Machine, &Scope),
        before: Option<&Sample>,
        after: &Sample,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        for row in rows(scope, before, after, Origin::Start) {
            if self.is_zero_skipped && is_zero(&row) {
                continue;
            }
            let mut fields = self.common(machine, scope, after);
            fill(&mut fields, &row, before, after);
            self.line(&fields, out)?;
        }
        for absence in &after.absences {
            let is_wanted = match (scope, &absence.object) {
                (Scope::Vm, _) | (_, None) => true,
                (Scope::Vcpu(id), Some(object)) => super::figures::vcpu_id(object) == *id,
            };
            if is_wanted {
                let mut fields = self.common(machine, scope, after);
                set(&mut fields, "provider", text(absence.provider.name()));
                set(&mut fields, "target", text(absence.target.name()));
                if let (Scope::Vm, Some(object)) = (scope, &absence.object) {
                    set(&mut fields, "vcpu", text(&object.to_string()));
                }
                set(&mut fields, "absent", text(&absence.reason));
                self.line(&fields, out)?;
            }
        }
        Ok(())
    }

    /// Writes that nothing could be read of a virtual machine.
    pub(super) fn write_failure(
        &mut self,
        machine: &Machine,
        now: Timestamp,
        reason: &str,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let mut fields = empty();
        set(&mut fields, "time", Field::Plain(seconds(now)));
        set(&mut fields, "vm", text(machine.label()));
        set(&mut fields, "endpoint", text(&machine.endpoint));
        set(&mut fields, "absent", text(reason));
        self.line(&fields, out)
    }

    fn common(&self, machine: &Machine, scope: &Scope, after: &Sample) -> Vec<Field> {
        let mut fields = empty();
        set(&mut fields, "time", Field::Plain(seconds(after.window.end)));
        set(&mut fields, "vm", text(machine.label()));
        set(&mut fields, "endpoint", text(&machine.endpoint));
        if let Scope::Vcpu(id) = scope {
            let field = match id.index {
                Some(index) => Field::Plain(index.to_string()),
                None => text(&id.to_string()),
            };
            set(&mut fields, "vcpu", field);
        }
        fields
    }

    fn line(&mut self, fields: &[Field], out: &mut dyn Write) -> io::Result<()> {
        match self.form {
            Form::Json => {
                let members = FIELDS.iter().zip(fields).filter_map(|(name, field)| {
                    let value = match field {
                        Field::None => return None,
                        Field::Text(text) => to_json(text.as_str()),
                        Field::Plain(plain) => plain.clone(),
                    };
                    Some(format!("{}: {value}", to_json(*name)))
                });
                let members: Vec<String> = members.collect();
                writeln!(out, "{{{}}}", members.join(", "))
            }
            Form::Csv => {
                let mut writer = csv::Writer::from_writer(&mut *out);
                if !self.has_heading {
                    writer.write_record(FIELDS)?;
                    self.has_heading = true;
                }
                writer.write_record(fields.iter().map(|field| match field {
                    Field::None => String::new(),
                    // A name of a hostile monitor must not control the terminal.
                    Field::Text(text) => printable(text).into_owned(),
                    Field::Plain(plain) => plain.clone(),
                }))?;
                writer.flush()
            }
        }
    }
}

fn empty() -> Vec<Field> {
    vec![Field::None; FIELDS.len()]
}

fn set(fields: &mut [Field], name: &str, value: Field) {
    let place = FIELDS.iter().position(|field| *field == name);
    if let Some(field) = place.and_then(|place| fields.get_mut(place)) {
        *field = value;
    }
}

fn text(text: &str) -> Field {
    Field::Text(text.to_owned())
}

/// Returns a moment in seconds since 1970, exactly.
fn seconds(moment: Timestamp) -> String {
    format!(
        "{}.{:09}",
        moment.0 / 1_000_000_000,
        moment.0 % 1_000_000_000
    )
}

fn fill(fields: &mut [Field], row: &StatRow<'_>, before: Option<&Sample>, after: &Sample) {
    set(fields, "provider", text(row.table.provider.name()));
    set(fields, "target", text(row.table.target.name()));
    set(fields, "name", text(&row.stat.name));
    set(fields, "kind", text(kind(row.stat.kind)));
    if let (Some(before), Some(elapsed)) = (before, row.elapsed) {
        let number = |number: f64| Field::Plain(format!("{number:.9}"));
        set(
            fields,
            "begin",
            Field::Plain(seconds(before.window.middle())),
        );
        set(fields, "end", Field::Plain(seconds(after.window.middle())));
        set(fields, "seconds", number(elapsed.seconds));
        set(fields, "error-seconds", number(elapsed.error_seconds));
    }
    let unit = row
        .stat
        .schema
        .as_ref()
        .map(|schema| schema.quantity().to_string());
    if let Some(unit) = unit.filter(|unit| !unit.is_empty()) {
        set(fields, "unit", text(&unit));
    }
    if let Some(reason) = &row.reason {
        set(fields, "absent", text(reason));
    }
    let Some(value) = &row.value else {
        return;
    };
    set(fields, "objects", Field::Plain(value.objects.to_string()));
    let mut rate = |per_second: f64| set(fields, "rate", Field::Plain(per_second.to_string()));
    let total = match &value.amount {
        Amount::Count { per_second, total } => {
            rate(*per_second);
            total.to_string()
        }
        Amount::Histogram {
            increases,
            per_second,
            totals,
        } => {
            rate(*per_second);
            let increases: Vec<String> = increases.iter().map(u64::to_string).collect();
            set(
                fields,
                "buckets",
                Field::Plain(format!("[{}]", increases.join(", "))),
            );
            totals
                .iter()
                .map(|count| u128::from(*count))
                .sum::<u128>()
                .to_string()
        }
        Amount::Sum(sum) => sum.to_string(),
        Amount::True(count) => count.to_string(),
        Amount::Highest(highest) => highest.to_string(),
    };
    set(fields, "total", Field::Plain(total));
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Boolean => "boolean",
        Kind::Peak => "peak",
        Kind::Histogram => "histogram",
        Kind::Unknown => "unknown",
    }
}

/// Returns whether a statistic did not grow, or is 0 if it does not only grow.
pub(super) fn is_zero(row: &StatRow<'_>) -> bool {
    match row.value.as_ref().map(|value| &value.amount) {
        Some(Amount::Count { per_second, .. } | Amount::Histogram { per_second, .. }) => {
            *per_second == 0.0
        }
        Some(Amount::Sum(0) | Amount::True(0) | Amount::Highest(0)) => true,
        _ => false,
    }
}
