//! The guards between a provider and a sink.
//!
//! In: the calls of a provider. Out: only the calls for what the client asked
//! for, in the order that sinks rely on, and whether the provider broke its
//! contract.

use std::sync::Arc;

use qapi_stats::stats::{StatsSchemaValue, StatsTarget};

use crate::provider::StatsQuery;
use crate::sink::{Columns, ResultsSink, Row, SchemaSink, SchemasSink, StatsSink};

/// A sink that passes on only what the query wants, whatever the provider
/// writes.
pub(super) struct Guard<'a> {
    query: &'a StatsQuery<'a>,
    sink: &'a mut dyn ResultsSink,
    state: GuardState,
    choice: Option<Choice>,
}

/// The columns of the last row, and those among them that the query names.
///
/// Objects of one kind have the same columns. Because the guard remembers its
/// last choice, the names of a query are looked up once for each kind and not
/// once for each object. The price is a comparison of two pointers for each
/// object of a query with names. The choice ends with the query.
struct Choice {
    all: Arc<Columns>,
    wanted: Arc<Columns>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum GuardState {
    /// The provider has begun no result yet.
    NoResult,
    /// The current result is wanted.
    Passing,
    /// The current result is not wanted.
    Dropping,
    /// The provider wrote a statistic before any result.
    Misused,
}

impl<'a> Guard<'a> {
    pub(super) fn new(query: &'a StatsQuery<'a>, sink: &'a mut dyn ResultsSink) -> Self {
        let state = GuardState::NoResult;
        Self {
            query,
            sink,
            state,
            choice: None,
        }
    }

    /// Returns whether the provider wrote a statistic before any result.
    pub(super) fn is_misused(&self) -> bool {
        self.state == GuardState::Misused
    }

    /// Begins a result and returns whether it is wanted.
    fn begins(&mut self, qom_path: Option<&str>) -> bool {
        let wanted =
            *self.query.target() != StatsTarget::Vcpu || self.query.wants_vcpu_result(qom_path);
        if self.state != GuardState::Misused {
            self.state = if wanted {
                GuardState::Passing
            } else {
                GuardState::Dropping
            };
        }
        self.state == GuardState::Passing
    }

    /// Returns whether a statistic of the current result is wanted.
    fn passes(&mut self, name: &str) -> bool {
        match self.state {
            GuardState::Passing => self.query.wants_name(name),
            GuardState::NoResult => {
                self.state = GuardState::Misused;
                false
            }
            GuardState::Dropping | GuardState::Misused => false,
        }
    }
}

impl StatsSink for Guard<'_> {
    fn result(&mut self, qom_path: Option<&str>) {
        if self.begins(qom_path) {
            self.sink.result(qom_path);
        }
    }

    fn scalar(&mut self, name: &str, value: u64) {
        if self.passes(name) {
            self.sink.scalar(name, value);
        }
    }

    fn boolean(&mut self, name: &str, value: bool) {
        if self.passes(name) {
            self.sink.boolean(name, value);
        }
    }

    fn histogram(&mut self, name: &str, buckets: &[u64]) {
        if self.passes(name) {
            self.sink.histogram(name, buckets);
        }
    }

    fn row(&mut self, qom_path: Option<&str>, row: &Row<'_>) {
        if !self.begins(qom_path) {
            return;
        }
        if self.query.names().is_none() {
            return self.sink.row(qom_path, row);
        }
        let all = row.columns();
        self.choice.take_if(|choice| !Arc::ptr_eq(&choice.all, all));
        let choice = self.choice.get_or_insert_with(|| Choice {
            all: Arc::clone(all),
            wanted: Arc::new(all.only(|name| self.query.wants_name(name))),
        });
        if let Some(row) = Row::new(&choice.wanted, row.values()) {
            self.sink.row(qom_path, &row);
        }
    }
}

/// A sink that passes on schemas, shows the name of each statistic to a function,
/// and detects a statistic without a target.
pub(super) struct SchemaGuard<'a, F> {
    sink: &'a mut dyn SchemasSink,
    see: F,
    has_schema: bool,
    misused: bool,
}

impl<'a, F: FnMut(&str)> SchemaGuard<'a, F> {
    pub(super) fn new(sink: &'a mut dyn SchemasSink, see: F) -> Self {
        Self {
            sink,
            see,
            has_schema: false,
            misused: false,
        }
    }

    /// Returns whether the provider wrote a statistic before any target.
    pub(super) fn is_misused(&self) -> bool {
        self.misused
    }
}

impl<F: FnMut(&str)> SchemaSink for SchemaGuard<'_, F> {
    fn schema(&mut self, target: StatsTarget) {
        self.has_schema = true;
        self.sink.schema(target);
    }

    fn stat(&mut self, stat: &StatsSchemaValue) {
        if self.has_schema {
            (self.see)(&stat.name);
            self.sink.stat(stat);
        } else {
            self.misused = true;
        }
    }
}
