//! The registry's contract: order, filters, errors, and providers that come
//! and go while queries run.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;

use qapi_stats::stats::{
    Stats, StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsSchemaValue,
    StatsTarget, StatsType, StatsVCPUFilter, StatsValue,
};
use qapi_stats::wire::OpenValues;
use stats_runtime::sink::{add_stats_entry, add_stats_schema};
use stats_runtime::{Provider, ProviderError, Registry, SchemaSink, StatsQuery, StatsSink};

fn xyz() -> StatsProvider {
    StatsProvider::Unknown("xyz".into())
}

fn vm() -> StatsFilter {
    StatsFilter {
        target: StatsFilterBranch::Vm,
        providers: None,
    }
}

/// Answers `value` for the VM.
struct Constant(u64);

impl Provider for Constant {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        if *query.target() == StatsTarget::Vm {
            sink.result(None);
            sink.scalar("constant", self.0);
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        let stat = StatsSchemaValue::new("constant", StatsType::Instant);
        add_stats_schema(sink, StatsTarget::Vm, &[stat]);
        Ok(())
    }
}

#[test]
fn provider_with_a_new_name_is_queried_filtered_and_listed() {
    let registry = Registry::new();
    assert!(!registry.is_registered("StatsProvider", "xyz"));
    registry
        .register(StatsProvider::Kvm, Arc::new(Constant(1)))
        .unwrap();
    registry.register(xyz(), Arc::new(Constant(2))).unwrap();
    assert!(registry.is_registered("StatsProvider", "xyz"));
    assert!(!registry.is_registered("StatsTarget", "xyz"));

    // The one registered last comes first.
    let providers = |results: Vec<qapi_stats::stats::StatsResult>| -> Vec<StatsProvider> {
        results.into_iter().map(|result| result.provider).collect()
    };
    assert_eq!(
        providers(registry.query(&vm()).unwrap()),
        [xyz(), StatsProvider::Kvm]
    );
    let listed = registry.schemas(None).unwrap();
    let listed: Vec<_> = listed.into_iter().map(|schema| schema.provider).collect();
    assert_eq!(listed, [xyz(), StatsProvider::Kvm]);
    assert_eq!(registry.schemas(Some(&xyz())).unwrap().len(), 1);

    assert!(registry.remove(xyz()));
    assert!(!registry.remove(xyz()));
    assert_eq!(
        providers(registry.query(&vm()).unwrap()),
        [StatsProvider::Kvm]
    );
}

#[test]
fn register_fails_when_the_name_is_taken() {
    let registry = Registry::new();
    registry
        .register(StatsProvider::Kvm, Arc::new(Constant(1)))
        .unwrap();
    let taken = registry
        .register(StatsProvider::Kvm, Arc::new(Constant(2)))
        .unwrap_err();
    assert_eq!(
        taken.to_string(),
        "a provider called 'kvm' is registered already"
    );
    // The same name in another spelling of the type is the same name.
    let spelled = StatsProvider::Unknown("kvm".into());
    assert!(registry.register(spelled, Arc::new(Constant(2))).is_err());
}

#[test]
fn query_returns_nothing_when_a_provider_fails() {
    let registry = Registry::new();
    registry
        .register(StatsProvider::Kvm, Arc::new(Constant(1)))
        .unwrap();
    registry
        .add_stats_callbacks(
            xyz(),
            |_, sink| {
                sink.result(None);
                sink.scalar("half", 1);
                Err(ProviderError::new("the device is gone"))
            },
            |_| Err(ProviderError::new("no schema")),
        )
        .unwrap();
    assert_eq!(
        registry.query(&vm()).unwrap_err().to_string(),
        "the device is gone"
    );
    assert_eq!(registry.schemas(None).unwrap_err().to_string(), "no schema");
    assert!(registry.schemas(Some(&StatsProvider::Kvm)).is_ok());
}

