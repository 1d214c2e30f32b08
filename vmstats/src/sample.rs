//! Values that were read of a virtual machine, with the time of reading.
//!
//! In: nothing. Out: types for values of statistics, unchanged. Nothing
//! here computes: `rates` compares samples, and `source` makes them.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use qapi_stats::stats::{
    StatsProvider, StatsSchema, StatsSchemaValue, StatsTarget, StatsType, StatsUnit,
};

/// The number of buckets that a histogram may have: KVM's have 32.
pub const BUCKETS_MAX: usize = 4096;

/// A moment in nanoseconds since 1970, on a [`Clock`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Returns the wall clock's time, which can go back.
    #[must_use]
    pub fn of_wall_clock() -> Self {
        Self(wall_nanos())
    }

    /// Returns the time since an earlier moment; zero if the other moment is later.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Returns the moment that is this much later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// Returns the moment that is this much earlier, but not before 1970.
    #[must_use]
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

/// A clock that begins with the wall clock's time and then never goes back, so that a
/// step of the wall clock changes no rate.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: u64,
    begin: Instant,
}

impl Clock {
    /// Starts the clock at the wall clock's time.
    #[must_use]
    pub fn start() -> Self {
        Self {
            begin: Instant::now(),
            wall: wall_nanos(),
        }
    }

    /// Returns the current moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp(self.wall).plus(self.begin.elapsed())
    }

    /// Returns how many nanoseconds the wall clock is ahead of this one, because it was
    /// set or slewed since the start.
    #[must_use]
    pub fn wall_ahead_nanos(&self) -> i64 {
        let difference = i128::from(wall_nanos()) - i128::from(self.now().0);
        i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
    }
}

fn wall_nanos() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    // Treat a clock before 1970 as unset, and start at 0.
    since.map_or(0, nanos)
}

/// Returns a duration in nanoseconds; one of more than 584 years is cut.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// The time in which a value was read: not before `begin`, not after `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The moment before the question.
    pub begin: Timestamp,
    /// The moment after the answer.
    pub end: Timestamp,
}

impl Window {
    /// Returns the moment in the middle.
    #[must_use]
    pub fn middle(&self) -> Timestamp {
        Timestamp(self.begin.0.midpoint(self.end.0))
    }

    /// Returns the length.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.end.since(self.begin)
    }
}

/// How the values of a statistic behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A number that only grows. Its rate is what matters.
    Counter,
    /// A number that goes up and down.
    Gauge,
    /// A truth value.
    Boolean,
    /// The highest number so far. Of several objects, only the maximum means anything.
    Peak,
    /// Counters of buckets.
    Histogram,
    /// A number of a type that this build does not know.
    Unknown,
}

/// A statistic, as its schema describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stat {
    /// The name.
    pub name: String,
    /// The description; `None` if the schema has none.
    pub schema: Option<StatsSchemaValue>,
    /// How the values behave.
    pub kind: Kind,
}

impl Stat {
    /// Makes a statistic of its description.
    #[must_use]
    pub fn new(schema: StatsSchemaValue) -> Self {
        let kind = match schema.type_ {
            _ if schema.is_histogram() => Kind::Histogram,
            _ if schema.unit == Some(StatsUnit::Boolean) => Kind::Boolean,
            StatsType::Cumulative => Kind::Counter,
            StatsType::Instant => Kind::Gauge,
            StatsType::Peak => Kind::Peak,
            _ => Kind::Unknown,
        };
        Self {
            name: schema.name.clone(),
            schema: Some(schema),
            kind,
        }
    }

    /// Makes a statistic that no schema describes.
    #[must_use]
    pub fn undescribed(name: String) -> Self {
        Self {
            name,
            schema: None,
            kind: Kind::Unknown,
        }
    }
}

/// The statistics that one provider has of one kind of object.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The provider.
    pub provider: StatsProvider,
    /// The kind of object.
    pub target: StatsTarget,
    /// The statistics, in the order of the schema. Names are unique.
    pub stats: Vec<Stat>,
}

impl Table {
    /// Makes a table of a schema. A name that comes twice counts once.
    #[must_use]
    pub fn new(schema: StatsSchema) -> Self {
        let mut seen = HashSet::new();
        let mut stats = schema.stats;
        stats.retain(|stat| seen.insert(stat.name.clone()));
        Self {
            provider: schema.provider,
            target: schema.target,
            stats: stats.into_iter().map(Stat::new).collect(),
        }
    }

