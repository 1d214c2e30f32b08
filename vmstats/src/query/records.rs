//! Statistics and schemas as lines for programs.
//!
//! In: objects and schemas. Out: one line of JSON or CSV for each object and
//! statistic, with units, and with the lowest bucket of a histogram first. The
//! shape of a line does not depend on the values of others.

use std::io::{self, Write};
use std::time::Duration;

use qapi_stats::stats::{StatsSchema, StatsSchemaValue, StatsValue};
use qapi_stats::wire::{Encode, Writer, to_json};

use super::answer::{Answer, Meanings, Object, Value, meanings};
use crate::printable::printable;
use crate::rates::{self, Change, Elapsed};
use crate::sample::{self, Absence, Identity, Sample, Stat, Timestamp};
use crate::summary::Step;

/// The form of the lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// JSON, one object a line.
    Jsonl,
    /// CSV as in RFC 4180, but with line feeds.
    Csv,
}

/// A writer of lines, which writes the heading of a CSV once.
#[derive(Debug)]
pub struct Records {
    form: Form,
    has_heading: bool,
}

/// A field of a line: its name and its value as JSON; `None` if it is absent.
pub type Field = (&'static str, Option<String>);

impl Records {
    /// Makes a writer of lines.
    #[must_use]
    pub fn new(form: Form) -> Self {
        Self {
            form,
            has_heading: false,
        }
    }

    /// Writes the statistics of an answer, sorted by object and name.
    ///
    /// # Errors
    ///
    /// Returns the error of writing.
    pub(super) fn values(
        &mut self,
        from: &str,
        answer: &Answer,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let meanings = meanings(&answer.schemas);
        let mut objects: Vec<&Object> = answer.objects.iter().collect();
        objects.sort_by_key(|object| {
            let provider = object.provider.clone();
            let path = object.qom_path.clone();
            (object.target.clone(), provider, object.number, path)
        });
        for object in objects {
            let mut stats: Vec<&(String, Value)> = object.stats.iter().collect();
            stats.sort_by_key(|(name, _)| name);
            for (name, value) in stats {
                self.line(&value_fields(from, object, name, value, &meanings), out)?;
            }
        }
        Ok(())
    }

    /// Writes the statistics of a later sample with their changes since an earlier one,
    /// and what could not be read.
    ///
    /// # Errors
    ///
    /// Returns the error of writing.
    pub(super) fn changes(
        &mut self,
        identity: &Identity,
        before: &Sample,
        after: &Sample,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        self.step(
            identity,
            &Step::new(Some(before), after, Duration::MAX),
            &|_| true,
            out,
        )
    }

    /// Writes the wanted statistics of a sample with their changes since the one before,
    /// and what could not be read.
    ///
    /// # Errors
    ///
    /// Returns the error of writing.
    pub fn step(
        &mut self,
        identity: &Identity,
        step: &Step<'_>,
        is_wanted: &dyn Fn(&str) -> bool,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let after = step.after;
        for (object, changes) in step.objects() {
            let stats = object.table.stats.iter().zip(&object.values);
            let stats = stats.zip(&changes.changes);
            for ((stat, value), change) in stats.filter(|((stat, _), _)| is_wanted(&stat.name)) {
                let line = Line {
                    identity,
                    object,
                    stat,
                    value,
                    change,
                    elapsed: changes.elapsed,
                };
                self.line(&line.fields(), out)?;
            }
        }
        for absence in &after.absences {
            self.line(&absence_fields(identity, after, absence), out)?;
        }
        Ok(())
    }

    /// Writes schemas, each statistic with an explanation if there is one.
    ///
    /// # Errors
    ///
    /// Returns the error of writing.
    pub(super) fn schemas(
        &mut self,
        from: &str,
        schemas: &[&StatsSchema],
        explain: impl Fn(&StatsSchema, &str) -> Option<String>,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        for schema in schemas {
            for stat in &schema.stats {
                let unit = stat.quantity().to_string();
                let fields = [
                    ("endpoint", json(from)),
                    ("provider", json(schema.provider.name())),
                    ("target", json(schema.target.name())),
                    ("name", json(&stat.name)),
                    ("type", json(stat.type_.name())),
                    ("unit", json(&unit).filter(|_| !unit.is_empty())),
                    ("bucket-size", stat.bucket_size.as_ref().and_then(json)),
                    (
                        "meaning",
                        explain(schema, &stat.name).as_ref().and_then(json),
                    ),
                ];
                self.line(&fields, out)?;
            }
        }
        Ok(())
    }

    /// Writes one line.
    ///
    /// # Errors
    ///
    /// Returns the error of writing.
    pub fn line(&mut self, fields: &[Field], out: &mut dyn Write) -> io::Result<()> {
        match self.form {
            Form::Jsonl => {
                let present = fields.iter().filter_map(|(name, value)| {
                    Some(format!("{}: {}", to_json(*name), value.as_ref()?))
                });
                let members: Vec<String> = present.collect();
                writeln!(out, "{{{}}}", members.join(", "))
            }
            Form::Csv => {
                let mut writer = csv::Writer::from_writer(&mut *out);
                if !self.has_heading {
                    writer.write_record(fields.iter().map(|(name, _)| name))?;
                    self.has_heading = true;
                }
                writer.write_record(fields.iter().map(|(_, value)| csv_field(value.as_deref())))?;
                writer.flush()
            }
        }
    }
}

fn json<T: Encode + ?Sized>(value: &T) -> Option<String> {
    Some(to_json(value))
}

/// Returns a value as a field of a CSV: a string without its quotation marks. CSV has no
/// escapes of its own, so that characters that control a terminal become printable.
fn csv_field(json: Option<&str>) -> String {
    let text = json.unwrap_or_default();
    let context = qapi_stats::wire::Context::tolerant();
    match qapi_stats::wire::from_json::<String>(text.as_bytes(), &context) {
        Ok(string) => printable(&string).into_owned(),
        Err(_) => text.to_owned(),
    }
}

fn value_fields(
    from: &str,
    object: &Object,
    name: &str,
    value: &Value,
    meanings: &Meanings<'_>,
) -> [Field; 10] {
    let meaning = meanings
        .get(&(&object.target, &object.provider, name))
        .copied();
    let is_histogram = meaning.is_some_and(StatsSchemaValue::is_histogram);
    let unit = meaning.map(|meaning| meaning.quantity().to_string());
    let unit = unit.filter(|unit| !unit.is_empty());
    let (value, buckets) = match value {
        Value::Known(value) => match meaning.filter(|_| is_histogram) {
            Some(meaning) => (None, Some(buckets(&value.lowest_first(), meaning))),
            None => (Some(scalar(value)), None),
        },
        Value::Other(json) => (Some(json.clone()), None),
    };
    [
        ("endpoint", json(from)),
        ("provider", json(object.provider.name())),
        ("target", json(object.target.name())),
        ("qom-path", object.qom_path.as_ref().and_then(json)),
        ("vcpu", object.number.as_ref().and_then(json)),
        ("name", json(name)),
        (
            "type",
            meaning.and_then(|meaning| json(meaning.type_.name())),
        ),
        ("unit", unit.as_ref().and_then(json)),
        ("value", value),
        ("buckets", buckets),
    ]
}

/// A statistic of an object with its change.
struct Line<'a> {
    identity: &'a Identity,
    object: &'a sample::Object,
    stat: &'a Stat,
    value: &'a sample::Value,
    change: &'a Change,
    elapsed: Option<Elapsed>,
}

