//! Writing a Parquet file of a recording.
//!
//! In: rows and events. Out: a file that is on the disk when the function returns.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as Physical};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type};
use qapi_stats::wire::to_json;

use super::super::folder::About;
use super::super::row::{Event, FIXED, Layout, Row, layouts_json};
use super::Contents;
use super::columns::{BEGIN, Cell, Column, END, GROUPS, LAYOUTS, RECORDING, columns, fixed_cell};
use crate::explain;
use crate::sample::{Timestamp, Value, Window};

/// The rows of a group. A reader decodes a group at a time.
const GROUP_ROWS: usize = 100_000;

/// The columns that have a dictionary: names, which are few.
const NAMES: [&str; 5] = ["vm", "provider", "target", "object", "event"];

/// A line of the file before its columns are written.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Row(usize, &'a Row),
    Event(&'a Event),
}

impl<'a> Entry<'a> {
    fn row(self) -> Option<(usize, &'a Row)> {
        match self {
            Self::Row(layout, row) => Some((layout, row)),
            Self::Event(_) => None,
        }
    }

    fn event(self) -> Option<&'a Event> {
        match self {
            Self::Row(..) => None,
            Self::Event(event) => Some(event),
        }
    }

    fn window(self) -> Window {
        match self {
            Self::Row(_, row) => row.object.window,
            Self::Event(event) => Window {
                begin: event.time,
                end: event.time,
            },
        }
    }

    fn vm(self) -> Option<&'a str> {
        match self {
            Self::Row(_, row) => Some(&row.vm),
            Self::Event(event) => event.vm.as_deref(),
        }
    }
}

/// Writes a file of one segment. The rows of each object must follow each other in time.
/// `span` is the time of the whole segment.
///
/// # Errors
///
/// Returns the error of writing or of the format.
pub fn write(
    path: &Path,
    contents: &Contents,
    span: Option<(Timestamp, Timestamp)>,
) -> Result<(), ParquetError> {
    let mut writer = Writer::create(path, contents.layouts.clone(), None)?;
    writer.append(&contents.rows, &contents.events)?;
    writer.finish(span)
}

/// A file that is written group by group.
pub struct Writer {
    layouts: Vec<Layout>,
    columns: Vec<Column>,
    out: SerializedFileWriter<File>,
    /// The first and the last moment of each group.
    spans: Vec<(Timestamp, Timestamp)>,
}

impl std::fmt::Debug for Writer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// Creates a file for rows of these layouts. `about` makes the file a whole recording.
    ///
    /// # Errors
    ///
    /// Returns the error of creating the file.
    pub fn create(
        path: &Path,
        layouts: Vec<Layout>,
        about: Option<&About>,
    ) -> Result<Self, ParquetError> {
        let columns = columns(&layouts);
        let properties = properties(&layouts, &columns, about);
        let schema = Arc::new(schema(&columns)?);
        let file = File::create(path)?;
        let out = SerializedFileWriter::new(file, schema, Arc::new(properties))?;
        Ok(Self {
            layouts,
            columns,
            out,
            spans: Vec::new(),
        })
    }

    /// Appends rows and events. The rows of each object must follow each other in time.
    ///
    /// # Errors
    ///
    /// Returns the error of writing.
    pub fn append(&mut self, rows: &[(usize, Row)], events: &[Event]) -> Result<(), ParquetError> {
        let rows = rows.iter().map(|(layout, row)| Entry::Row(*layout, row));
        let entries: Vec<Entry<'_>> = rows.chain(events.iter().map(Entry::Event)).collect();
        for group in entries.chunks(GROUP_ROWS) {
            let mut out = self.out.next_row_group()?;
            for name in FIXED {
                write_fixed(&mut out, name, group, &self.layouts)?;
            }
            for column in self.columns.iter().skip(FIXED.len()) {
                write_stat(&mut out, column, group, &self.layouts)?;
            }
            out.close()?;
            let windows = || group.iter().map(|entry| entry.window());
            let begin = windows().map(|window| window.begin).min();
            let end = windows().map(|window| window.end).max();
            self.spans.extend(begin.zip(end));
        }
        Ok(())
    }

    /// Completes the file, and waits until it is on the disk. `span` is the time that
    /// the file says it is about; by default that of its rows.
    ///
    /// # Errors
    ///
    /// Returns the error of writing.
    pub fn finish(mut self, span: Option<(Timestamp, Timestamp)>) -> Result<(), ParquetError> {
        let own = || {
            let begin = self.spans.iter().map(|span| span.0).min();
            begin.zip(self.spans.iter().map(|span| span.1).max())
        };
        if let Some((begin, end)) = span.or_else(own) {
            let groups: Vec<Vec<u64>> = self
                .spans
                .iter()
                .map(|(begin, end)| vec![begin.0, end.0])
                .collect();
            for (key, value) in [
                (BEGIN, begin.0.to_string()),
                (END, end.0.to_string()),
                (GROUPS, to_json(&groups)),
            ] {
                let pair = KeyValue::new(key.to_owned(), value);
                self.out.append_key_value_metadata(pair);
            }
        }
        self.out.into_inner()?.sync_all()?;
        Ok(())
    }
}

