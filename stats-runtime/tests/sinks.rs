//! The typed results and the JSON text say the same, whatever a provider
//! writes and a client asks for.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use proptest::prelude::*;
use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsSchemaValue, StatsTarget,
    StatsType, StatsUnit, StatsVCPUFilter,
};
use qapi_stats::wire::{Writer, to_json};
use stats_runtime::sink::{Column, Columns, Row};
use stats_runtime::sink::{JsonResults, JsonSchemas};
use stats_runtime::{Provider, ProviderError, Registry, SchemaSink, StatsQuery, StatsSink};

/// What a provider writes, as data.
#[derive(Clone, Debug)]
struct Script {
    objects: Vec<(Option<String>, Stats)>,
    /// Whether objects are written as rows.
    rows: bool,
    schemas: Vec<(StatsTarget, Vec<StatsSchemaValue>)>,
}

type Stats = Vec<(String, Value)>;

#[derive(Clone, Debug)]
enum Value {
    Scalar(u64),
    Boolean(bool),
    Histogram(Vec<u64>),
}

impl Provider for Script {
    fn query(&self, _: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        for (qom_path, stats) in &self.objects {
            if self.rows {
                let (columns, values) = row(stats);
                sink.row(qom_path.as_deref(), &Row::new(&columns, &values).unwrap());
                continue;
            }
            sink.result(qom_path.as_deref());
            for (name, value) in stats {
                match value {
                    Value::Scalar(value) => sink.scalar(name, *value),
                    Value::Boolean(value) => sink.boolean(name, *value),
                    Value::Histogram(buckets) => sink.histogram(name, buckets),
                }
            }
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        for (target, stats) in &self.schemas {
            sink.schema(target.clone());
            stats.iter().for_each(|stat| sink.stat(stat));
        }
        Ok(())
    }
}

/// The same statistics as a row.
fn row(stats: &Stats) -> (Arc<Columns>, Vec<u64>) {
    let mut values = Vec::new();
    let mut columns = Vec::new();
    for (name, value) in stats {
        let first = values.len();
        columns.push(match value {
            Value::Scalar(value) => {
                values.push(*value);
                Column::number(name.as_str(), first)
            }
            Value::Boolean(value) => {
                values.push(u64::from(*value) * 2);
                Column::flag(name.as_str(), first)
            }
            Value::Histogram(buckets) => {
                values.extend_from_slice(buckets);
                Column::list(name.as_str(), first..values.len())
            }
        });
    }
    (Arc::new(Columns::new(columns)), values)
}

/// Few names, so that filters hit; some need escapes.
fn name() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "exits",
        "halt",
        "a_name_that_is_longer_than_what_is_copied_at_once_by_far",
        "a\"b\\c",
        "é\u{1}",
        "",
    ])
    .prop_map(str::to_owned)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop_oneof![any::<u64>(), 0..300_u64].prop_map(Value::Scalar),
        any::<bool>().prop_map(Value::Boolean),
        prop::collection::vec(prop_oneof![Just(0), any::<u64>()], 0..5).prop_map(Value::Histogram),
        prop::collection::vec(prop_oneof![9 => Just(0), 1 => any::<u64>()], 0..40)
            .prop_map(Value::Histogram),
    ]
}

fn target() -> impl Strategy<Value = StatsTarget> {
    prop::sample::select(StatsTarget::ALL)
}

fn schema_value() -> impl Strategy<Value = StatsSchemaValue> {
    (
        name(),
        prop::sample::select(StatsType::ALL),
        prop::option::of(prop::sample::select(StatsUnit::ALL)),
        prop::option::of(any::<i8>()),
        any::<i16>(),
        prop::option::of(any::<u32>()),
    )
        .prop_map(|(name, type_, unit, base, exponent, bucket_size)| {
            StatsSchemaValue::new(name, type_)
                .in_unit(unit)
                .scaled(base, exponent)
                .with_bucket_size(bucket_size)
        })
}

fn script() -> impl Strategy<Value = Script> {
    let stats = prop::collection::vec((name(), value()), 0..4);
    let objects = prop::collection::vec((prop::option::of(name()), stats), 0..4);
    let schemas = prop::collection::vec(
        (target(), prop::collection::vec(schema_value(), 0..4)),
        0..3,
    );
    (objects, any::<bool>(), schemas).prop_map(|(objects, rows, schemas)| Script {
        objects,
        rows,
        schemas,
    })
}

fn provider_name() -> impl Strategy<Value = StatsProvider> {
    prop::sample::select(vec!["kvm", "cryptodev", "xyz", "abc"])
        .prop_map(|name| name.parse().unwrap())
}

fn filter() -> impl Strategy<Value = StatsFilter> {
    let names = || prop::option::of(prop::collection::vec(name(), 0..3));
    let request =
        (provider_name(), names()).prop_map(|(provider, names)| StatsRequest { provider, names });
    let branch = prop_oneof![
        Just(StatsFilterBranch::Vm),
        Just(StatsFilterBranch::Cryptodev),
        names().prop_map(|vcpus| StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus })),
    ];
    (
        branch,
        prop::option::of(prop::collection::vec(request, 0..3)),
    )
        .prop_map(|(target, providers)| StatsFilter { target, providers })
}

proptest! {
    #[test]
    fn json_results_equal_the_encoding_of_typed_results(
        scripts in prop::collection::vec((provider_name(), script()), 0..4),
        filter in filter(),
    ) {
        let registry = Registry::new();
        let one_by_one = Registry::new();
        for (name, script) in scripts {
            let rows = false;
            let _ = one_by_one.register(name.clone(), Arc::new(Script { rows, ..script.clone() }));
            // A name drawn twice is refused; the rest still counts.
            let _ = registry.register(name, Arc::new(script));
        }
        let mut text = Vec::new();
        let mut writer = Writer::new(&mut text);
        let mut json = JsonResults::new(&mut writer);
        registry.query_into(&filter, &mut json).unwrap();
        json.finish();
        let results = registry.query(&filter).unwrap();
        prop_assert_eq!(String::from_utf8(text).unwrap(), to_json(&results));
        prop_assert_eq!(&results, &one_by_one.query(&filter).unwrap());
        prop_assert!(results.iter().all(|result| !result.stats.is_empty()));

        for only in [None, Some(StatsProvider::Kvm)] {
            let mut text = Vec::new();
            let mut writer = Writer::new(&mut text);
            let mut json = JsonSchemas::new(&mut writer);
            registry.schemas_into(only.as_ref(), &mut json).unwrap();
            json.finish();
            let schemas = registry.schemas(only.as_ref()).unwrap();
            prop_assert_eq!(String::from_utf8(text).unwrap(), to_json(&schemas));
        }
    }
}
