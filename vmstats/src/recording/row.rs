//! The rows of a recording.
//!
//! In: samples. Out: a row for each object of a sample, and the names of the columns. This
//! file knows neither JSON nor Parquet.

use std::collections::HashSet;
use std::sync::Arc;

use qapi_stats::stats::{StatsProvider, StatsSchema, StatsSchemaValue, StatsTarget, StatsType};

use qapi_stats::wire::{Context, from_json, to_json};

use crate::sample::{BUCKETS_MAX, Object, Stat, Table, Timestamp, Value};

/// The columns that every row has, before those of the statistics.
pub const FIXED: [&str; 12] = [
    "sample", "t0", "t1", "vm", "run", "provider", "target", "variant", "vcpu", "object", "event",
    "text",
];

/// The statistics of an object at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// The number of the sample that the object is part of.
    pub sample: u64,
    /// The name of the virtual machine, which is unique in the recording.
    pub vm: Arc<str>,
    /// The run of the virtual machine: see [`Sample::run`](crate::sample::Sample::run).
    pub run: u32,
    /// The object with its values.
    pub object: Object,
}

/// The kind of an event in a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A monitor answered. The text is the version of its program.
    Connected,
    /// A monitor could not be asked, for the reason in the text.
    Failed,
    /// A virtual machine was started again. The text is the number of its run.
    Restarted,
    /// The socket of a monitor is gone.
    Gone,
    /// The text lists as JSON what cannot be read from now on; an empty list means that
    /// everything can be read.
    Absent,
    /// The wall clock was set. The text says by how much.
    Clock,
    /// Samples were lost, for the reason in the text.
    Lost,
}

impl EventKind {
    /// All kinds.
    pub const ALL: [Self; 7] = [
        Self::Connected,
        Self::Failed,
        Self::Restarted,
        Self::Gone,
        Self::Absent,
        Self::Clock,
        Self::Lost,
    ];

    /// Returns the name in files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Failed => "failed",
            Self::Restarted => "restarted",
            Self::Gone => "gone",
            Self::Absent => "absent",
            Self::Clock => "clock",
            Self::Lost => "lost",
        }
    }

    /// Returns the kind with a name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An event in a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The moment.
    pub time: Timestamp,
    /// The virtual machine; `None` if the event is about the recording.
    pub vm: Option<Arc<str>>,
    /// The kind.
    pub kind: EventKind,
    /// The text: see [`EventKind`].
    pub text: String,
}

/// The statistics of a provider and a target in a recording, with a column for each.
#[derive(Clone, Debug, PartialEq)]
pub struct Layout {
    /// The statistics.
    pub table: Arc<Table>,
    /// The number that tells tables of one provider and target apart whose statistics
    /// contradict each other; usually 0.
    pub variant: u32,
    /// The name of the column of each statistic, in the order of the table.
    pub columns: Vec<String>,
}

impl Layout {
    /// Makes the layout of a table.
    #[must_use]
    pub fn new(table: Arc<Table>, variant: u32) -> Self {
        Self {
            columns: columns(&table),
            table,
            variant,
        }
    }

    /// Returns whether the layout is for rows of this kind.
    #[must_use]
    pub fn is_for(&self, provider: &StatsProvider, target: &StatsTarget, variant: u32) -> bool {
        self.table.provider == *provider && self.table.target == *target && self.variant == variant
    }

    /// Returns the table with the statistics of another one added. Returns `None` if the
    /// two describe a statistic in different ways.
    #[must_use]
    pub fn merged(&self, other: &Table) -> Option<Self> {
        if self.table.provider != other.provider || self.table.target != other.target {
            return None;
        }
        let mut stats = self.table.stats.clone();
        for stat in &other.stats {
            match stats.iter_mut().find(|known| known.name == stat.name) {
                Some(known) if known == stat => {}
                Some(known) if known.schema.is_none() => *known = stat.clone(),
                Some(_) if stat.schema.is_none() => {}
                Some(_) => return None,
                None => stats.push(stat.clone()),
            }
        }
        let table = Table {
            provider: self.table.provider.clone(),
            target: self.table.target.clone(),
            stats,
        };
        Some(Self::new(Arc::new(table), self.variant))
    }

    /// Returns whether the layout has a column for every statistic of a table.
    #[must_use]
    pub fn covers(&self, table: &Arc<Table>) -> bool {
        let is_same = self.table.provider == table.provider && self.table.target == table.target;
        let has = |stat: &Stat| {
            let mut known = self.table.stats.iter();
            known.any(|known| known.name == stat.name && known.schema == stat.schema)
        };
        Arc::ptr_eq(&self.table, table) || is_same && table.stats.iter().all(has)
    }