fn schema(columns: &[Column]) -> Result<Type, ParquetError> {
    let unsigned = LogicalType::integer(64, false);
    let fields = columns.iter().map(|column| {
        let primitive = |physical| {
            Type::primitive_type_builder(&column.name, physical)
                .with_repetition(Repetition::OPTIONAL)
        };
        let field = match column.cell {
            // Times are signed, because readers calculate with them.
            Cell::Number if matches!(column.name.as_str(), "t0" | "t1") => {
                primitive(Physical::INT64).build()?
            }
            Cell::Number => primitive(Physical::INT64)
                .with_logical_type(Some(unsigned.clone()))
                .build()?,
            Cell::Signed => primitive(Physical::INT64).build()?,
            Cell::Boolean => primitive(Physical::BOOLEAN).build()?,
            Cell::Text => primitive(Physical::BYTE_ARRAY)
                .with_logical_type(Some(LogicalType::String))
                .build()?,
            Cell::Buckets => {
                let element = Type::primitive_type_builder("element", Physical::INT64)
                    .with_repetition(Repetition::REQUIRED)
                    .with_logical_type(Some(unsigned.clone()))
                    .build()?;
                let list = Type::group_type_builder("list")
                    .with_repetition(Repetition::REPEATED)
                    .with_fields(vec![Arc::new(element)])
                    .build()?;
                Type::group_type_builder(&column.name)
                    .with_repetition(Repetition::OPTIONAL)
                    .with_logical_type(Some(LogicalType::List))
                    .with_fields(vec![Arc::new(list)])
                    .build()?
            }
        };
        Ok(Arc::new(field))
    });
    Type::group_type_builder("row")
        .with_fields(fields.collect::<Result<Vec<_>, ParquetError>>()?)
        .build()
}

fn properties(layouts: &[Layout], columns: &[Column], about: Option<&About>) -> WriterProperties {
    let mut metadata = vec![
        KeyValue::new(LAYOUTS.to_owned(), layouts_json(layouts)),
        KeyValue::new(
            "vmstats.about".to_owned(),
            "statistics of virtual machines; t0 and t1 are nanoseconds since 1970 before and \
             after reading; docs/operators.md of vmstats"
                .to_owned(),
        ),
    ];
    if let Some(about) = about {
        let json = String::from_utf8_lossy(&about.to_json()).into_owned();
        metadata.push(KeyValue::new(RECORDING.to_owned(), json));
    }
    for column in columns {
        metadata.extend(description(column, layouts));
    }
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::LZ4_RAW)
        .set_dictionary_enabled(false)
        .set_statistics_enabled(EnabledStatistics::None)
        .set_offset_index_disabled(true)
        .set_created_by(concat!("vmstats ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(metadata));
    for column in columns {
        let path = ColumnPath::from(column.name.clone());
        if NAMES.contains(&column.name.as_str()) {
            properties = properties.set_column_dictionary_enabled(path, true);
        } else if column.is_counter && column.cell == Cell::Number {
            properties = properties.set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
        }
    }
    properties.build()
}

/// Returns the unit and the meaning of a statistic, for people who read the file.
fn description(column: &Column, layouts: &[Layout]) -> Option<KeyValue> {
    let (layout, place) = column.stats.iter().next()?;
    let table = &layouts.get(*layout)?.table;
    let stat = table.stats.get(*place)?;
    let schema = stat.schema.as_ref();
    let parts = [
        schema.map(|schema| schema.type_.name().to_owned()),
        schema.map(|schema| schema.quantity().to_string()),
        explain::meaning(&table.provider, &table.target, &stat.name),
    ];
    let parts: Vec<String> = parts
        .into_iter()
        .flatten()
        .filter(|part| !part.is_empty())
        .collect();
    Some(KeyValue::new(column.name.clone(), parts.join("; ")))
}

fn write_fixed(
    out: &mut SerializedRowGroupWriter<'_, File>,
    name: &str,
    entries: &[Entry<'_>],
    layouts: &[Layout],
) -> Result<(), ParquetError> {
    if fixed_cell(name) == Cell::Text {
        let text = |entry: &Entry<'_>| -> Option<ByteArray> {
            let table = |(layout, _): (usize, &Row)| layouts.get(layout).map(|one| &one.table);
            let text = match name {
                "vm" => entry.vm()?,
                "provider" => table(entry.row()?)?.provider.name(),
                "target" => table(entry.row()?)?.target.name(),
                "object" => entry.row()?.1.object.id.qom_path.as_deref()?,
                "event" => entry.event()?.kind.name(),
                _ => &entry.event()?.text,
            };
            Some(ByteArray::from(text))
        };
        return write_column::<ByteArrayType>(out, entries.iter().map(text).collect());
    }
    let number = |entry: &Entry<'_>| -> Option<i64> {
        match name {
            "t0" => Some(entry.window().begin.0.cast_signed()),
            "t1" => Some(entry.window().end.0.cast_signed()),
            "sample" => Some(entry.row()?.1.sample.cast_signed()),
            "run" => Some(entry.row()?.1.run.into()),
            "variant" => {
                let variant = layouts.get(entry.row()?.0)?.variant;
                Some(i64::from(variant)).filter(|variant| *variant > 0)
            }
            _ => entry.row()?.1.object.id.index,
        }
    };
    write_column::<Int64Type>(out, entries.iter().map(number).collect())
}

