//! A declarative provider: each statistic is declared once, with its description and
//! the place of its value, so that schema and values cannot drift apart.
//!
//! In: declarations. Out: a [`Provider`]. This file knows no client.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use qapi_stats::stats::{StatsSchemaValue, StatsTarget, StatsType, StatsUnit};

use crate::provider::{Provider, ProviderError, SchemaSink, StatsQuery, StatsSink};

/// The statistics of a component, declared with their values.
///
/// A device of its own is an [object](Self::object) with a QOM path, conventionally
/// `/machine/peripheral/ID`; statistics that were declared before the first object are
/// those of the target as a whole. All objects of a set may have different statistics.
///
/// A value that is `None` is left out of the answer: a latency before the first
/// operation, for example. A lowest value, for which the interface has no type, is
/// best left out as well, or published as a histogram.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::AtomicU64;
///
/// use qapi_stats::stats::StatsSchemaValue;
/// use stats_runtime::{Log2Histogram, Registration, Registry, StatsSet};
///
/// let read_bytes = Arc::new(AtomicU64::new(0));
/// let latency = Arc::new(Log2Histogram::new(40));
/// let disks = StatsSet::new("block")
///     .object("/machine/peripheral/disk0")
///     .counter(StatsSchemaValue::cumulative("read-bytes").bytes(), read_bytes)
///     .value(StatsSchemaValue::instant("queue-depth"), || Some(3))
///     .histogram(StatsSchemaValue::log2_histogram("latency").seconds(-9), latency);
/// let registry = Registry::new();
/// registry.register_with("block", disks, Registration::new().only_when_named())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct StatsSet {
    target: StatsTarget,
    objects: Vec<Object>,
}

/// An object with its statistics.
struct Object {
    qom_path: Option<String>,
    statistics: Vec<Statistic>,
}

struct Statistic {
    description: StatsSchemaValue,
    write: WriteValue,
}

/// A function that writes a value under a name.
type WriteValue = Box<dyn Fn(&str, &mut dyn StatsSink) + Send + Sync>;

impl fmt::Debug for StatsSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let paths = self.objects.iter().map(|object| object.qom_path.as_deref());
        f.debug_list().entries(paths).finish()
    }
}

impl StatsSet {
    /// Creates a set for a target: `StatsTarget::Vm`, or a name that the schema need not
    /// have.
    #[must_use]
    pub fn new(target: impl Into<StatsTarget>) -> Self {
        Self {
            target: target.into(),
            objects: Vec::new(),
        }
    }

    /// Begins an object, to which the following statistics belong.
    #[must_use]
    pub fn object(mut self, qom_path: impl Into<String>) -> Self {
        self.objects.push(Object {
            qom_path: Some(qom_path.into()),
            statistics: Vec::new(),
        });
        self
    }

    /// Declares a statistic with one number, which a function returns. The function may
    /// be called from any thread. `None` leaves the statistic out of the answer.
    #[must_use]
    pub fn value(
        self,
        description: StatsSchemaValue,
        value: impl Fn() -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        let is_boolean = description.unit == Some(StatsUnit::Boolean);
        self.statistic(description, move |name, sink| match value() {
            Some(value) if is_boolean => sink.boolean(name, value != 0),
            Some(value) => sink.scalar(name, value),
            None => {}
        })
    }

    /// Declares a statistic whose number other threads change.
    #[must_use]
    pub fn counter(self, description: StatsSchemaValue, value: Arc<AtomicU64>) -> Self {
        self.value(description, move || Some(value.load(Ordering::Relaxed)))
    }

    /// Declares a histogram that other threads feed. The description is made one of a
    /// log2 histogram.
    #[must_use]
    pub fn histogram(
        self,
        mut description: StatsSchemaValue,
        histogram: Arc<Log2Histogram>,
    ) -> Self {
        description.type_ = StatsType::Log2Histogram;
        description.bucket_size = None;
        self.statistic(description, move |name, sink| {
            sink.histogram(name, &histogram.buckets());
        })
    }

    fn statistic(
        mut self,
        description: StatsSchemaValue,
        write: impl Fn(&str, &mut dyn StatsSink) + Send + Sync + 'static,
    ) -> Self {
        let statistic = Statistic {
            description,
            write: Box::new(write),
        };
        match self.objects.last_mut() {
            Some(object) => object.statistics.push(statistic),
            None => self.objects.push(Object {
                qom_path: None,
                statistics: vec![statistic],
            }),
        }
        self
    }
}

impl Provider for StatsSet {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        if *query.target() != self.target {
            return Ok(());
        }
        // QEMU's lists grow at their head, so the last object comes first.
        for object in self.objects.iter().rev() {
            sink.result(object.qom_path.as_deref());
            for Statistic { description, write } in &object.statistics {
                if query.wants_name(&description.name) {
                    write(&description.name, sink);
                }
            }
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        sink.schema(self.target.clone());
        let mut described: Vec<&StatsSchemaValue> = Vec::new();
        for statistic in self.objects.iter().flat_map(|object| &object.statistics) {
            let description = &statistic.description;
            // Objects of one kind declare the same statistics; clients expect each name
            // once.
            if !described.iter().any(|other| other.name == description.name) {
                sink.stat(description);
                described.push(description);
            }
        }
        Ok(())
    }
}

/// A log2 histogram that many threads feed, without a lock: bucket 0 counts the value
/// 0, bucket i the values from 2^(i-1) to below 2^i, and the last bucket everything
/// above as well.
#[derive(Debug)]
pub struct Log2Histogram {
    buckets: Box<[AtomicU64]>,
}

impl Log2Histogram {
    /// Creates a histogram with `buckets` buckets, at least one and at most 65.
    #[must_use]
    pub fn new(buckets: usize) -> Self {
        let buckets = buckets.clamp(1, BUCKETS_MAX);
        Self {
            buckets: (0..buckets).map(|_| AtomicU64::new(0)).collect(),
        }
    }

    /// Counts a value.
    pub fn observe(&self, value: u64) {
        let index = (u64::BITS - value.leading_zeros()) as usize;
        let bucket = self.buckets.get(index).or(self.buckets.last());
        if let Some(bucket) = bucket {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Returns the counts, that of the lowest bucket first.
    #[must_use]
    pub fn buckets(&self) -> Vec<u64> {
        let count = |bucket: &AtomicU64| bucket.load(Ordering::Relaxed);
        self.buckets.iter().map(count).collect()
    }
}

/// The number of buckets that 64-bit values need: one for 0, and one for each bit.
const BUCKETS_MAX: usize = 65;