    /// Returns the description of the table as a monitor tells it. A statistic without
    /// a description is of the type `unknown`.
    #[must_use]
    pub fn schema(&self) -> StatsSchema {
        let of_stat = |stat: &Stat| {
            let unknown = || {
                let type_ = StatsType::Unknown("unknown".into());
                StatsSchemaValue::new(stat.name.clone(), type_)
            };
            stat.schema.clone().unwrap_or_else(unknown)
        };
        StatsSchema {
            provider: self.table.provider.clone(),
            target: self.table.target.clone(),
            stats: self.table.stats.iter().map(of_stat).collect(),
        }
    }
}

/// Returns the layouts as JSON: a list of schemas, as `query-stats-schemas` has them. The
/// variants follow from the order.
#[must_use]
pub fn layouts_json(layouts: &[Layout]) -> String {
    let schemas: Vec<StatsSchema> = layouts.iter().map(Layout::schema).collect();
    to_json(&schemas)
}

/// Reads layouts from JSON.
///
/// # Errors
///
/// Returns the reason if the text is another one.
pub fn layouts_from_json(text: &[u8]) -> Result<Vec<Layout>, String> {
    let schemas: Vec<StatsSchema> =
        from_json(text, &Context::tolerant()).map_err(|error| error.to_string())?;
    let mut layouts: Vec<Layout> = Vec::new();
    for schema in schemas {
        let table = Table::new(schema);
        let same = layouts.iter().filter(|layout| {
            layout.table.provider == table.provider && layout.table.target == table.target
        });
        let variant = u32::try_from(same.count()).map_err(|_| "too many tables")?;
        layouts.push(Layout::new(Arc::new(table), variant));
    }
    Ok(layouts)
}

/// Returns the value of a histogram. One with more buckets than a monitor may tell is
/// absent, so that the other values of the recording can be read.
#[must_use]
pub fn buckets(counts: Vec<u64>) -> Value {
    if counts.len() > BUCKETS_MAX {
        Value::Absent
    } else {
        Value::Buckets(counts.into())
    }
}

/// Sorts rows so that those of one object follow each other in time: their counters then
/// differ little from row to row.
pub fn sort(rows: &mut [(usize, Row)]) {
    rows.sort_by(|(left_layout, left), (right_layout, right)| {
        let key = |layout: &usize, row: &Row| (*layout, Arc::clone(&row.vm));
        key(left_layout, left)
            .cmp(&key(right_layout, right))
            .then_with(|| left.object.id.cmp(&right.object.id))
            .then_with(|| left.object.window.begin.cmp(&right.object.window.begin))
    });
}

/// Returns the name of each statistic's column: the statistic's own, with underscores
/// after it if another column has the name. Letters of either case are the same to
/// readers that know SQL.
fn columns(table: &Table) -> Vec<String> {
    let mut taken: HashSet<String> = FIXED.iter().map(|name| (*name).to_owned()).collect();
    let mut unique = |name: &str| {
        let mut name = name.to_owned();
        while !taken.insert(name.to_lowercase()) {
            name.push('_');
        }
        name
    };
    table.stats.iter().map(|stat| unique(&stat.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(stats: impl IntoIterator<Item = StatsSchemaValue>) -> Table {
        Table {
            provider: StatsProvider::Kvm,
            target: StatsTarget::Vcpu,
            stats: stats.into_iter().map(Stat::new).collect(),
        }
    }

    #[test]
    fn columns_are_unique_whatever_the_statistics_are_called() {
        let names = ["exits", "vm", "Exits", "t0", "t0_"];
        let table = table(names.map(StatsSchemaValue::cumulative));
        let layout = Layout::new(Arc::new(table), 0);
        assert_eq!(layout.columns, ["exits", "vm_", "Exits_", "t0_", "t0__"]);
    }

    #[test]
    fn tables_are_merged_unless_they_contradict_each_other() {
        let of = |name: &str| StatsSchemaValue::cumulative(name);
        let layout = Layout::new(Arc::new(table([of("a"), of("b")])), 0);
        let merged = layout.merged(&table([of("c"), of("a")])).unwrap();
        assert_eq!(merged.columns, ["a", "b", "c"]);
        assert_eq!(layout.merged(&table([of("a").seconds(-9)])), None);
        assert_eq!(
            layout.merged(&table([StatsSchemaValue::instant("a")])),
            None
        );
    }
}
