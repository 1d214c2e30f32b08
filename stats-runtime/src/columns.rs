//! Statistics that come in the same shape again and again: names once, values
//! as a row of numbers each time.
//!
//! In: what a provider knows of an object's statistics before it reads them.
//! Out: columns, prepared for every sink, and rows of values under them. It
//! knows neither where values come from nor what a sink makes of them.

use std::sync::Arc;

use crate::provider::StatsSink;
use crate::sink::RowText;

/// The statistics that objects of one kind have, prepared so that a
/// [row](Row) of their values can be written as a whole.
///
/// ```
/// use std::sync::Arc;
/// use stats_runtime::columns::{Column, Columns, Row};
/// use stats_runtime::sink::JsonResults;
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
    text: RowText,
}

/// One statistic: its name, and where in a row its values are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    name: Box<str>,
    kind: ColumnKind,
    first: usize,
    len: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    Number,
    Flag,
    List,
}

impl Column {
    /// A statistic with one value, the one at `index`:
    /// [`StatsSink::scalar`].
    #[must_use]
    pub fn number(name: impl Into<Box<str>>, index: usize) -> Self {
        Self::new(name.into(), ColumnKind::Number, index, 1)
    }

    /// A statistic that is true if the value at `index` is not 0:
    /// [`StatsSink::boolean`].
    #[must_use]
    pub fn flag(name: impl Into<Box<str>>, index: usize) -> Self {
        Self::new(name.into(), ColumnKind::Flag, index, 1)
    }

    /// A statistic with several values, the lowest bucket first:
    /// [`StatsSink::histogram`]. With one value it is a
    /// [number](Self::number).
    #[must_use]
    pub fn list(name: impl Into<Box<str>>, indexes: std::ops::Range<usize>) -> Self {
        let kind = match indexes.len() {
            1 => ColumnKind::Number,
            _ => ColumnKind::List,
        };
        Self::new(name.into(), kind, indexes.start, indexes.len())
    }

    fn new(name: Box<str>, kind: ColumnKind, first: usize, len: usize) -> Self {
        Self {
            name,
            kind,
            first,
            len,
        }
    }

    /// The statistic's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where in a row its values are.
    #[must_use]
    pub fn indexes(&self) -> std::ops::Range<usize> {
        self.first..self.first.saturating_add(self.len)
    }

    /// Whether it is true or false.
    #[must_use]
    pub fn is_flag(&self) -> bool {
        self.kind == ColumnKind::Flag
    }

    pub(crate) fn kind(&self) -> ColumnKind {
        self.kind
    }

    /// Behind its last value in a row.
    fn end(&self) -> usize {
        if self.len == 0 {
            return 0;
        }
        self.first.saturating_add(self.len)
    }

    /// Its values in a row that is wide enough.
    #[inline]
    pub(crate) fn values<'v>(&self, row: &'v [u64]) -> &'v [u64] {
        let values = row.get(self.first..).unwrap_or_default();
        values.get(..self.len).unwrap_or_default()
    }
}

impl Columns {
    /// Prepares columns, in the order in which clients are to see them.
    #[must_use]
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Self {
        let columns: Box<[Column]> = columns.into_iter().collect();
        Self {
            width: columns.iter().map(Column::end).max().unwrap_or(0),
            text: RowText::new(&columns),
            columns,
        }
    }

    /// Those of these columns that are wanted.
    #[must_use]
    pub fn only(&self, is_wanted: impl Fn(&str) -> bool) -> Self {
        let wanted = self.columns.iter().filter(|column| is_wanted(&column.name));
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

    pub(crate) fn text(&self) -> &RowText {
        &self.text
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

    /// Writes each statistic by itself, of an object that has been begun.
    pub fn write_each<S: StatsSink + ?Sized>(&self, sink: &mut S) {
        for column in &self.columns.columns {
            let values = column.values(self.values);
            match (column.kind, values) {
                (ColumnKind::Flag, [value, ..]) => sink.boolean(&column.name, *value != 0),
                (ColumnKind::Number, [value, ..]) => sink.scalar(&column.name, *value),
                (_, values) => sink.histogram(&column.name, values),
            }
        }
    }
}
