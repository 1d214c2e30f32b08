//! Statistics that come in the same shape again and again: names once, values
//! as a row of numbers each time.
//!
//! In: what a provider knows of an object's statistics before it reads them.
//! Out: columns, prepared for every sink, and rows of values under them. It
//! knows neither where values come from nor what a sink makes of them.

use std::sync::Arc;

use super::column::Column;
use super::row_json::RowJson;

/// The statistics that objects of one kind have, prepared so that a
/// [row](Row) of their values can be written as a whole.
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
    /// Prepares columns, in the order in which clients are to see them.
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        let columns: Box<[Column]> = columns.into_iter().collect();
        Self {
            width: columns.iter().map(Column::end).max().unwrap_or(0),
            json: RowJson::new(&columns),
            columns,
        }
    }

    /// Those of these columns that are wanted.
    #[must_use]
    pub fn only(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let wanted = self
            .columns
            .iter()
            .filter(|column| is_wanted(column.name()));
        Self::new(wanted.cloned())
    }

    /// How many values a row needs to have. It may have more.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The columns.
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
    /// A row of `values`; `None` if there are fewer than the columns'
    /// [width](Columns::width).
    #[must_use]
    #[inline]
    pub fn new(columns: &'a Arc<Columns>, values: &'a [u64]) -> Option<Self> {
        (values.len() >= columns.width).then_some(Self { columns, values })
    }

    /// What the values mean.
    #[must_use]
    #[inline]
    pub fn columns(&self) -> &'a Arc<Columns> {
        self.columns
    }

    /// All values, those of no column included.
    #[must_use]
    #[inline]
    pub fn values(&self) -> &'a [u64] {
        self.values
    }
}