impl Line<'_> {
    /// Returns the fields in the order in which they are written.
    fn fields(&self) -> [Field; 16] {
        let Self { object, stat, .. } = self;
        let schema = stat.schema.as_ref();
        let unit = schema.map(|schema| schema.quantity().to_string());
        let unit = unit.filter(|unit| !unit.is_empty());
        let (value, counts) = match self.value {
            sample::Value::Number(number) => (json(number), None),
            sample::Value::Boolean(value) => (json(value), None),
            // Without a schema, the numbers of a list have no bounds.
            sample::Value::Buckets(counts) if schema.is_none() => (json(&counts.to_vec()), None),
            sample::Value::Buckets(counts) => (None, Some(counts)),
            sample::Value::Absent => (None, None),
        };
        let (increase, increases) = match self.change {
            Change::Increase(increase) => (Some(*increase), None),
            Change::Buckets(increases) => (Some(rates::sum(increases)), json(&increases.to_vec())),
            _ => (None, None),
        };
        let (elapsed, rate) = match (self.elapsed, increase) {
            (Some(elapsed), Some(increase)) => (Some(elapsed.seconds), elapsed.rate(increase)),
            _ => (None, None),
        };
        [
            ("time", Some(seconds(object.window.middle()))),
            ("endpoint", json(&self.identity.endpoint)),
            ("vm", self.identity.name.as_ref().and_then(json)),
            ("provider", json(object.table.provider.name())),
            ("target", json(object.table.target.name())),
            ("qom-path", object.id.qom_path.as_ref().and_then(json)),
            ("vcpu", object.id.index.as_ref().and_then(json)),
            ("name", json(&stat.name)),
            ("unit", unit.as_ref().and_then(json)),
            ("value", value),
            (
                "buckets",
                counts.and_then(|counts| Some(buckets(counts, schema?))),
            ),
            ("seconds", elapsed.map(|seconds| format!("{seconds:.6}"))),
            ("per-second", rate.map(|rate| format!("{rate:.6}"))),
            ("increases", increases),
            ("change", change_name(self.change).and_then(json)),
            ("reason", None),
        ]
    }
}

