//! The rows of a recording as lines of JSON.
//!
//! In: rows and events, or a line. Out: a line that a reader understands by itself, or the
//! row or event in it. The members are the columns of the Parquet files.

use std::io::{self, BufRead, Read};
use std::sync::Arc;

use qapi_stats::wire::{Context, Decode, Document, Node, Writer, from_node};

use super::row::{Event, EventKind, Layout, Row, buckets};
use crate::sample::{Absence, Kind, Object, ObjectId, Timestamp, Value, Window};

/// The length of a line. A longer one was not written by a recorder.
pub const LINE_BYTES_MAX: usize = 16 << 20;

const TOO_LONG: &str = "the line is too long";

/// Appends the line of a row.
pub fn write_row(row: &Row, layout: &Layout, line: &mut Vec<u8>) {
    let object = &row.object;
    let mut writer = Writer::new(line);
    let mut members = writer.object();
    members.required("sample", &row.sample);
    members.required("t0", &object.window.begin.0);
    members.required("t1", &object.window.end.0);
    members.required("vm", row.vm.as_ref());
    members.required("run", &row.run);
    members.required("provider", layout.table.provider.name());
    members.required("target", layout.table.target.name());
    members.optional(
        "variant",
        &Some(layout.variant).filter(|variant| *variant > 0),
    );
    members.optional("vcpu", &object.id.index);
    members.optional("object", &object.id.qom_path);
    for (stat, value) in object.table.stats.iter().zip(&object.values) {
        let Some(place) = layout.table.position(&stat.name) else {
            continue;
        };
        let Some(column) = layout.columns.get(place) else {
            continue;
        };
        match value {
            Value::Number(number) => members.required(column.as_str(), number),
            Value::Boolean(value) => members.required(column.as_str(), value),
            Value::Buckets(counts) => members.required(column.as_str(), counts.as_ref()),
            Value::Absent => {}
        }
    }
    members.end();
    line.push(b'\n');
}

/// Appends the line of an event.
pub fn write_event(event: &Event, line: &mut Vec<u8>) {
    let mut writer = Writer::new(line);
    let mut members = writer.object();
    members.required("t0", &event.time.0);
    members.required("t1", &event.time.0);
    if let Some(vm) = &event.vm {
        members.required("vm", vm.as_ref());
    }
    members.required("event", event.kind.name());
    members.required("text", event.text.as_str());
    members.end();
    line.push(b'\n');
}

/// Returns the text of an event of the kind [`EventKind::Absent`].
#[must_use]
pub fn write_absences(absences: &[Absence]) -> String {
    let mut text = Vec::new();
    let mut writer = Writer::new(&mut text);
    let mut list = writer.array();
    for absence in absences {
        let mut members = list.element().object();
        members.required("provider", absence.provider.name());
        members.required("target", absence.target.name());
        if let Some(object) = &absence.object {
            members.optional("vcpu", &object.index);
            members.optional("object", &object.qom_path);
        }
        members.required("reason", absence.reason.as_str());
        members.end();
    }
    list.end();
    String::from_utf8_lossy(&text).into_owned()
}

/// A line of a recording.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// The statistics of an object. The number is the place of its layout.
    Row(usize, Row),
    /// An event.
    Event(Event),
}

/// A line in a file, or a part of a line that is too long.
#[derive(Debug)]
pub struct Piece<'a> {
    /// The number of the line; the first one is 1.
    pub number: u64,
    /// The text, with the line feed if it is the end of the line.
    pub text: &'a [u8],
    /// True if the line begins here.
    pub is_begin: bool,
    /// The contents of the line, or the reason why it cannot be read.
    pub line: Result<Line, String>,
}

