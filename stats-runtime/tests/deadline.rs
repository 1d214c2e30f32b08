//! Providers that have to answer in time.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsTarget, StatsVCPUFilter,
    StatsValue,
};
use stats_runtime::{
    Provider, ProviderError, Registration, Registry, SchemaSink, StatsQuery, StatsSink,
};

const TIME_MAX: Duration = Duration::from_millis(200);

/// A provider that waits until its gate is open.
#[derive(Default)]
struct Gated {
    is_open: Mutex<bool>,
    opened: Condvar,
    calls: AtomicUsize,
}

impl Gated {
    fn set_open(&self, is_open: bool) {
        *self.is_open.lock().unwrap() = is_open;
        self.opened.notify_all();
    }

    fn pass(&self) {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let is_open = self.is_open.lock().unwrap();
        drop(
            self.opened
                .wait_while(is_open, |is_open| !*is_open)
                .unwrap(),
        );
    }
}

impl Provider for Gated {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        let path = (*query.target() == StatsTarget::Vcpu).then_some("/cpu");
        sink.result(path);
        sink.scalar("before", 1);
        self.pass();
        sink.boolean("is-late", false);
        sink.histogram("after", &[1, 2]);
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        sink.schema(StatsTarget::Vm);
        self.pass();
        Ok(())
    }
}

fn all(target: StatsFilterBranch) -> StatsFilter {
    StatsFilter {
        target,
        providers: None,
    }
}

fn registry() -> (Registry, Arc<Gated>) {
    let registry = Registry::new();
    let provider = Arc::new(Gated::default());
    let within = Registration::new().deadline(TIME_MAX);
    registry
        .register_with("slow", Arc::clone(&provider), within)
        .unwrap();
    (registry, provider)
}

/// The threads of providers in this process: one test at a time counts them.
fn worker_threads() -> usize {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let name = |path: std::path::PathBuf| std::fs::read_to_string(path.join("comm"));
    tasks
        .filter(|task| {
            let name = name(task.as_ref().unwrap().path());
            name.is_ok_and(|name| name.starts_with("stats-provider"))
        })
        .count()
}

#[test]
fn query_names_the_provider_when_it_is_late() {
    let (registry, provider) = registry();
    let vm = all(StatsFilterBranch::Vm);
    let late = "Provider 'slow' did not answer within 200ms";

    provider.set_open(true);
    let results = registry.query(&vm).unwrap();
    assert_eq!(results.len(), 1);
    let names: Vec<&str> = results[0]
        .stats
        .iter()
        .map(|stat| stat.name.as_str())
        .collect();
    assert_eq!(names, ["before", "is-late", "after"]);
    assert_eq!(results[0].stats[2].value, StatsValue::List(vec![2, 1]));
    // What is asked for reaches the provider's own thread.
    let mut filter = all(StatsFilterBranch::Vcpu(StatsVCPUFilter {
        vcpus: Some(vec!["/cpu".to_owned()]),
    }));
    filter.providers = Some(vec![StatsRequest {
        provider: StatsProvider::Unknown("slow".into()),
        names: Some(vec!["before".to_owned()]),
    }]);
    let results = registry.query(&filter).unwrap();
    assert_eq!(results[0].qom_path.as_deref(), Some("/cpu"));
    assert_eq!(results[0].stats.len(), 1);
    assert_eq!(registry.schemas(None).unwrap().len(), 1);

    provider.set_open(false);
    let calls = provider.calls.load(Ordering::SeqCst);
    let begin = Instant::now();
    assert_eq!(registry.query(&vm).unwrap_err().to_string(), late);
    assert_eq!(registry.schemas(None).unwrap_err().to_string(), late);
    let spent = begin.elapsed();
    assert!(spent >= TIME_MAX * 2 && spent < TIME_MAX * 10, "{spent:?}");

    // However many ask a provider that hangs, it is one thread and one call.
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| assert_eq!(registry.query(&vm).unwrap_err().to_string(), late));
        }
    });
    assert!(begin.elapsed() < TIME_MAX * 20);
    assert_eq!(provider.calls.load(Ordering::SeqCst), calls + 1);
    assert_eq!(worker_threads(), 1);

    // What comes late reaches nobody, and then all is well again.
    provider.set_open(true);
    assert_eq!(registry.query(&vm).unwrap()[0].stats.len(), 3);

    // Its thread goes with it.
    assert!(registry.remove("slow"));
    let begin = Instant::now();
    while worker_threads() > 0 {
        assert!(begin.elapsed() < Duration::from_secs(5));
        thread::sleep(Duration::from_millis(5));
    }
    check_panics_and_floods();
}

fn check_panics_and_floods() {
    struct Broken;

    impl Provider for Broken {
        fn query(&self, _: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
            sink.result(None);
            for _ in 0..2 << 20 {
                sink.scalar("more", 1);
            }
            Ok(())
        }

        fn schemas(&self, _: &mut dyn SchemaSink) -> Result<(), ProviderError> {
            panic!("on purpose")
        }
    }

    let registry = Registry::new();
    let within = Registration::new().deadline(Duration::from_secs(60));
    registry
        .register_with(StatsProvider::Kvm, Broken, within)
        .unwrap();
    let error = registry.query(&all(StatsFilterBranch::Vm)).unwrap_err();
    assert_eq!(error.to_string(), "Provider 'kvm' gave too much");
    // It lives on.
    for _ in 0..2 {
        let error = registry.schemas(None).unwrap_err();
        assert_eq!(error.to_string(), "Provider 'kvm' panicked");
    }
}
