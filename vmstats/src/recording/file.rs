//! The Parquet files of a recording.
//!
//! In: rows and events. Out: a file that any program reads, with a column for each
//! statistic and the schema in its metadata; and back. A file may have rows of several
//! layouts, whose columns are then told apart by provider and target.
//!
//! Counters are stored as differences (DELTA_BINARY_PACKED), because the rows of an object
//! follow each other. There are no dictionaries but for names: the memory of a writer
//! would grow with the number of columns.

use std::collections::HashMap;
use std::fs::File;
use std::panic;
use std::path::Path;
use std::sync::{Arc, Once};
use std::thread;

use parquet::basic::{Compression, Encoding, LogicalType, Repetition, Type as Physical};
use parquet::column::reader::ColumnReader;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type};

use super::folder::About;
use super::row::{Event, EventKind, FIXED, Layout, Row, layouts_from_json, layouts_json};
use crate::explain;
use crate::sample::{Kind, Object, ObjectId, Table, Timestamp, Value, Window};

/// The key of the metadata with the layouts as JSON.
const LAYOUTS: &str = "vmstats.layouts";

/// The key of the metadata with the contents of `schema.json`, in a packed recording.
const RECORDING: &str = "vmstats.recording";

/// The keys of the metadata with the first and the last moment.
const BEGIN: &str = "vmstats.begin";
const END: &str = "vmstats.end";

/// The number of rows of a file. A file with more was not written by a recorder.
const ROWS_MAX: i64 = 4 << 20;

/// The name of the threads that decode files.
const DECODER: &str = "decoder";

/// The number of values in a histogram.
const BUCKETS_MAX: usize = 4096;

/// The rows of a group. A reader decodes a group at a time.
const GROUP_ROWS: usize = 100_000;

/// The columns that have a dictionary: names, which are few.
const NAMES: [&str; 5] = ["vm", "provider", "target", "object", "event"];

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

/// The type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    Number,
    Signed,
    Boolean,
    Text,
    Buckets,
}

/// Writes a file. The rows of each object must follow each other in time. `about` makes
/// the file a whole recording.
///
/// # Errors
///
/// Returns the error of writing or of the format.
pub fn write(path: &Path, contents: &Contents, about: Option<&About>) -> Result<(), ParquetError> {
    let columns = columns(&contents.layouts);
    let properties = properties(contents, &columns, about);
    let file = File::create(path)?;
    let mut writer =
        SerializedFileWriter::new(file, Arc::new(schema(&columns)?), Arc::new(properties))?;
    let rows = contents
        .rows
        .iter()
        .map(|(layout, row)| Entry::Row(*layout, row));
    let entries: Vec<Entry<'_>> = rows
        .chain(contents.events.iter().map(Entry::Event))
        .collect();
    for group in entries.chunks(GROUP_ROWS) {
        let mut out = writer.next_row_group()?;
        for name in FIXED {
            write_fixed(&mut out, name, group, &contents.layouts)?;
        }
        for column in columns.iter().skip(FIXED.len()) {
            write_stat(&mut out, column, group, &contents.layouts)?;
        }
        out.close()?;
    }
    let file = writer.into_inner()?;
    file.sync_all()?;
    Ok(())
}

/// A column of a file.
#[derive(Debug)]
struct Column {
    name: String,
    cell: Cell,
    /// The place of the statistic in each layout that has it.
    stats: HashMap<usize, usize>,
    is_counter: bool,
}

