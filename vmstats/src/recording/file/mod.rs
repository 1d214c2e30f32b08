//! The Parquet files of a recording.
//!
//! In: rows and events. Out: a file that any program reads, with a column for each
//! statistic and the schema in its metadata; and back. A file may have rows of several
//! layouts, whose columns are then told apart by provider and target.
//!
//! Counters are stored as differences (DELTA_BINARY_PACKED), because the rows of an object
//! follow each other. Only names have dictionaries, because the memory of a writer
//! would grow with the number of columns.

mod columns;
mod read;
mod write;

use super::row::{Event, Layout, Row};
use crate::sample::{Timestamp, Window};

pub use read::{about, groups, read, read_events, span};
pub use write::{Writer, write};

/// The contents of a file.
#[derive(Debug, Default, PartialEq)]
pub struct Contents {
    /// The layouts of the rows.
    pub layouts: Vec<Layout>,
    /// The rows, each with the place of its layout.
    pub rows: Vec<(usize, Row)>,
    /// The events.
    pub events: Vec<Event>,
}

impl Contents {
    /// Returns the first and the last moment; `None` if there is neither a row nor an
    /// event.
    #[must_use]
    pub fn span(&self) -> Option<(Timestamp, Timestamp)> {
        let rows = self.rows.iter().map(|(_, row)| row.object.window);
        let events = self.events.iter().map(|event| Window {
            begin: event.time,
            end: event.time,
        });
        let windows = || rows.clone().chain(events.clone());
        let begin = windows().map(|window| window.begin).min();
        begin.zip(windows().map(|window| window.end).max())
    }
}

#[cfg(test)]
mod tests {
    use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};

    use std::sync::Arc;

    use super::super::row::EventKind;
    use super::*;
    use crate::sample::{Object, ObjectId, Stat, Table, Value};

    fn layout(target: StatsTarget) -> Layout {
        let stats = [
            StatsSchemaValue::cumulative("exits"),
            StatsSchemaValue::instant("blocking").boolean(),
            StatsSchemaValue::log2_histogram("waits").seconds(-9),
        ];
        let table = Table {
            provider: StatsProvider::Kvm,
            target,
            stats: stats.map(Stat::new).into(),
        };
        Layout::new(Arc::new(table), 0)
    }

    fn row(layout: &Layout, number: u64, values: Vec<Value>) -> Row {
        Row {
            sample: number,
            vm: "web-1".into(),
            run: 3,
            object: Object {
                table: Arc::clone(&layout.table),
                id: ObjectId {
                    index: (layout.table.target == StatsTarget::Vcpu).then_some(2),
                    qom_path: Some("/machine/cpu[2]".to_owned()),
                },
                window: Window {
                    begin: Timestamp(number * 1_000),
                    end: Timestamp(number * 1_000 + 5),
                },
                values,
            },
        }
    }

    fn check(layouts: Vec<Layout>, events: Vec<Event>) {
        let values = [
            vec![
                Value::Number(u64::MAX),
                Value::Boolean(true),
                Value::Buckets([0, 7, u64::MAX].into()),
            ],
            vec![Value::Absent, Value::Absent, Value::Absent],
            vec![
                Value::Number(0),
                Value::Boolean(false),
                Value::Buckets([].into()),
            ],
        ];
        let rows = layouts.iter().enumerate().flat_map(|(place, layout)| {
            let values = values.iter().zip(1..);
            values.map(move |(values, number)| (place, row(layout, number, values.clone())))
        });
        let contents = Contents {
            rows: rows.collect(),
            layouts: layouts.clone(),
            events,
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        write(&path, &contents, None).unwrap();
        assert_eq!(read(&path, None).unwrap(), contents);
        assert_eq!(read_events(&path, None).unwrap(), contents.events);
        let expected = (Timestamp(1_000), Timestamp(3_005));
        assert_eq!(span(&path).unwrap(), Some(expected));
        // A file that is cut off anywhere is refused.
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 4, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(read(&path, None).is_err(), "{length}");
        }
    }

    #[test]
    fn rows_of_one_layout_are_read_as_they_were_written() {
        check(vec![layout(StatsTarget::Vcpu)], Vec::new());
    }

    #[test]
    fn rows_of_a_variant_alone_are_read_as_they_were_written() {
        let variant = layout(StatsTarget::Vcpu);
        check(
            vec![Layout {
                variant: 2,
                ..variant
            }],
            Vec::new(),
        );
    }

    #[test]
    fn rows_of_several_layouts_and_events_are_read_as_they_were_written() {
        let event = Event {
            time: Timestamp(2_000),
            vm: Some("web-1".into()),
            kind: EventKind::Failed,
            text: "no answer in time".to_owned(),
        };
        let layouts = [StatsTarget::Vm, StatsTarget::Vcpu].map(layout);
        check(layouts.into(), vec![event]);
    }

    #[test]
    fn damaged_bytes_are_an_error_and_never_a_panic() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let layouts = vec![layout(StatsTarget::Vcpu)];
        let values = vec![Value::Number(5), Value::Absent, Value::Buckets([1].into())];
        let rows = (1..50).map(|number| (0, row(&layouts[0], number, values.clone())));
        let contents = Contents {
            rows: rows.collect(),
            layouts: layouts.clone(),
            events: Vec::new(),
        };
        write(&path, &contents, None).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        for place in (0..bytes.len()).step_by(3) {
            let mut damaged = bytes.clone();
            damaged[place] ^= 0x55;
            std::fs::write(&path, &damaged).unwrap();
            // Whatever is read is an error or rows; values are not protected by a sum.
            let _ = read(&path, None);
        }
    }
}