#[test]
fn query_names_the_provider_when_a_statistic_has_no_result() {
    let registry = Registry::new();
    registry
        .add_stats_callbacks(
            xyz(),
            |_, sink| {
                sink.scalar("stray", 1);
                sink.result(None);
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    let error = registry.query(&vm()).unwrap_err().to_string();
    assert_eq!(error, "Provider 'xyz' gave a statistic of no object");
}

#[test]
fn schemas_names_the_provider_when_a_statistic_has_no_target() {
    let registry = Registry::new();
    registry
        .register(StatsProvider::Kvm, Arc::new(Constant(1)))
        .unwrap();
    let stray = registry.schemas(None).unwrap().remove(0).stats.remove(0);
    registry
        .add_stats_callbacks(
            xyz(),
            |_, _| Ok(()),
            move |sink| {
                sink.stat(&stray);
                Ok(())
            },
        )
        .unwrap();
    let error = registry.schemas(None).unwrap_err().to_string();
    assert_eq!(
        error,
        "Provider 'xyz' gave the meaning of a statistic of no target"
    );
}

#[test]
fn registry_treats_unknown_as_the_variant_when_the_schema_lists_the_name() {
    let registry = Registry::new();
    registry
        .register(StatsProvider::Kvm, Arc::new(Constant(1)))
        .unwrap();
    let spelled = StatsProvider::Unknown("kvm".into());
    assert_eq!(registry.schemas(Some(&spelled)).unwrap().len(), 1);
    let mut filter = vm();
    filter.providers = Some(vec![StatsRequest {
        provider: spelled,
        names: None,
    }]);
    assert_eq!(registry.query(&filter).unwrap().len(), 1);
}

#[test]
fn query_drops_a_vcpu_without_a_path_when_paths_are_wanted() {
    let registry = Registry::new();
    registry
        .add_stats_callbacks(
            xyz(),
            |_, sink| {
                sink.result(None);
                sink.scalar("a", 1);
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    let query = |vcpus: Option<Vec<String>>| {
        let target = StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus });
        registry
            .query(&StatsFilter {
                target,
                providers: None,
            })
            .unwrap()
            .len()
    };
    assert_eq!(query(None), 1);
    assert_eq!(query(Some(vec!["/x".to_owned()])), 0);
}

#[test]
fn add_stats_entry_keeps_the_order_of_the_wire() {
    let stats = vec![
        Stats {
            name: "a".to_owned(),
            value: StatsValue::List(vec![3, 2, 1]),
        },
        Stats {
            name: "b".to_owned(),
            value: StatsValue::Boolean(true),
        },
    ];
    let registry = Registry::new();
    let given = stats.clone();
    registry
        .add_stats_callbacks(
            xyz(),
            move |_, sink| {
                add_stats_entry(sink, None, &given);
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    assert_eq!(registry.query(&vm()).unwrap().remove(0).stats, stats);
}

/// A provider may do to the registry what it likes while it runs: nothing is
/// locked.
#[test]
fn provider_removes_itself_while_it_runs() {
    let registry = Arc::new(Registry::new());
    let inner = Arc::downgrade(&registry);
    registry
        .add_stats_callbacks(
            xyz(),
            move |_, sink| {
                if let Some(registry) = inner.upgrade() {
                    assert!(registry.remove(xyz()));
                    registry
                        .register(StatsProvider::Kvm, Arc::new(Constant(7)))
                        .unwrap();
                }
                sink.result(None);
                sink.scalar("last", 1);
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    assert_eq!(registry.query(&vm()).unwrap().len(), 1);
    assert_eq!(registry.names(), [StatsProvider::Kvm]);
}

/// A query that has begun ends with what it began with, and the provider that
/// was removed meanwhile is dropped when it has ended.
#[test]
fn provider_is_dropped_after_the_query_when_it_is_removed_meanwhile() {
    struct Slow {
        entered: Arc<Barrier>,
        removed: Arc<Barrier>,
        dropped: Arc<AtomicBool>,
    }
    impl Provider for Slow {
        fn query(&self, _: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
            self.entered.wait();
            self.removed.wait();
            assert!(!self.dropped.load(Ordering::SeqCst));
            sink.result(None);
            sink.scalar("slow", 1);
            Ok(())
        }
        fn schemas(&self, _: &mut dyn SchemaSink) -> Result<(), ProviderError> {
            Ok(())
        }
    }
    impl Drop for Slow {
        fn drop(&mut self) {
            self.dropped.store(true, Ordering::SeqCst);
        }
    }
    let (entered, removed) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let dropped = Arc::new(AtomicBool::new(false));
    let registry = Registry::new();
    let slow = Slow {
        entered: Arc::clone(&entered),
        removed: Arc::clone(&removed),
        dropped: Arc::clone(&dropped),
    };
    registry.register(xyz(), Arc::new(slow)).unwrap();
    thread::scope(|scope| {
        let query = scope.spawn(|| registry.query(&vm()).unwrap());
        entered.wait();
        assert!(registry.remove(xyz()));
        assert!(registry.query(&vm()).unwrap().is_empty());
        assert!(!dropped.load(Ordering::SeqCst));
        removed.wait();
        assert_eq!(query.join().unwrap().len(), 1);
    });
    assert!(dropped.load(Ordering::SeqCst));
}

#[test]
fn registry_answers_queries_while_providers_come_and_go() {
    let registry = Registry::new();
    registry
        .register(StatsProvider::Kvm, Arc::new(Constant(1)))
        .unwrap();
    let query = || {
        for _ in 0..2000 {
            let results = registry.query(&vm()).unwrap();
            // Kvm is always there, xyz sometimes, nothing else ever.
            assert_eq!(results.last().unwrap().provider, StatsProvider::Kvm);
            assert!(results.len() <= 2);
        }
    };
    thread::scope(|scope| {
        let queries = [(); 3].map(|()| scope.spawn(query));
        while !queries.iter().all(thread::ScopedJoinHandle::is_finished) {
            registry.register(xyz(), Arc::new(Constant(2))).unwrap();
            assert!(registry.remove(xyz()));
        }
    });
}