/// Returns all columns: the fixed ones, then those of the layouts.
fn columns(layouts: &[Layout]) -> Vec<Column> {
    let mut columns: Vec<Column> = FIXED
        .iter()
        .map(|name| Column {
            name: (*name).to_owned(),
            cell: fixed_cell(name),
            stats: HashMap::new(),
            is_counter: matches!(*name, "sample" | "t0" | "t1"),
        })
        .collect();
    let is_one = layouts.len() == 1;
    for (layout, described) in layouts.iter().enumerate() {
        let stats = described.table.stats.iter().zip(&described.columns);
        for (place, (stat, name)) in stats.enumerate() {
            let Table {
                provider, target, ..
            } = described.table.as_ref();
            let name = if is_one {
                name.clone()
            } else {
                match described.variant {
                    0 => format!("{provider}_{target}_{name}"),
                    variant => format!("{provider}_{target}_{variant}_{name}"),
                }
            };
            columns.push(Column {
                name,
                cell: stat_cell(stat.kind),
                stats: HashMap::from([(layout, place)]),
                is_counter: stat.kind != Kind::Histogram,
            });
        }
    }
    columns
}

fn fixed_cell(name: &str) -> Cell {
    match name {
        "vcpu" => Cell::Signed,
        "vm" | "provider" | "target" | "object" | "event" | "text" => Cell::Text,
        _ => Cell::Number,
    }
}

fn stat_cell(kind: Kind) -> Cell {
    match kind {
        Kind::Boolean => Cell::Boolean,
        Kind::Histogram => Cell::Buckets,
        Kind::Counter | Kind::Gauge | Kind::Peak | Kind::Unknown => Cell::Number,
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

fn properties(contents: &Contents, columns: &[Column], about: Option<&About>) -> WriterProperties {
    let mut metadata = vec![
        KeyValue::new(LAYOUTS.to_owned(), layouts_json(&contents.layouts)),
        KeyValue::new(
            "vmstats.about".to_owned(),
            "statistics of virtual machines; t0 and t1 are nanoseconds since 1970 before and \
             after reading; docs/operators.md of vmstats"
                .to_owned(),
        ),
    ];
    let rows = contents.rows.iter().map(|(_, row)| row.object.window);
    let windows = rows.chain(contents.events.iter().map(|event| Window {
        begin: event.time,
        end: event.time,
    }));
    let span = windows.fold(None, |span: Option<(u64, u64)>, window| {
        let (begin, end) = (window.begin.0, window.end.0);
        Some(span.map_or((begin, end), |span| (span.0.min(begin), span.1.max(end))))
    });
    if let Some((begin, end)) = span {
        metadata.push(KeyValue::new(BEGIN.to_owned(), begin.to_string()));
        metadata.push(KeyValue::new(END.to_owned(), end.to_string()));
    }
    if let Some(about) = about {
        let json = String::from_utf8_lossy(&about.to_json()).into_owned();
        metadata.push(KeyValue::new(RECORDING.to_owned(), json));
    }
    for column in columns {
        metadata.extend(description(column, &contents.layouts));
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

/// Reads the first and the last moment of a file without its rows. Returns `None` if the
/// file is empty.
///
/// # Errors
///
/// Returns the reason if the file is damaged or another one.
pub fn span(path: &Path) -> Result<Option<(Timestamp, Timestamp)>, String> {
    contained(|| read_span(path))
}

fn read_span(path: &Path) -> Result<Option<(Timestamp, Timestamp)>, String> {
    let reader = open(path)?;
    let metadata = reader.metadata().file_metadata();
    if metadata.num_rows() == 0 {
        return Ok(None);
    }
    let moment = |key| {
        let text = value_of(metadata.key_value_metadata(), key)?;
        text.parse().map(Timestamp).map_err(|_| not_ours())
    };
    Ok(Some((moment(BEGIN)?, moment(END)?)))
}

/// Reads what a packed recording says of itself.
///
/// # Errors
///
/// Returns the reason if the file is damaged or not a packed recording.
pub fn about(path: &Path) -> Result<About, String> {
    let reader = contained(|| open(path))?;
    let metadata = reader.metadata().file_metadata().key_value_metadata();
    let json = value_of(metadata, RECORDING).map_err(|_| {
        "it is not a packed recording (`vmstats record --pack` makes one)".to_owned()
    })?;
    About::from_json(json.as_bytes())
}

/// Reads a file.
///
/// # Errors
///
/// Returns the reason if the file is damaged or another one.
pub fn read(path: &Path) -> Result<Contents, String> {
    contained(|| read_whole(path))
}

/// Runs the library's decoder on a thread of its own, because the decoder panics at some
/// damaged pages instead of returning an error.
fn contained<T: Send>(read: impl FnOnce() -> Result<T, String> + Send) -> Result<T, String> {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| {
        let others = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if thread::current().name() != Some(DECODER) {
                others(panic);
            }
        }));
    });
    thread::scope(|scope| {
        let decoder = thread::Builder::new().name(DECODER.to_owned());
        let decoder = decoder.spawn_scoped(scope, read);
        let decoder = decoder.map_err(|error| format!("cannot start a thread: {error}"))?;
        let damaged = |_| Err("a page of the file is damaged".to_owned());
        decoder.join().unwrap_or_else(damaged)
    })
}