/// Returns the name of a change that has no rate; `None` for growth and for a level.
fn change_name(change: &Change) -> Option<&'static str> {
    match change {
        Change::Increase(_) | Change::Buckets(_) | Change::Level => None,
        Change::Begins => Some("begins"),
        Change::WentBack(_) => Some("went-back"),
        Change::Reset => Some("reset"),
        Change::Absent => Some("absent"),
    }
}

/// Returns the fields of values that could not be read.
fn absence_fields(identity: &Identity, sample: &Sample, absence: &Absence) -> [Field; 16] {
    let object = absence.object.as_ref();
    [
        ("time", Some(seconds(sample.window.middle()))),
        ("endpoint", json(&identity.endpoint)),
        ("vm", identity.name.as_ref().and_then(json)),
        ("provider", json(absence.provider.name())),
        ("target", json(absence.target.name())),
        (
            "qom-path",
            object.and_then(|id| json(id.qom_path.as_ref()?)),
        ),
        ("vcpu", object.and_then(|id| json(id.index.as_ref()?))),
        ("name", None),
        ("unit", None),
        ("value", None),
        ("buckets", None),
        ("seconds", None),
        ("per-second", None),
        ("increases", None),
        ("change", json("absent")),
        ("reason", json(&absence.reason)),
    ]
}

/// Returns a moment as seconds since 1970, as JSON.
fn seconds(moment: Timestamp) -> String {
    const NANOS: u64 = 1_000_000_000;
    format!("{}.{:09}", moment.0 / NANOS, moment.0 % NANOS)
}

/// Returns a value as JSON; a list outside of histograms has its lowest element
/// first, as their buckets have.
fn scalar(value: &StatsValue) -> String {
    match value {
        StatsValue::List(_) => to_json(&value.lowest_first()),
        value => to_json(value),
    }
}

/// Returns the buckets of a histogram, the lowest first. A bucket counts from
/// `lower` on and below `upper`; the last one has no upper bound.
fn buckets(counts: &[u64], meaning: &StatsSchemaValue) -> String {
    let mut text = Vec::new();
    let mut writer = Writer::new(&mut text);
    let mut array = writer.array();
    for (index, count) in counts.iter().enumerate() {
        let mut object = array.element().object();
        if let Some(bounds) = meaning.bucket_bounds(index, counts.len()) {
            object.required("lower", &bounds.lower);
            object.optional("upper", &bounds.upper);
        }
        object.required("count", count);
        object.end();
    }
    array.end();
    String::from_utf8_lossy(&text).into_owned()
}
