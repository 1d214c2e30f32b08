//! What stands between a provider and a sink.
//!
//! In: whatever a provider writes. Out: what the client asked for, in the order
//! that sinks rely on; and whether the provider broke its contract.

use qapi::stats::{StatsSchemaValue, StatsTarget};

use crate::provider::{SchemaSink, StatsQuery, StatsSink};
use crate::sink::{ResultsSink, SchemasSink};

/// Stands between a provider and the sink, so that a client gets what it asked
/// for whatever the provider writes.
pub(super) struct Guard<'a> {
    query: &'a StatsQuery<'a>,
    sink: &'a mut dyn ResultsSink,
    state: GuardState,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum GuardState {
    NoResult,
    Passing,
    Dropping,
    Misused,
}

impl<'a> Guard<'a> {
    pub(super) fn new(query: &'a StatsQuery<'a>, sink: &'a mut dyn ResultsSink) -> Self {
        let state = GuardState::NoResult;
        Self { query, sink, state }
    }

    /// Whether a statistic came before any result.
    pub(super) fn is_misused(&self) -> bool {
        self.state == GuardState::Misused
    }

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
        let wanted =
            *self.query.target() != StatsTarget::Vcpu || self.query.wants_vcpu_result(qom_path);
        if self.state != GuardState::Misused {
            self.state = if wanted {
                GuardState::Passing
            } else {
                GuardState::Dropping
            };
        }
        if self.state == GuardState::Passing {
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
}

/// The same for schemas.
pub(super) struct SchemaGuard<'a> {
    sink: &'a mut dyn SchemasSink,
    any_schema: bool,
    misused: bool,
}

impl<'a> SchemaGuard<'a> {
    pub(super) fn new(sink: &'a mut dyn SchemasSink) -> Self {
        Self {
            sink,
            any_schema: false,
            misused: false,
        }
    }

    /// Whether a statistic came before any target.
    pub(super) fn is_misused(&self) -> bool {
        self.misused
    }
}

impl SchemaSink for SchemaGuard<'_> {
    fn schema(&mut self, target: StatsTarget) {
        self.any_schema = true;
        self.sink.schema(target);
    }

    fn stat(&mut self, stat: &StatsSchemaValue) {
        if self.any_schema {
            self.sink.stat(stat);
        } else {
            self.misused = true;
        }
    }
}