    /// Returns the place of a statistic.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.stats.iter().position(|stat| stat.name == name)
    }
}

/// The identity of an object within a virtual machine, a provider and a target.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// The index of a vCPU, if the monitor tells it.
    pub index: Option<i64>,
    /// The QOM path, unless the object is the only one of its kind.
    pub qom_path: Option<String>,
}

impl fmt::Display for ObjectId {
    /// Writes the shortest name: `3`, else the QOM path, else nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.index, &self.qom_path) {
            (Some(index), _) => index.fmt(f),
            (None, Some(path)) => path.fmt(f),
            (None, None) => Ok(()),
        }
    }
}

/// A value of a statistic.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number, before the exponent of the schema is applied.
    Number(u64),
    /// A truth value.
    Boolean(bool),
    /// The counts of a histogram's buckets, the lowest bucket first.
    Buckets(Box<[u64]>),
    /// The source did not tell the value.
    Absent,
}

/// The statistics of one object at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// The meaning of the values.
    pub table: Arc<Table>,
    /// The object.
    pub id: ObjectId,
    /// The time of reading.
    pub window: Window,
    /// A value for each statistic of the table, in its order.
    pub values: Vec<Value>,
}

impl Object {
    /// Returns the value of a statistic; `None` if the table has no such statistic.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.values.get(self.table.position(name)?)
    }

    /// Returns the key by which the objects of a sample are sorted.
    #[must_use]
    pub fn order(&self) -> (&StatsTarget, &StatsProvider, &ObjectId) {
        (&self.table.target, &self.table.provider, &self.id)
    }

    /// Returns whether the other object is the same one at another time.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id
            && self.table.target == other.table.target
            && self.table.provider == other.table.provider
    }
}

/// Values that should have been read and were not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The provider of the values.
    pub provider: StatsProvider,
    /// The kind of object.
    pub target: StatsTarget,
    /// The object; `None` means all objects of the kind.
    pub object: Option<ObjectId>,
    /// The reason, for an operator.
    pub reason: String,
}

/// The statistics of one virtual machine at one time.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// The time in which everything was read.
    pub window: Window,
    /// The number of times that the virtual machine was started again while it was
    /// observed. Values of different runs cannot be compared.
    pub run: u32,
    /// The objects: the VM first, then its vCPUs by index, then others.
    pub objects: Vec<Object>,
    /// The values that could not be read.
    pub absences: Vec<Absence>,
}

/// A virtual machine, as its monitor describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// The address of the monitor. Only this is unique.
    pub endpoint: String,
    /// The name, if the virtual machine has one.
    pub name: Option<String>,
    /// The UUID, if the virtual machine has one.
    pub uuid: Option<String>,
    /// The version of the program that serves the monitor.
    pub version: String,
    /// The process that runs the virtual machine, if it is known and on this host.
    pub process: Option<u32>,
}

impl Identity {
    /// Returns a name for people: the virtual machine's own, else the last part of the
    /// endpoint.
    #[must_use]
    pub fn label(&self) -> &str {
        let name = self.name.as_deref();
        name.unwrap_or_else(|| endpoint_label(&self.endpoint))
    }
}

/// Returns a name for people of a virtual machine that has none: the last part of its
/// endpoint.
#[must_use]
pub fn endpoint_label(endpoint: &str) -> &str {
    let last = endpoint.rsplit('/').next();
    last.filter(|last| !last.is_empty()).unwrap_or(endpoint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kind_follows_from_the_schema() {
        let kind = |schema| Stat::new(schema).kind;
        assert_eq!(kind(StatsSchemaValue::cumulative("x")), Kind::Counter);
        assert_eq!(kind(StatsSchemaValue::instant("x")), Kind::Gauge);
        assert_eq!(kind(StatsSchemaValue::peak("x")), Kind::Peak);
        assert_eq!(
            kind(StatsSchemaValue::instant("x").boolean()),
            Kind::Boolean
        );
        assert_eq!(kind(StatsSchemaValue::log2_histogram("x")), Kind::Histogram);
        let newer = StatsType::Unknown("newer".into());
        assert_eq!(kind(StatsSchemaValue::new("x", newer)), Kind::Unknown);
    }

    #[test]
    fn clock_goes_on_from_the_wall_clock() {
        let clock = Clock::start();
        let (first, second) = (clock.now(), clock.now());
        assert!(first <= second);
        assert!(clock.wall_ahead_nanos().abs() < 10_000_000_000);
    }
}
