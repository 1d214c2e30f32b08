//! A row of values as JSON: what stands between two values is prepared once.
//!
//! In: columns, then rows of values. Out: JSON text of all statistics, without
//! the brackets around them. Nothing is allocated, and nothing looked up.

use qapi_stats::wire::json::write_digits;
use qapi_stats::wire::to_json;

use super::column::{Column, ColumnKind};
use super::wire_order::wire_chunks;

/// What stands before, between and behind the values of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RowJson {
    /// All pieces in a row, and then as many bytes as are copied at once.
    bytes: Box<[u8]>,
    /// Where the pieces end: one before each column's value, and one behind
    /// the last.
    ends: Box<[u32]>,
    kinds: Box<[ColumnKind]>,
    /// Bytes of a row, at most.
    len_max: usize,
}

/// Bytes that are copied at once: so many need no call, and hold nearly every
/// piece. What is beyond the piece is overwritten by the next.
const CHUNK: usize = 64;

/// Zeros in a list that are written at once: most buckets are empty.
const ZEROS: &[u8; 24] = b"0, 0, 0, 0, 0, 0, 0, 0, ";

/// As many buckets.
const BUCKETS: usize = 8;

/// A value, and what stands behind it.
const VALUE_LEN_MAX: usize = u64::MAX.ilog10() as usize + 1 + ", ".len();

impl RowJson {
    pub(super) fn new(columns: &[Column]) -> Self {
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(columns.len() + 1);
        let mut behind = "";
        for (index, column) in columns.iter().enumerate() {
            bytes.extend_from_slice(behind.as_bytes());
            let before: &[u8] = if index == 0 { b"" } else { b", " };
            bytes.extend_from_slice(before);
            bytes.extend_from_slice(b"{\"name\": ");
            bytes.extend_from_slice(to_json(column.name()).as_bytes());
            bytes.extend_from_slice(b", \"value\": ");
            if column.kind() == ColumnKind::List {
                bytes.push(b'[');
                behind = "]}";
            } else {
                behind = "}";
            }
            ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        }
        bytes.extend_from_slice(behind.as_bytes());
        ends.push(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        bytes.extend_from_slice(&[0; CHUNK]);
        // Columns may share values.
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

    /// Bytes of a row, at most.
    pub(super) fn len_max(&self) -> usize {
        self.len_max
    }

    /// Writes the statistics of a row.
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

/// Writes the values of a list, without its brackets.
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