fn read_whole(path: &Path) -> Result<Contents, String> {
    let reader = open(path)?;
    let file = reader.metadata().file_metadata();
    let layouts = layouts_from_json(value_of(file.key_value_metadata(), LAYOUTS)?.as_bytes())?;
    let columns = columns(&layouts);
    let described = file.schema_descr();
    if described.num_columns() != columns.len() {
        return Err("its columns are not those of its metadata".to_owned());
    }
    let mut contents = Contents {
        layouts,
        ..Contents::default()
    };
    for group in 0..reader.num_row_groups() {
        let group = reader.get_row_group(group).map_err(text)?;
        let rows = usize::try_from(group.metadata().num_rows()).map_err(|_| not_ours())?;
        let mut read: Vec<Vec<Value>> = Vec::with_capacity(columns.len());
        let mut texts: HashMap<&str, Vec<Option<Arc<str>>>> = HashMap::new();
        for (place, column) in columns.iter().enumerate() {
            let reader = group.get_column_reader(place).map_err(text)?;
            if column.cell == Cell::Text {
                texts.insert(column.name.as_str(), read_texts(reader, rows)?);
                read.push(Vec::new());
            } else {
                read.push(read_column(reader, column.cell, rows)?);
            }
        }
        let group = Group {
            columns: &columns,
            read: &mut read,
            texts: &texts,
        };
        group.append(rows, &mut contents)?;
    }
    Ok(contents)
}

fn open(path: &Path) -> Result<SerializedFileReader<File>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let reader = SerializedFileReader::new(file).map_err(text)?;
    let rows = reader.metadata().file_metadata().num_rows();
    if !(0..=ROWS_MAX).contains(&rows) {
        return Err("it has too many rows for a file of a recording".to_owned());
    }
    check_ranges(reader.metadata(), length)?;
    Ok(reader)
}

/// Refuses columns that lie outside of the file: the library panics at them.
fn check_ranges(metadata: &ParquetMetaData, length: u64) -> Result<(), String> {
    let groups = metadata.row_groups().iter();
    for column in groups.flat_map(|group| group.columns()) {
        let begin = column.dictionary_page_offset();
        let begin = begin.unwrap_or_else(|| column.data_page_offset());
        let end = begin.checked_add(column.compressed_size());
        let is_inside = |place: i64| u64::try_from(place).is_ok_and(|place| place <= length);
        if !is_inside(begin) || column.compressed_size() < 0 || !end.is_some_and(is_inside) {
            return Err("a column lies outside of the file".to_owned());
        }
    }
    Ok(())
}

fn value_of<'a>(metadata: Option<&'a Vec<KeyValue>>, key: &str) -> Result<&'a str, String> {
    let found = metadata.into_iter().flatten().find(|pair| pair.key == key);
    found
        .and_then(|pair| pair.value.as_deref())
        .ok_or_else(not_ours)
}

fn not_ours() -> String {
    "it is a Parquet file, but not of a recording".to_owned()
}

#[expect(clippy::needless_pass_by_value, reason = "a function for map_err")]
fn text(error: ParquetError) -> String {
    error.to_string()
}

