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

    fn numbered(layout: &Layout, numbers: std::ops::Range<u64>) -> Vec<(usize, Row)> {
        let values = vec![Value::Number(5), Value::Absent, Value::Absent];
        numbers
            .map(|number| (0, row(layout, number, values.clone())))
            .collect()
    }

    #[test]
    fn packed_recording_has_any_number_of_rows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let layout = layout(StatsTarget::Vcpu);
        let mut writer = Writer::create(&path, vec![layout.clone()], None).unwrap();
        let groups = [1..400, 400..800, 800..1_200].map(|numbers| numbered(&layout, numbers));
        for rows in &groups {
            writer.append(rows, &[]).unwrap();
        }
        writer.finish(None).unwrap();
        assert!(groups.iter().map(Vec::len).sum::<usize>() > read::ROWS_MAX);
        assert_eq!(super::groups(&path).unwrap().len(), groups.len());
        for (group, rows) in groups.iter().enumerate() {
            assert_eq!(&read(&path, Some(group)).unwrap().rows, rows);
        }
        let problem = read(&path, None).unwrap_err();
        assert!(problem.contains("rows in one piece"), "{problem}");
    }

    /// Changes the number of rows that the metadata of a file tells.
    fn change_rows(path: &std::path::Path, rows: i64) {
        use parquet::file::metadata::{
            ParquetMetaData, ParquetMetaDataReader, ParquetMetaDataWriter,
        };
        let bytes = std::fs::read(path).unwrap();
        let old = ParquetMetaDataReader::new()
            .parse_and_finish(&std::fs::File::open(path).unwrap())
            .unwrap();
        let groups = old.row_groups().iter().map(|group| {
            let builder = group.clone().into_builder();
            builder.set_num_rows(rows).build().unwrap()
        });
        let metadata = ParquetMetaData::new(old.file_metadata().clone(), groups.collect());
        let length: [u8; 4] = bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap();
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap();
        let mut changed = bytes[..bytes.len() - 8 - length].to_vec();
        ParquetMetaDataWriter::new(&mut changed, &metadata)
            .finish()
            .unwrap();
        std::fs::write(path, changed).unwrap();
    }

    #[test]
    fn impossible_numbers_of_rows_are_an_error_and_never_an_abort() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let layouts = vec![layout(StatsTarget::Vcpu)];
        let contents = Contents {
            rows: numbered(&layouts[0], 1..4),
            layouts,
            events: Vec::new(),
        };
        for rows in [1 << 40, i64::MAX, -1] {
            write(&path, &contents, None).unwrap();
            change_rows(&path, rows);
            let problem = read(&path, None).unwrap_err();
            assert!(
                problem.contains(&format!("{rows} rows in one")),
                "{problem}"
            );
        }
        write(&path, &contents, None).unwrap();
        change_rows(&path, 3);
        assert_eq!(read(&path, None).unwrap(), contents);
    }

    #[test]
    fn histogram_with_too_many_buckets_costs_one_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.parquet");
        let layouts = vec![layout(StatsTarget::Vcpu)];
        let long = Value::Buckets(vec![1; crate::sample::BUCKETS_MAX + 1].into());
        let values = |waits| vec![Value::Number(5), Value::Boolean(true), waits];
        let other = (
            0,
            row(&layouts[0], 2, values(Value::Buckets([1, 2].into()))),
        );
        let odd = row(&layouts[0], 1, values(long));
        let mut line = Vec::new();
        super::super::line::write_row(&odd, &layouts[0], &mut line);
        let contents = Contents {
            rows: vec![(0, odd), other.clone()],
            layouts: layouts.clone(),
            events: Vec::new(),
        };
        write(&path, &contents, None).unwrap();
        let expected = row(&layouts[0], 1, values(Value::Absent));
        let read = read(&path, None).unwrap();
        assert_eq!(read.rows, [(0, expected.clone()), other]);
        let read = super::super::line::read(&line, &layouts);
        assert_eq!(read, Ok(super::super::line::Line::Row(0, expected)));
    }
}