fn write_stat(
    out: &mut SerializedRowGroupWriter<'_, File>,
    column: &Column,
    entries: &[Entry<'_>],
    layouts: &[Layout],
) -> Result<(), ParquetError> {
    let value = |entry: &Entry<'_>| -> Option<Value> {
        let Entry::Row(layout, row) = entry else {
            return None;
        };
        let place = *column.stats.get(layout)?;
        let table = &layouts.get(*layout)?.table;
        let value = if Arc::ptr_eq(table, &row.object.table) {
            row.object.values.get(place)
        } else {
            row.object.value(&table.stats.get(place)?.name)
        };
        value.cloned()
    };
    match column.cell {
        Cell::Boolean => {
            let truth = |entry| match value(entry)? {
                Value::Boolean(value) => Some(value),
                Value::Number(number) => Some(number != 0),
                Value::Buckets(_) | Value::Absent => None,
            };
            write_column::<BoolType>(out, entries.iter().map(truth).collect())
        }
        Cell::Buckets => {
            let counts = entries.iter().map(|entry| match value(entry) {
                Some(Value::Buckets(counts)) => Some(counts),
                _ => None,
            });
            write_lists(out, counts)
        }
        Cell::Number | Cell::Signed | Cell::Text => {
            let number = |entry| match value(entry)? {
                Value::Number(number) => Some(number.cast_signed()),
                Value::Boolean(value) => Some(value.into()),
                Value::Buckets(_) | Value::Absent => None,
            };
            write_column::<Int64Type>(out, entries.iter().map(number).collect())
        }
    }
}

/// Writes the next column of a group. `None` is a null.
fn write_column<T: parquet::data_type::DataType>(
    out: &mut SerializedRowGroupWriter<'_, File>,
    values: Vec<Option<T::T>>,
) -> Result<(), ParquetError> {
    let levels: Vec<i16> = values.iter().map(|value| value.is_some().into()).collect();
    let values: Vec<T::T> = values.into_iter().flatten().collect();
    let mut column = out.next_column()?.ok_or_else(too_many_columns)?;
    column
        .typed::<T>()
        .write_batch(&values, Some(&levels), None)?;
    column.close()
}

/// Writes a column of lists. An empty list is told apart from a null.
fn write_lists(
    out: &mut SerializedRowGroupWriter<'_, File>,
    lists: impl Iterator<Item = Option<Box<[u64]>>>,
) -> Result<(), ParquetError> {
    let (mut values, mut definitions, mut repetitions) = (Vec::new(), Vec::new(), Vec::new());
    for list in lists {
        match list.as_deref() {
            None => {
                definitions.push(0);
                repetitions.push(0);
            }
            Some([]) => {
                definitions.push(1);
                repetitions.push(0);
            }
            Some(counts) => {
                for (place, count) in counts.iter().enumerate() {
                    values.push(count.cast_signed());
                    definitions.push(2);
                    repetitions.push(i16::from(place > 0));
                }
            }
        }
    }
    let mut column = out.next_column()?.ok_or_else(too_many_columns)?;
    column
        .typed::<Int64Type>()
        .write_batch(&values, Some(&definitions), Some(&repetitions))?;
    column.close()
}

fn too_many_columns() -> ParquetError {
    ParquetError::General("the schema has fewer columns than are written".to_owned())
}