/// The columns of a row group, decoded.
struct Group<'a> {
    columns: &'a [Column],
    read: &'a mut [Vec<Value>],
    texts: &'a HashMap<&'a str, Vec<Option<Arc<str>>>>,
}

impl Group<'_> {
    fn append(self, rows: usize, contents: &mut Contents) -> Result<(), String> {
        for row in 0..rows {
            let time = |name| self.number(name, row).map(Timestamp);
            let window = Window {
                begin: time("t0").ok_or("a row has no t0")?,
                end: time("t1").ok_or("a row has no t1")?,
            };
            let vm = self.text("vm", row);
            if let Some(kind) = self.text("event", row) {
                contents.events.push(Event {
                    time: window.begin,
                    vm,
                    kind: EventKind::from_name(&kind).ok_or("a row has an unknown event")?,
                    text: self.text("text", row).as_deref().unwrap_or("").to_owned(),
                });
                continue;
            }
            let name = |name| {
                self.text(name, row)
                    .ok_or("a row has no provider or target")
            };
            let Ok(provider) = name("provider")?.parse();
            let Ok(target) = name("target")?.parse();
            let variant = self.number("variant", row).unwrap_or(0);
            let variant = u32::try_from(variant).map_err(|_| "a row has an odd variant")?;
            let place = contents
                .layouts
                .iter()
                .position(|layout| layout.is_for(&provider, &target, variant))
                .ok_or("a row has no layout")?;
            let index = self.number("vcpu", row).map(u64::cast_signed);
            let qom_path = self.text("object", row).map(|path| path.to_string());
            let sample = self.number("sample", row).ok_or("a row has no sample")?;
            let run = self.number("run", row).unwrap_or(0);
            let table = contents.layouts.get(place).map(|layout| &layout.table);
            let table = Arc::clone(table.ok_or("a row has no layout")?);
            let mut values = vec![Value::Absent; table.stats.len()];
            for (column, read) in self.columns.iter().zip(self.read.iter_mut()) {
                if let Some(place) = column.stats.get(&place)
                    && let (Some(slot), Some(value)) = (values.get_mut(*place), read.get_mut(row))
                {
                    *slot = std::mem::replace(value, Value::Absent);
                }
            }
            contents.rows.push((
                place,
                Row {
                    sample,
                    vm: vm.ok_or("a row has no vm")?,
                    run: u32::try_from(run).map_err(|_| "a row has an odd run")?,
                    object: Object {
                        table,
                        id: ObjectId { index, qom_path },
                        window,
                        values,
                    },
                },
            ));
        }
        Ok(())
    }

    fn number(&self, name: &str, row: usize) -> Option<u64> {
        let place = FIXED.iter().position(|fixed| *fixed == name)?;
        match self.read.get(place)?.get(row)? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    fn text(&self, name: &str, row: usize) -> Option<Arc<str>> {
        self.texts.get(name)?.get(row)?.clone()
    }
}

/// Reads a column of numbers, truth values or lists. Nulls are absent.
fn read_column(reader: ColumnReader, cell: Cell, rows: usize) -> Result<Vec<Value>, String> {
    let (mut definitions, mut repetitions) = (Vec::new(), Vec::new());
    match (reader, cell) {
        (ColumnReader::BoolColumnReader(mut reader), Cell::Boolean) => {
            let mut values = Vec::new();
            reader
                .read_records(rows, Some(&mut definitions), None, &mut values)
                .map_err(text)?;
            let values = values.into_iter().map(Value::Boolean);
            with_nulls(values, &definitions, rows)
        }
        (ColumnReader::Int64ColumnReader(mut reader), Cell::Number | Cell::Signed) => {
            let mut values: Vec<i64> = Vec::new();
            reader
                .read_records(rows, Some(&mut definitions), None, &mut values)
                .map_err(text)?;
            let values = values.into_iter();
            with_nulls(
                values.map(|number| Value::Number(number.cast_unsigned())),
                &definitions,
                rows,
            )
        }
        (ColumnReader::Int64ColumnReader(mut reader), Cell::Buckets) => {
            let mut values: Vec<i64> = Vec::new();
            reader
                .read_records(
                    rows,
                    Some(&mut definitions),
                    Some(&mut repetitions),
                    &mut values,
                )
                .map_err(text)?;
            lists(&values, &definitions, &repetitions, rows)
        }
        _ => Err("a column has another type than its metadata says".to_owned()),
    }
}

