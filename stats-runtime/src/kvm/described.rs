//! A layout of the kernel's as clients see it: schema entries, and columns of a row.
//!
//! In: a checked layout. Out: the statistics in the order of the wire, in QAPI's
//! types. This file reads no fd.

use std::sync::Arc;

use kvm_stats::{DataBlock, Kind, Layout, Statistic, Unit};
use qapi_stats::stats::{StatsSchemaValue, StatsType, StatsUnit};

use crate::provider::StatsQuery;
use crate::sink::{Column, Columns, Row, StatsSink};

/// The bytes of a statistic's prepared JSON without its name.
const JSON_BYTES: usize = 40;

/// A layout with its statistics as clients see them.
#[derive(Clone, Debug)]
pub struct DescribedLayout {
    pub(super) layout: Layout,
    /// The statistics in reverse descriptor order, which is the order on the wire,
    /// because QEMU prepends to its lists.
    schema: Box<[StatsSchemaValue]>,
    /// The statistics as columns of a data block. Columns are prepared once for a
    /// layout, so that a row costs one call of the sink; the price is a second list
    /// of the statistics in each layout.
    columns: Arc<Columns>,
}

impl From<Layout> for DescribedLayout {
    fn from(layout: Layout) -> Self {
        let statistics = || layout.statistics().iter().rev();
        let columns: Vec<Column> = statistics().map(column).collect();
        Self {
            schema: statistics().map(schema_value).collect(),
            columns: Arc::new(Columns::new(columns)),
            layout,
        }
    }
}

impl DescribedLayout {
    /// Returns the schema entries of all statistics in the order in which values are
    /// written: the last descriptor first.
    pub fn schema(&self) -> impl ExactSizeIterator<Item = &StatsSchemaValue> {
        self.schema.iter()
    }

    /// Writes the values in the words of a data block to a sink whose result the
    /// caller has begun. Writes nothing if there are fewer words than the layout
    /// needs.
    ///
    /// A statistic whose unit is boolean is `true` if any bit of its first value is
    /// set. Any other statistic is a scalar if it has one value, and otherwise a
    /// list. Like QEMU, this looks at the number of values alone, so a histogram
    /// with one bucket is a scalar.
    pub fn write_values(&self, words: &[u64], sink: &mut dyn StatsSink) {
        if let Some(row) = Row::new(&self.columns, words) {
            row.write_each(sink);
        }
    }

    /// Returns the most bytes that the layout takes: the fixed parts of each statistic,
    /// and its name, which JSON may write six times as long.
    pub(super) fn bytes(&self) -> usize {
        let fixed = size_of::<Statistic>() + size_of::<StatsSchemaValue>() + size_of::<Column>();
        let of = |stat: &Statistic| fixed + JSON_BYTES + 9 * stat.name().len();
        self.layout.statistics().iter().map(of).sum()
    }

    /// Returns whether `query` wants any of this layout's statistics.
    pub(super) fn has_any_of(&self, query: &StatsQuery<'_>) -> bool {
        let mut columns = self.columns.iter();
        columns.any(|column| query.wants_name(column.name()))
    }

    /// Writes the values of a block that was read with this layout as a row.
    #[inline]
    pub(super) fn write_row(
        &self,
        qom_path: Option<&str>,
        block: &DataBlock,
        sink: &mut dyn StatsSink,
    ) {
        let row = Row::new(&self.columns, block.words());
        debug_assert!(row.is_some(), "a block that was read is long enough");
        if let Some(row) = row {
            sink.row(qom_path, &row);
        }
    }
}

fn column(statistic: &Statistic) -> Column {
    let words = statistic.words();
    if statistic.unit() == Unit::Boolean && !words.is_empty() {
        Column::flag(statistic.name(), words.start)
    } else {
        Column::list(statistic.name(), words)
    }
}

fn schema_value(statistic: &Statistic) -> StatsSchemaValue {
    let exponent = statistic.exponent();
    StatsSchemaValue::new(statistic.name(), stats_type(statistic.kind()))
        .in_unit(stats_unit(statistic.unit()))
        .scaled(
            (exponent != 0).then_some(statistic.base().number()),
            exponent,
        )
        .with_bucket_size(statistic.bucket_size())
}

/// Returns the QAPI type of a kind. A kind that this library does not know yet goes
/// to clients by its name.
fn stats_type(kind: Kind) -> StatsType {
    match kind {
        Kind::Cumulative => StatsType::Cumulative,
        Kind::Instant => StatsType::Instant,
        Kind::Peak => StatsType::Peak,
        Kind::LinearHistogram => StatsType::LinearHistogram,
        Kind::Log2Histogram => StatsType::Log2Histogram,
        other => format!("{other:?}").into(),
    }
}

/// Returns the QAPI unit, or `None` for plain numbers.
fn stats_unit(unit: Unit) -> Option<StatsUnit> {
    Some(match unit {
        Unit::None => return None,
        Unit::Bytes => StatsUnit::Bytes,
        Unit::Seconds => StatsUnit::Seconds,
        Unit::Cycles => StatsUnit::Cycles,
        Unit::Boolean => StatsUnit::Boolean,
        other => format!("{other:?}").into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_unit_of_the_kernel_is_one_of_the_schema() {
        let types: Vec<_> = Kind::ALL.iter().copied().map(stats_type).collect();
        assert_eq!(types, StatsType::ALL);
        let mut units: Vec<_> = Unit::ALL.iter().copied().filter_map(stats_unit).collect();
        units.sort_unstable();
        let mut listed = StatsUnit::ALL.to_vec();
        listed.sort_unstable();
        assert_eq!(units, listed);
    }
}
