//! A column: one statistic, and its place in the rows of many objects.
//!
//! In: a name and the indexes of values. Out: the values of that statistic in
//! any row. This file knows no sink.

use std::ops::Range;

/// One statistic: its name, and the indexes of its values in a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    name: Box<str>,
    kind: ColumnKind,
    first: usize,
    len: usize,
}

/// The method of [`StatsSink`](super::StatsSink) that takes a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnKind {
    /// The values are written with `scalar`.
    Number,
    /// The values are written with `boolean`.
    Flag,
    /// The values are written with `histogram`.
    List,
}

impl Column {
    /// Creates a column whose value, at `index`, is written with
    /// [`StatsSink::scalar`](super::StatsSink::scalar).
    #[must_use]
    pub fn number(name: impl Into<Box<str>>, index: usize) -> Self {
        Self::new(name.into(), ColumnKind::Number, index, 1)
    }

    /// Creates a column that is true if the value at `index` is not 0. It is
    /// written with [`StatsSink::boolean`](super::StatsSink::boolean).
    #[must_use]
    pub fn flag(name: impl Into<Box<str>>, index: usize) -> Self {
        Self::new(name.into(), ColumnKind::Flag, index, 1)
    }

    /// Creates a column with several values, the lowest bucket first. They are
    /// written with [`StatsSink::histogram`](super::StatsSink::histogram). A list
    /// of one value is a [number](Self::number).
    #[must_use]
    pub fn list(name: impl Into<Box<str>>, indexes: Range<usize>) -> Self {
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

    /// Returns the statistic's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the indexes of the statistic's values in a row.
    #[must_use]
    pub fn indexes(&self) -> Range<usize> {
        self.first..self.first.saturating_add(self.len)
    }

    /// Returns whether the statistic is true or false.
    #[must_use]
    pub fn is_flag(&self) -> bool {
        self.kind == ColumnKind::Flag
    }

    pub(super) fn kind(&self) -> ColumnKind {
        self.kind
    }

    /// Returns the number of values that a row needs for this column.
    pub(super) fn end(&self) -> usize {
        if self.len == 0 {
            return 0;
        }
        self.first.saturating_add(self.len)
    }

    /// Returns the statistic's values in a row, which must be wide enough.
    #[inline]
    pub(super) fn values<'v>(&self, row: &'v [u64]) -> &'v [u64] {
        let values = row.get(self.first..).unwrap_or_default();
        values.get(..self.len).unwrap_or_default()
    }
}