/// Puts the absent values between the others.
fn with_nulls(
    mut values: impl Iterator<Item = Value>,
    definitions: &[i16],
    rows: usize,
) -> Result<Vec<Value>, String> {
    let cells = definitions.iter().map(|level| {
        if *level == 0 {
            Some(Value::Absent)
        } else {
            values.next()
        }
    });
    let cells: Option<Vec<Value>> = cells.collect();
    cells
        .filter(|cells| cells.len() == rows)
        .ok_or_else(|| "a column is too short".to_owned())
}

/// Puts lists together from their elements and levels.
fn lists(
    values: &[i64],
    definitions: &[i16],
    repetitions: &[i16],
    rows: usize,
) -> Result<Vec<Value>, String> {
    let mut lists: Vec<Option<Vec<u64>>> = Vec::with_capacity(rows);
    let mut values = values.iter();
    for (definition, repetition) in definitions.iter().zip(repetitions) {
        if *repetition == 0 {
            lists.push((*definition > 0).then(Vec::new));
        }
        if *definition == 2 {
            let list = lists.last_mut().and_then(Option::as_mut);
            let list = list.ok_or("a list begins in its middle")?;
            let value = values.next().ok_or("a list is too short")?;
            if list.len() >= BUCKETS_MAX {
                return Err("a histogram has too many buckets".to_owned());
            }
            list.push(value.cast_unsigned());
        }
    }
    if lists.len() != rows {
        return Err("a column is too short".to_owned());
    }
    let value =
        |list: Option<Vec<u64>>| list.map_or(Value::Absent, |counts| Value::Buckets(counts.into()));
    Ok(lists.into_iter().map(value).collect())
}

fn read_texts(reader: ColumnReader, rows: usize) -> Result<Vec<Option<Arc<str>>>, String> {
    let ColumnReader::ByteArrayColumnReader(mut reader) = reader else {
        return Err("a column has another type than its metadata says".to_owned());
    };
    let (mut definitions, mut values) = (Vec::new(), Vec::new());
    reader
        .read_records(rows, Some(&mut definitions), None, &mut values)
        .map_err(text)?;
    let mut known: HashMap<Vec<u8>, Arc<str>> = HashMap::new();
    let mut values = values.into_iter().map(|value: ByteArray| {
        let bytes = value.data();
        if let Some(known) = known.get(bytes) {
            return Ok(Arc::clone(known));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| "a text is not UTF-8")?;
        let text: Arc<str> = text.into();
        known.insert(bytes.to_vec(), Arc::clone(&text));
        Ok::<_, String>(text)
    });
    let mut texts = Vec::with_capacity(rows);
    for level in definitions {
        texts.push(match level {
            0 => None,
            _ => Some(values.next().ok_or("a column is too short")??),
        });
    }
    if texts.len() == rows {
        Ok(texts)
    } else {
        Err("a column is too short".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};

    use super::*;
    use crate::sample::Stat;

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
        assert_eq!(read(&path).unwrap(), contents);
        let expected = (Timestamp(1_000), Timestamp(3_005));
        assert_eq!(span(&path).unwrap(), Some(expected));
        // A file that is cut off anywhere is refused.
        let bytes = std::fs::read(&path).unwrap();
        for length in [0, 4, bytes.len() / 2, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).unwrap();
            assert!(read(&path).is_err(), "{length}");
        }
    }

    #[test]
    fn rows_of_one_layout_are_read_as_they_were_written() {
        check(vec![layout(StatsTarget::Vcpu)], Vec::new());
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
            let _ = read(&path);
        }
    }
}
