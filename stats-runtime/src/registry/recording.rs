//! Recordings of a provider's calls, which are replayed if the provider was in
//! time.
//!
//! In: calls on a sink. Out: the same calls on another sink. All names share one
//! string and all buckets one vector, so that a statistic costs no allocation.

use std::ops::Range;

use qapi_stats::stats::{StatsSchemaValue, StatsTarget};

use crate::sink::{SchemaSink, StatsSink};

/// The number of calls that are recorded. A provider that makes more calls has
/// failed.
const ENTRIES_MAX: usize = 1 << 20;

/// The number of bytes of all names, and of all buckets, that are recorded.
const LENGTH_MAX: usize = 16 << 20;

/// A recording of results.
#[derive(Debug, Default)]
pub(super) struct Recording {
    entries: Vec<Entry>,
    text: String,
    numbers: Vec<u64>,
    overflowed: bool,
}

#[derive(Debug)]
enum Entry {
    Result(Option<Range<usize>>),
    Scalar(Range<usize>, u64),
    Boolean(Range<usize>, bool),
    Histogram(Range<usize>, Range<usize>),
}

impl Recording {
    /// Returns whether every call was recorded.
    pub(super) fn is_complete(&self) -> bool {
        !self.overflowed
    }

    /// Returns whether no call was made.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Repeats the recorded calls.
    pub(super) fn replay(&self, sink: &mut dyn StatsSink) {
        let text = |range: &Range<usize>| self.text.get(range.clone()).unwrap_or_default();
        for entry in &self.entries {
            match entry {
                Entry::Result(path) => sink.result(path.as_ref().map(text)),
                Entry::Scalar(name, value) => sink.scalar(text(name), *value),
                Entry::Boolean(name, value) => sink.boolean(text(name), *value),
                Entry::Histogram(name, buckets) => {
                    let buckets = self.numbers.get(buckets.clone()).unwrap_or_default();
                    sink.histogram(text(name), buckets);
                }
            }
        }
    }

    /// Stores a name or a path and returns its place in `text`.
    fn store(&mut self, text: &str) -> Range<usize> {
        let begin = self.text.len();
        if begin.saturating_add(text.len()) > LENGTH_MAX {
            self.overflowed = true;
        } else {
            self.text.push_str(text);
        }
        begin..self.text.len()
    }

    fn push(&mut self, entry: Entry) {
        if self.entries.len() >= ENTRIES_MAX {
            self.overflowed = true;
        } else {
            self.entries.push(entry);
        }
    }
}

impl StatsSink for Recording {
    fn result(&mut self, qom_path: Option<&str>) {
        let path = qom_path.map(|path| self.store(path));
        self.push(Entry::Result(path));
    }

    fn scalar(&mut self, name: &str, value: u64) {
        let name = self.store(name);
        self.push(Entry::Scalar(name, value));
    }

    fn boolean(&mut self, name: &str, value: bool) {
        let name = self.store(name);
        self.push(Entry::Boolean(name, value));
    }

    fn histogram(&mut self, name: &str, buckets: &[u64]) {
        let name = self.store(name);
        let begin = self.numbers.len();
        if begin.saturating_add(buckets.len()) > LENGTH_MAX / size_of::<u64>() {
            self.overflowed = true;
        } else {
            self.numbers.extend_from_slice(buckets);
        }
        let buckets = begin..self.numbers.len();
        self.push(Entry::Histogram(name, buckets));
    }
}

/// A recording of schemas.
#[derive(Debug, Default)]
pub(super) struct SchemaRecording {
    entries: Vec<SchemaEntry>,
    overflowed: bool,
}

#[derive(Debug)]
enum SchemaEntry {
    Schema(StatsTarget),
    Stat(StatsSchemaValue),
}

impl SchemaRecording {
    /// Returns whether every call was recorded.
    pub(super) fn is_complete(&self) -> bool {
        !self.overflowed
    }

    /// Repeats the recorded calls.
    pub(super) fn replay(self, sink: &mut dyn SchemaSink) {
        for entry in self.entries {
            match entry {
                SchemaEntry::Schema(target) => sink.schema(target),
                SchemaEntry::Stat(stat) => sink.stat(&stat),
            }
        }
    }

    fn push(&mut self, entry: SchemaEntry) {
        if self.entries.len() >= ENTRIES_MAX {
            self.overflowed = true;
        } else {
            self.entries.push(entry);
        }
    }
}

impl SchemaSink for SchemaRecording {
    fn schema(&mut self, target: StatsTarget) {
        self.push(SchemaEntry::Schema(target));
    }

    fn stat(&mut self, stat: &StatsSchemaValue) {
        self.push(SchemaEntry::Stat(stat.clone()));
    }
}
