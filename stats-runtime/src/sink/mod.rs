//! The sinks that statistics are written into: their traits, and the two of
//! every query, typed results and JSON text.
//!
//! In: the calls of a provider. Out: `Vec<StatsResult>`, or bytes in a reply,
//! with the same content. This module knows no provider and no filter.

mod column;
mod json;
mod row;
mod row_json;
mod typed;
mod wire_order;

use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};

pub use column::Column;
use column::ColumnKind;
pub use json::{JsonResults, JsonSchemas};
pub use row::{Columns, Row};
pub use typed::{TypedResults, TypedSchemas, add_stats_entry, add_stats_schema};

/// Takes the values that a provider writes: first an object, then the
/// statistics of that object.
pub trait StatsSink {
    /// Begins the statistics of an object: of the vCPU or device at `qom_path`,
    /// or of the VM if `qom_path` is `None`. Clients do not see an object
    /// without statistics.
    fn result(&mut self, qom_path: Option<&str>);

    /// Adds a statistic that has one value.
    fn scalar(&mut self, name: &str, value: u64);

    /// Adds a statistic that is true or false.
    fn boolean(&mut self, name: &str, value: bool);

    /// Adds a statistic that has several values: a histogram or another list.
    ///
    /// A histogram's lowest bucket comes first here. Clients get the highest
    /// bucket first, as from QEMU. A list of one value is a scalar; a list
    /// without values is an empty list.
    fn histogram(&mut self, name: &str, buckets: &[u64]);

    /// Writes an object with all of its statistics at once.
    ///
    /// The effect is that of [`result`](Self::result) and of one call for each
    /// statistic. The work that is the same for every object was done when the
    /// row's [`Columns`] were made.
    fn row(&mut self, qom_path: Option<&str>, row: &Row<'_>) {
        self.result(qom_path);
        row.write_each(self);
    }
}

/// Takes the descriptions that a provider writes: first a target, then the
/// statistics of that target.
pub trait SchemaSink {
    /// Begins the schema of `target`. Clients also see a target without
    /// statistics.
    fn schema(&mut self, target: StatsTarget);

    /// Describes a statistic.
    fn stat(&mut self, stat: &StatsSchemaValue);
}

/// A sink for the results of several providers, one provider after the other.
pub trait ResultsSink: StatsSink {
    /// Begins the results of the provider called `name`.
    fn provider(&mut self, name: &StatsProvider);

    /// Returns whether the sink ignores further results, so that no further
    /// provider needs to be asked. The caller then discards the sink's
    /// content.
    fn is_full(&self) -> bool {
        false
    }
}

/// A sink for the schemas of several providers, one provider after the other.
pub trait SchemasSink: SchemaSink {
    /// Begins the schemas of the provider called `name`.
    fn provider(&mut self, name: &StatsProvider);
}

impl Row<'_> {
    /// Writes each statistic with a call of its own. The caller has begun the
    /// object.
    pub fn write_each<S: StatsSink + ?Sized>(&self, sink: &mut S) {
        for column in self.columns().iter() {
            let (name, values) = (column.name(), column.values(self.values()));
            match (column.kind(), values) {
                (ColumnKind::Flag, [value, ..]) => sink.boolean(name, *value != 0),
                (ColumnKind::Number, [value, ..]) => sink.scalar(name, *value),
                (_, values) => sink.histogram(name, values),
            }
        }
    }
}
