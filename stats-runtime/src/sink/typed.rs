//! The sinks that collect results and schemas as values of the generated types,
//! and functions for the way back.
//!
//! In: the calls of providers. Out: vectors, in the order of the wire.

use qapi_stats::stats::{
    Stats, StatsProvider, StatsResult, StatsSchema, StatsSchemaValue, StatsTarget, StatsValue,
};

use super::wire_order::{WireValue, wire_value};
use super::{ResultsSink, SchemaSink, SchemasSink, StatsSink};

/// Collects results.
#[derive(Clone, Debug)]
pub struct TypedResults {
    provider: StatsProvider,
    results: Vec<StatsResult>,
}

impl Default for TypedResults {
    fn default() -> Self {
        Self {
            provider: StatsProvider::Kvm,
            results: Vec::new(),
        }
    }
}

impl TypedResults {
    /// Returns the results that have a statistic, in the order of their calls.
    #[must_use]
    pub fn into_results(mut self) -> Vec<StatsResult> {
        self.drop_empty();
        self.results
    }

    fn drop_empty(&mut self) {
        self.results.pop_if(|last| last.stats.is_empty());
    }

    fn push(&mut self, name: &str, value: StatsValue) {
        // Ignore a statistic without a result: the registry's guard reports it.
        if let Some(result) = self.results.last_mut() {
            result.stats.push(Stats {
                name: name.to_owned(),
                value,
            });
        }
    }
}

impl ResultsSink for TypedResults {
    fn provider(&mut self, name: &StatsProvider) {
        self.provider = name.clone();
    }
}

impl StatsSink for TypedResults {
    fn result(&mut self, qom_path: Option<&str>) {
        self.drop_empty();
        self.results.push(StatsResult {
            provider: self.provider.clone(),
            qom_path: qom_path.map(str::to_owned),
            stats: Vec::new(),
        });
    }

    fn scalar(&mut self, name: &str, value: u64) {
        self.push(name, StatsValue::Scalar(value));
    }

    fn boolean(&mut self, name: &str, value: bool) {
        self.push(name, StatsValue::Boolean(value));
    }

    fn histogram(&mut self, name: &str, buckets: &[u64]) {
        let value = match wire_value(buckets) {
            WireValue::Scalar(value) => StatsValue::Scalar(value),
            WireValue::List(values) => StatsValue::List(values.copied().collect()),
        };
        self.push(name, value);
    }
}

/// Collects schemas.
#[derive(Clone, Debug)]
pub struct TypedSchemas {
    provider: StatsProvider,
    schemas: Vec<StatsSchema>,
}

impl Default for TypedSchemas {
    fn default() -> Self {
        Self {
            provider: StatsProvider::Kvm,
            schemas: Vec::new(),
        }
    }
}

impl TypedSchemas {
    /// Returns the schemas in the order of their calls.
    #[must_use]
    pub fn into_schemas(self) -> Vec<StatsSchema> {
        self.schemas
    }
}

impl SchemasSink for TypedSchemas {
    fn provider(&mut self, name: &StatsProvider) {
        self.provider = name.clone();
    }
}

impl SchemaSink for TypedSchemas {
    fn schema(&mut self, target: StatsTarget) {
        self.schemas.push(StatsSchema {
            provider: self.provider.clone(),
            target,
            stats: Vec::new(),
        });
    }

    fn stat(&mut self, stat: &StatsSchemaValue) {
        if let Some(schema) = self.schemas.last_mut() {
            schema.stats.push(stat.clone());
        }
    }
}

/// Writes the typed statistics of one object into a sink. Lists in `stats` are
/// in the order of the wire: a histogram's highest bucket comes first.
pub fn add_stats_entry(sink: &mut dyn StatsSink, qom_path: Option<&str>, stats: &[Stats]) {
    sink.result(qom_path);
    for Stats { name, value } in stats {
        match value {
            StatsValue::Scalar(value) => sink.scalar(name, *value),
            StatsValue::Boolean(value) => sink.boolean(name, *value),
            StatsValue::List(values) => {
                let lowest_first: Vec<u64> = values.iter().rev().copied().collect();
                sink.histogram(name, &lowest_first);
            }
        }
    }
}

/// Writes the typed schema of one target into a sink.
pub fn add_stats_schema(
    sink: &mut dyn SchemaSink,
    target: StatsTarget,
    stats: &[StatsSchemaValue],
) {
    sink.schema(target);
    for stat in stats {
        sink.stat(stat);
    }
}
