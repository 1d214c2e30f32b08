//! Rows: the values of objects that all have the same statistics.
//!
//! In: columns, which a provider knows before it reads values. Out: the columns
//! with prepared text, and rows of values for them. The gain: names are looked
//! up and encoded once for many objects. This file knows no provider.

use std::sync::Arc;

use super::column::Column;
use super::row_json::RowJson;

/// The statistics of objects of one kind, prepared so that a [row](Row) of
/// their values can be written as a whole.
///
/// ```
/// use std::sync::Arc;
/// use stats_runtime::sink::{Column, Columns, JsonResults, Row};
/// use stats_runtime::StatsSink;
///
/// let columns = Arc::new(Columns::new([
///     Column::number("exits", 0),
///     Column::list("sizes", 1..3),
/// ]));
/// let mut text = Vec::new();
/// let mut writer = qapi_stats::wire::Writer::new(&mut text);
/// let mut sink = JsonResults::new(&mut writer);
/// sink.row(None, &Row::new(&columns, &[7, 1, 2]).unwrap());
/// sink.finish();
/// assert_eq!(
///     str::from_utf8(&text).unwrap(),
///     "[{\"provider\": \"kvm\", \"stats\": [{\"name\": \"exits\", \"value\": 7}, \
///      {\"name\": \"sizes\", \"value\": [2, 1]}]}]"
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    columns: Box<[Column]>,
    width: usize,
    json: RowJson,
}

impl Columns {
    /// Prepares columns. Clients see them in this order.
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        let columns: Box<[Column]> = columns.into_iter().collect();
        Self {
            width: columns.iter().map(Column::end).max().unwrap_or(0),
            json: RowJson::new(&columns),
            columns,
        }
    }

    /// Returns the columns whose names `is_wanted` accepts.
    #[must_use]
    pub fn only(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let wanted = self
            .columns
            .iter()
            .filter(|column| is_wanted(column.name()));
        Self::new(wanted.cloned())
    }

    /// Returns the number of values that a row must have at least.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns whether the list of columns is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// Returns the columns in their order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Column> {
        self.columns.iter()
    }

    pub(super) fn json(&self) -> &RowJson {
        &self.json
    }
}

/// The values of one object.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    columns: &'a Arc<Columns>,
    values: &'a [u64],
}

impl<'a> Row<'a> {
    /// Creates a row. Returns `None` if there are fewer values than the columns'
    /// [width](Columns::width).
    #[must_use]
    #[inline]
    pub fn new(columns: &'a Arc<Columns>, values: &'a [u64]) -> Option<Self> {
        (values.len() >= columns.width).then_some(Self { columns, values })
    }

    /// Returns the columns of the row.
    #[must_use]
    #[inline]
    pub fn columns(&self) -> &'a Arc<Columns> {
        self.columns
    }

    /// Returns all values, including values of no column.
    #[must_use]
    #[inline]
    pub fn values(&self) -> &'a [u64] {
        self.values
    }
}
