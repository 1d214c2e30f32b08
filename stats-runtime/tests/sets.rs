//! Declared statistics, the check of providers, and QEMU's statistics of cryptodev.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsSchemaValue, StatsTarget, StatsValue,
};
use stats_runtime::cryptodev::{self, Cryptodev};
use stats_runtime::testing::faults;
use stats_runtime::{
    Log2Histogram, Provider, ProviderError, Registry, SchemaSink, StatsQuery, StatsSet, StatsSink,
};

fn query(registry: &Registry, target: StatsFilterBranch) -> Vec<qapi_stats::stats::StatsResult> {
    registry
        .query(&StatsFilter {
            target,
            providers: None,
        })
        .unwrap()
}

#[test]
fn set_writes_what_it_declares_and_leaves_out_what_is_not_measured() {
    let reads = Arc::new(AtomicU64::new(5));
    let latency = Arc::new(Log2Histogram::new(4));
    let set = StatsSet::new(StatsTarget::Vm)
        .counter(StatsSchemaValue::cumulative("reads"), Arc::clone(&reads))
        .value(StatsSchemaValue::instant("first-latency"), || None)
        .value(StatsSchemaValue::instant("is-on").boolean(), || Some(1))
        .histogram(
            StatsSchemaValue::peak("latency").seconds(-9),
            Arc::clone(&latency),
        );
    assert_eq!(faults(&set), [""; 0]);
    let registry = Registry::new();
    registry.register("block", set).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| [0, 1, 2, 3, 4, u64::MAX].map(|value| latency.observe(value)));
        }
    });
    reads.fetch_add(1, Ordering::Relaxed);
    let results = query(&registry, StatsFilterBranch::Vm);
    let stats: Vec<_> = results[0]
        .stats
        .iter()
        .map(|s| (&*s.name, &s.value))
        .collect();
    assert_eq!(
        stats,
        [
            ("reads", &StatsValue::Scalar(6)),
            ("is-on", &StatsValue::Boolean(true)),
            // The wire has the highest bucket first.
            ("latency", &StatsValue::List(vec![8, 8, 4, 4])),
        ]
    );
}

#[test]
fn cryptodev_has_the_names_that_qemu_has() {
    let (first, second) = (Cryptodev::default(), Cryptodev::default());
    second.sym_encrypt_bytes.store(4096, Ordering::Relaxed);
    let provider = cryptodev::provider([("/objects/a", &first), ("/objects/b", &second)]);
    assert_eq!(faults(&provider), [""; 0]);
    let registry = Registry::new();
    registry.register("cryptodev", provider).unwrap();
    let results = query(&registry, StatsFilterBranch::Cryptodev);
    let paths: Vec<_> = results
        .iter()
        .map(|result| result.qom_path.as_deref())
        .collect();
    assert_eq!(paths, [Some("/objects/b"), Some("/objects/a")]);
    let bytes = results[0]
        .stats
        .iter()
        .find(|stat| stat.name == "sym-encrypt-bytes");
    assert_eq!(bytes.unwrap().value, StatsValue::Scalar(4096));
    let schemas = registry.schemas(None).unwrap();
    assert_eq!(
        (schemas[0].stats.len(), &schemas[0].target),
        (12, &StatsTarget::Cryptodev)
    );
}

/// Breaks every rule.
struct Careless(AtomicU64);

impl Provider for Careless {
    fn query(&self, _: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        sink.scalar("early", 1);
        sink.result(None);
        sink.scalar("early", 1);
        sink.scalar("early", 1);
        sink.boolean("number", true);
        let len = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        sink.histogram("buckets", &vec![0; usize::try_from(len).unwrap()]);
        sink.result(None);
        Err(ProviderError::gone("The device has gone"))
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        sink.stat(&StatsSchemaValue::instant("nowhere"));
        sink.schema(StatsTarget::Vcpu);
        sink.stat(&StatsSchemaValue::instant("number"));
        sink.stat(&StatsSchemaValue::instant("number"));
        sink.stat(&StatsSchemaValue::log2_histogram("buckets").with_bucket_size(3));
        sink.stat(&StatsSchemaValue::instant("odd name"));
        Ok(())
    }
}

#[test]
fn check_names_every_fault() {
    let faults = faults(&Careless(AtomicU64::new(0)));
    for expected in [
        "'nowhere' is described without a target",
        "'number' is described twice",
        "'buckets' is a linear histogram without a bucket size, or has one and is none",
        "the name 'odd name' has other characters than ASCII letters, digits, '-', '_' and '.'",
        "'early' is written without an object",
        "a result about a vCPU has no QOM path",
        "'early' is written twice for one object",
        "'early' of target vcpu is not described",
        "the value of 'number' is not of the kind that is described",
        "'buckets' has 1 buckets, then 2",
        "the object without a path comes twice",
        "target vcpu cannot be queried: The device has gone",
    ] {
        assert!(
            faults.iter().any(|fault| fault == expected),
            "{expected}: {faults:#?}"
        );
    }
}
