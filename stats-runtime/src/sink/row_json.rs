//! A row of values as JSON. The text between two values is prepared once.
//!
//! In: columns, then rows of values. Out: JSON text of all statistics, without
//! the brackets around them. A row costs no allocation and no look-up.

use qapi_stats::wire::json::write_digits;
use qapi_stats::wire::to_json;

use super::column::{Column, ColumnKind};
use super::wire_order::wire_chunks;

/// The text before, between and after the values of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowJson {
    /// All pieces of text one after the other, and then `CHUNK` bytes of padding.
    bytes: Box<[u8]>,
    /// The ends of the pieces. Each column's value follows a piece, and the last
    /// piece follows the last value.
    ends: Box<[u32]>,
    kinds: Box<[ColumnKind]>,
    /// The greatest length of a row's text.
    len_max: usize,
}

/// The number of bytes that are copied at once. Nearly every piece is shorter,
/// and a copy of constant length needs no call of `memcpy`. The bytes after the
/// piece are truncated.
const CHUNK: usize = 64;

/// The text of `BUCKETS` empty buckets, which is written at once, because most
/// buckets are empty.
const ZEROS: &[u8; 24] = b"0, 0, 0, 0, 0, 0, 0, 0, ";

/// The number of buckets in `ZEROS`.
const BUCKETS: usize = 8;

/// The greatest length of a value and the separator after it.
const VALUE_LEN_MAX: usize = u64::MAX.ilog10() as usize + 1 + ", ".len();

impl RowJson {
    pub(super) fn new(columns: &[Column]) -> Self {
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(columns.len() + 1);
        let mut after = "";
        for (index, column) in columns.iter().enumerate() {
            bytes.extend_from_slice(after.as_bytes());
            let before: &[u8] = if index == 0 { b"" } else { b", " };
            bytes.extend_from_slice(before);
            bytes.extend_from_slice(b"{\"name\": ");
            bytes.extend_from_slice(to_json(column.name()).as_bytes());
            bytes.extend_from_slice(b", \"value\": ");
            if column.kind() == ColumnKind::List {
                bytes.push(b'[');
                after = "]}";
            } else {
                after = "}";
            }
            ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        }
        bytes.extend_from_slice(after.as_bytes());
        ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        bytes.extend_from_slice(&[0; CHUNK]);
        // Add the columns' lengths up, because columns may share values.
        let lens = columns.iter().map(|column| column.indexes().len());
        let values = lens.fold(0, usize::saturating_add);
        let values_len = values.saturating_mul(VALUE_LEN_MAX);
        Self {
            len_max: bytes.len().saturating_add(values_len),
            bytes: bytes.into(),
            ends: ends.into(),
            kinds: columns.iter().map(Column::kind).collect(),
        }
    }

    /// Returns the greatest length of a row's text.
    pub(super) fn len_max(&self) -> usize {
        self.len_max
    }

    /// Appends the text of a row, given the values of each column.
    pub(super) fn write<'v>(&self, mut values: impl Iterator<Item = &'v [u64]>, out: &mut Vec<u8>) {
        let mut kinds = self.kinds.iter();
        let mut rest = &*self.bytes;
        let mut begin = 0;
        for &end in &self.ends {
            let len = end.saturating_sub(begin) as usize;
            begin = end;
            match rest.first_chunk::<CHUNK>() {
                Some(chunk) if len <= CHUNK => {
                    let len = out.len() + len;
                    out.extend_from_slice(chunk);
                    out.truncate(len);
                }
                _ => out.extend_from_slice(rest.get(..len).unwrap_or_default()),
            }
            rest = rest.get(len..).unwrap_or_default();
            let (Some(kind), Some(values)) = (kinds.next(), values.next()) else {
                continue;
            };
            match (kind, values) {
                (ColumnKind::Number, [value, ..]) => integer(*value, out),
                (ColumnKind::Flag, [value, ..]) => {
                    let text: &[u8] = if *value == 0 { b"false" } else { b"true" };
                    out.extend_from_slice(text);
                }
                (_, values) => list(values, out),
            }
        }
    }
}

/// Appends the values of a list, without its brackets.
fn list(values: &[u64], out: &mut Vec<u8>) {
    wire_chunks::<BUCKETS>(values, |chunk| {
        let all = chunk.iter().fold(0, |all, value| all | value);
        if all == 0 && chunk.len() == BUCKETS {
            out.extend_from_slice(ZEROS);
            return;
        }
        for &value in chunk.iter().rev() {
            integer(value, out);
            out.extend_from_slice(b", ");
        }
    });
    if !values.is_empty() {
        out.truncate(out.len().saturating_sub(2));
    }
}

#[inline]
fn integer(value: u64, out: &mut Vec<u8>) {
    match u8::try_from(value) {
        Ok(digit @ 0..10) => out.push(b'0' + digit),
        _ => write_digits(value, out),
    }
}