/// Calls `take` with each line of a file. The last line may be cut off, because its recorder
/// was killed or is writing it; it is left out.
///
/// # Errors
///
/// Returns the error of reading.
pub fn read_all(
    mut file: impl BufRead,
    layouts: &[Layout],
    mut take: impl FnMut(Piece<'_>),
) -> io::Result<()> {
    let mut text = Vec::new();
    let mut number = 1;
    let mut is_begin = true;
    loop {
        text.clear();
        let limited = &mut (&mut file).take(LINE_BYTES_MAX as u64 + 1);
        limited.read_until(b'\n', &mut text)?;
        let is_end = text.last() == Some(&b'\n');
        if !is_end && text.len() <= LINE_BYTES_MAX {
            return Ok(());
        }
        let line = if is_begin {
            read(&text, layouts)
        } else {
            Err(TOO_LONG.to_owned())
        };
        take(Piece {
            number,
            text: &text,
            is_begin,
            line,
        });
        number += u64::from(is_end);
        is_begin = is_end;
    }
}

/// Reads a line.
///
/// # Errors
///
/// Returns the reason if the text is not a whole line of a recording with these layouts.
pub fn read(text: &[u8], layouts: &[Layout]) -> Result<Line, String> {
    if text.len() > LINE_BYTES_MAX {
        return Err(TOO_LONG.to_owned());
    }
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    let node = document.root();
    let time = |name| member::<u64>(node, name).map(Timestamp);
    let vm = optional::<String>(node, "vm")?.map(Arc::from);
    if let Some(kind) = optional::<String>(node, "event")? {
        return Ok(Line::Event(Event {
            time: time("t0")?,
            vm,
            kind: EventKind::from_name(&kind).ok_or_else(|| format!("unknown event '{kind}'"))?,
            text: member(node, "text")?,
        }));
    }
    let Ok(provider) = member::<String>(node, "provider")?.parse();
    let Ok(target) = member::<String>(node, "target")?.parse();
    let variant = optional(node, "variant")?.unwrap_or(0);
    let place = layouts
        .iter()
        .position(|layout| layout.is_for(&provider, &target, variant))
        .ok_or_else(|| format!("schema.json has no statistics of {provider} {target}"))?;
    let layout = layouts.get(place).ok_or("no layout")?;
    let columns = layout.table.stats.iter().zip(&layout.columns);
    let values: Result<Vec<Value>, String> = columns
        .map(|(stat, column)| match node.get(column) {
            Some(node) => value(stat.kind, node).map_err(|error| format!("{column}: {error}")),
            None => Ok(Value::Absent),
        })
        .collect();
    Ok(Line::Row(
        place,
        Row {
            sample: member(node, "sample")?,
            vm: vm.ok_or("'vm' is missing")?,
            run: member(node, "run")?,
            object: Object {
                table: Arc::clone(&layout.table),
                id: ObjectId {
                    index: optional(node, "vcpu")?,
                    qom_path: optional(node, "object")?,
                },
                window: Window {
                    begin: time("t0")?,
                    end: time("t1")?,
                },
                values: values?,
            },
        },
    ))
}

fn value(kind: Kind, node: Node<'_>) -> Result<Value, String> {
    if node.elements().is_some() {
        return decode(node).map(buckets);
    }
    if kind == Kind::Boolean
        && let Ok(value) = decode(node)
    {
        return Ok(Value::Boolean(value));
    }
    decode::<u64>(node)
        .map(Value::Number)
        .or_else(|error| decode(node).map(Value::Boolean).map_err(|_| error))
}

fn member<T: Decode>(node: Node<'_>, name: &str) -> Result<T, String> {
    optional(node, name)?.ok_or_else(|| format!("'{name}' is missing"))
}

fn optional<T: Decode>(node: Node<'_>, name: &str) -> Result<Option<T>, String> {
    node.get(name)
        .map(|node| decode(node).map_err(|error| format!("{name}: {error}")))
        .transpose()
}

fn decode<T: Decode>(node: Node<'_>) -> Result<T, String> {
    from_node(node, &Context::tolerant()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};

    use super::*;
    use crate::sample::{Stat, Table};

    fn layout() -> Layout {
        let stats = [
            StatsSchemaValue::cumulative("exits"),
            StatsSchemaValue::instant("blocking").boolean(),
            StatsSchemaValue::log2_histogram("vm"),
            StatsSchemaValue::peak("highest"),
        ];
        Layout::new(
            Arc::new(Table {
                provider: StatsProvider::Unknown("né\"w".into()),
                target: StatsTarget::Vcpu,
                stats: stats.map(Stat::new).into(),
            }),
            0,
        )
    }

    #[test]
    fn line_is_read_as_it_was_written() {
        let layout = layout();
        let row = Row {
            sample: 7,
            vm: "a\n\"b".into(),
            run: 1,
            object: Object {
                table: Arc::clone(&layout.table),
                id: ObjectId {
                    index: Some(3),
                    qom_path: Some("/machine/cpu[3]".to_owned()),
                },
                window: Window {
                    begin: Timestamp(u64::MAX - 1),
                    end: Timestamp(u64::MAX),
                },
                values: vec![
                    Value::Number(u64::MAX),
                    Value::Boolean(true),
                    Value::Buckets([0, u64::MAX].into()),
                    Value::Absent,
                ],
            },
        };
        let mut line = Vec::new();
        write_row(&row, &layout, &mut line);
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let layouts = [layout];
        assert_eq!(read(&line, &layouts), Ok(Line::Row(0, row)));
        // No beginning of the line is taken for a whole one.
        for length in 0..line.len() - 1 {
            assert!(read(&line[..length], &layouts).is_err(), "{length}");
        }
    }

    #[test]
    fn event_is_read_as_it_was_written() {
        for kind in EventKind::ALL {
            let event = Event {
                time: Timestamp(5),
                vm: (kind != EventKind::Clock).then(|| "vm".into()),
                kind,
                text: "no answer".to_owned(),
            };
            let mut line = Vec::new();
            write_event(&event, &mut line);
            assert_eq!(read(&line, &[]), Ok(Line::Event(event)));
        }
    }
}
