//! Reading a Parquet file of a recording.
//!
//! In: a file that anybody may have made. Out: rows and events, or the reason why the
//! file cannot be read. Nothing in a file makes the program panic.

use std::collections::HashMap;
use std::fs::File;
use std::panic;
use std::path::Path;
use std::sync::{Arc, Once};
use std::thread;

use parquet::column::reader::ColumnReader;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::{KeyValue, ParquetMetaData};
use parquet::file::reader::{FileReader, SerializedFileReader};
use qapi_stats::wire::{Context, from_json};

use super::super::folder::About;
use super::super::row::{Event, EventKind, FIXED, Row, buckets, layouts_from_json};
use super::Contents;
use super::columns::{BEGIN, Cell, Column, END, GROUPS, LAYOUTS, RECORDING, columns};
use crate::sample::{Object, ObjectId, Timestamp, Value, Window};

/// The number of rows that are read at once: those of a segment, or of a group of a packed
/// recording, which may have any number of groups. A recorder writes far fewer.
pub(super) const ROWS_MAX: usize = if cfg!(test) { 1_000 } else { 4 << 20 };

/// The name of the threads that decode files.
const DECODER: &str = "decoder";

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
    let metadata = reader.metadata().file_metadata().key_value_metadata();
    value_of(metadata, LAYOUTS)?;
    let moment = |key| {
        let text = value_of(metadata, key).ok()?;
        text.parse().map(Timestamp).ok()
    };
    Ok(moment(BEGIN).zip(moment(END)))
}

/// Reads the first and the last moment of each group of rows.
///
/// # Errors
///
/// Returns the reason if the file is damaged or another one.
pub fn groups(path: &Path) -> Result<Vec<(Timestamp, Timestamp)>, String> {
    let reader = contained(|| open(path))?;
    let metadata = reader.metadata();
    let json = value_of(metadata.file_metadata().key_value_metadata(), GROUPS)?;
    let groups: Vec<Vec<u64>> =
        from_json(json.as_bytes(), &Context::tolerant()).map_err(|error| error.to_string())?;
    if groups.len() != metadata.num_row_groups() {
        return Err("its groups are not those of its metadata".to_owned());
    }
    let span = |group: &Vec<u64>| match group.as_slice() {
        [begin, end] => Ok((Timestamp(*begin), Timestamp(*end))),
        _ => Err(not_ours()),
    };
    groups.iter().map(span).collect()
}

/// Reads what a packed recording says of itself.
///
/// # Errors
///
/// Returns the reason if the file is damaged or not a packed recording.
pub fn about(path: &Path) -> Result<About, String> {
    let reader = contained(|| open(path))?;
    let metadata = reader.metadata().file_metadata().key_value_metadata();
    let json = value_of(metadata, RECORDING)
        .map_err(|_| "it is not a packed recording (`vmstats pack` makes one)".to_owned())?;
    About::from_json(json.as_bytes())
}

/// Reads a file, or one of its groups of rows.
///
/// # Errors
///
/// Returns the reason if the file is damaged or another one.
pub fn read(path: &Path, group: Option<usize>) -> Result<Contents, String> {
    contained(|| read_groups(path, group, true))
}

/// Reads the events of a file, or of one of its groups of rows, without the statistics.
///
/// # Errors
///
/// Returns the reason if the file is damaged or another one.
pub fn read_events(path: &Path, group: Option<usize>) -> Result<Vec<Event>, String> {
    contained(|| Ok(read_groups(path, group, false)?.events))
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

fn read_groups(
    path: &Path,
    group: Option<usize>,
    has_statistics: bool,
) -> Result<Contents, String> {
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
    let groups = match group {
        Some(group) => group..group.saturating_add(1),
        None => 0..reader.num_row_groups(),
    };
    let mut rows_left = ROWS_MAX;
    for group in groups {
        let group = reader.get_row_group(group).map_err(text)?;
        let rows = group.metadata().num_rows();
        let rows = usize::try_from(rows)
            .ok()
            .filter(|rows| *rows <= rows_left)
            .ok_or_else(|| {
                format!("it has {rows} rows in one piece, and a piece has at most {ROWS_MAX}")
            })?;
        rows_left -= rows;
        let mut read: Vec<Vec<Value>> = Vec::with_capacity(columns.len());
        let mut texts: HashMap<&str, Vec<Option<Arc<str>>>> = HashMap::new();
        let wanted = if has_statistics {
            columns.len()
        } else {
            FIXED.len()
        };
        for (place, column) in columns.iter().enumerate().take(wanted) {
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
        group.append(rows, has_statistics, &mut contents)?;
    }
    Ok(contents)
}

fn open(path: &Path) -> Result<SerializedFileReader<File>, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let length = file.metadata().map_err(|error| error.to_string())?.len();
    let reader = SerializedFileReader::new(file).map_err(text)?;
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
    fn append(
        self,
        rows: usize,
        has_statistics: bool,
        contents: &mut Contents,
    ) -> Result<(), String> {
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
            if !has_statistics {
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
            if let [only] = contents.layouts.as_mut_slice() {
                // The metadata of a file tells variants apart by their order, which says
                // nothing about the number of the only one.
                only.variant = variant;
            }
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
            list.push(value.cast_unsigned());
        }
    }
    if lists.len() != rows {
        return Err("a column is too short".to_owned());
    }
    let value = |list: Option<Vec<u64>>| list.map_or(Value::Absent, buckets);
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
