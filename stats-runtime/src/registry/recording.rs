//! What a provider wrote, kept until it is known to be in time.
//!
//! In: the calls of a provider. Out: the same calls, on another sink. Names and
//! numbers stand in one row each, so that a statistic costs no allocation.

use std::ops::Range;

use qapi_stats::stats::{StatsSchemaValue, StatsTarget};

use crate::sink::{SchemaSink, StatsSink};

/// Entries that are kept; a provider that writes more has failed.
const ENTRIES_MAX: usize = 1 << 20;

/// Bytes of names, and numbers in histograms, that are kept.
const LENGTH_MAX: usize = 16 << 20;

/// Statistics.
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
    pub(super) fn is_whole(&self) -> bool {
        !self.overflowed
    }

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

    fn keep(&mut self, text: &str) -> Range<usize> {
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
        let path = qom_path.map(|path| self.keep(path));
        self.push(Entry::Result(path));
    }

    fn scalar(&mut self, name: &str, value: u64) {
        let name = self.keep(name);
        self.push(Entry::Scalar(name, value));
    }

    fn boolean(&mut self, name: &str, value: bool) {
        let name = self.keep(name);
        self.push(Entry::Boolean(name, value));
    }

    fn histogram(&mut self, name: &str, buckets: &[u64]) {
        let name = self.keep(name);
        let begin = self.numbers.len();
        if begin.saturating_add(buckets.len()) > LENGTH_MAX {
            self.overflowed = true;
        } else {
            self.numbers.extend_from_slice(buckets);
        }
        let buckets = begin..self.numbers.len();
        self.push(Entry::Histogram(name, buckets));
    }
}

/// Descriptions.
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
    pub(super) fn is_whole(&self) -> bool {
        !self.overflowed
    }

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
