//! How providers take part in requests, and what a client sees of it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use qapi_stats::stats::{
    Stats, StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsResult,
    StatsSchemaValue, StatsTarget, StatsType, StatsVCPUFilter, StatsValue,
};
use stats_runtime::qmp::Session;
use stats_runtime::{
    Monitor, NoHost, Provider, ProviderError, RegisterError, Registration, Registry, SchemaSink,
    StatsQuery, StatsSink,
};

/// Describes and writes one statistic of the VM and one of a vCPU, as KVM does.
struct Kvm;

impl Provider for Kvm {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        match query.target() {
            StatsTarget::Vm => {
                sink.result(None);
                sink.scalar("remote_tlb_flush", 7);
            }
            StatsTarget::Vcpu => {
                sink.result(Some("/vcpu"));
                sink.scalar("exits", 42);
            }
            _ => {}
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        sink.schema(StatsTarget::Vcpu);
        sink.stat(&cumulative("exits"));
        sink.schema(StatsTarget::Vm);
        sink.stat(&cumulative("remote_tlb_flush"));
        Ok(())
    }
}

/// Has one statistic of each object of a target.
struct Own {
    target: StatsTarget,
    name: &'static str,
    value: AtomicU64,
    is_broken: AtomicBool,
}

impl Own {
    fn new(target: impl Into<StatsTarget>, name: &'static str) -> Arc<Self> {
        Arc::new(Self {
            target: target.into(),
            name,
            value: AtomicU64::new(1),
            is_broken: AtomicBool::new(false),
        })
    }
}

impl Provider for Own {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        if *query.target() == self.target {
            sink.result((self.target != StatsTarget::Vm).then_some("/vcpu"));
            sink.scalar(self.name, self.value.load(Ordering::Relaxed));
        }
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(ProviderError::not_now("The VM is being migrated"));
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        sink.schema(self.target.clone());
        sink.stat(&cumulative(self.name));
        Ok(())
    }
}

fn cumulative(name: &str) -> StatsSchemaValue {
    StatsSchemaValue::new(name, StatsType::Cumulative)
}

fn all(target: StatsFilterBranch) -> StatsFilter {
    StatsFilter {
        target,
        providers: None,
    }
}

fn of(provider: &str, target: StatsFilterBranch) -> StatsFilter {
    let request = StatsRequest {
        provider: provider.into(),
        names: None,
    };
    StatsFilter {
        target,
        providers: Some(vec![request]),
    }
}

fn vcpus() -> StatsFilterBranch {
    StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus: None })
}

/// What libvirt shows of a VM: its statistics, and those of the vCPU at `/vcpu`.
///
/// The algorithm is that of `qemuDomainGetStatsVm`, `qemuDomainGetStatsVcpu` and
/// `qemuMonitorJSONExtractQueryStatsSchema`: no filter of providers, one table of
/// names over all schemas, one result for the VM, the first result by QOM path.
fn as_libvirt(registry: &Registry) -> (Vec<Stats>, Vec<Stats>) {
    let mut names = HashSet::new();
    for schema in registry.schemas(None).unwrap() {
        for stat in schema.stats {
            if !names.insert(stat.name) {
                return (Vec::new(), Vec::new());
            }
        }
    }
    let known = |results: &StatsResult| -> Vec<Stats> {
        let stats = results.stats.iter();
        stats
            .filter(|stat| names.contains(&stat.name))
            .cloned()
            .collect()
    };
    let of_vm = registry.query(&all(StatsFilterBranch::Vm)).unwrap();
    let of_vm = match of_vm.as_slice() {
        [only] => known(only),
        _ => Vec::new(),
    };
    let of_vcpus = registry.query(&all(vcpus())).unwrap();
    let of_vcpu = of_vcpus
        .iter()
        .find(|result| result.qom_path.as_deref() == Some("/vcpu"));
    (of_vm, of_vcpu.map(known).unwrap_or_default())
}

fn value(name: &str, value: u64) -> Stats {
    Stats {
        name: name.to_owned(),
        value: StatsValue::Scalar(value),
    }
}

#[test]
fn libvirt_sees_exactly_kvm_when_other_providers_answer_only_when_named() {
    let kvm_alone = (vec![value("remote_tlb_flush", 7)], vec![value("exits", 42)]);
    let registry = Registry::new();
    // Later registrations come first in replies: register on both sides of KVM.
    let named = Registration::new().only_when_named();
    let before = Own::new(StatsTarget::Vcpu, "exits");
    registry.register_with("before", before, named).unwrap();
    registry.register(StatsProvider::Kvm, Kvm).unwrap();
    let after = Own::new(StatsTarget::Vm, "remote_tlb_flush");
    registry.register_with("after", after, named).unwrap();
    assert_eq!(as_libvirt(&registry), kvm_alone);

    // A client that names them gets them.
    let results = registry.query(&of("after", StatsFilterBranch::Vm)).unwrap();
    assert_eq!(results[0].stats, [value("remote_tlb_flush", 1)]);
    let schemas = registry.schemas(Some(&"after".into())).unwrap();
    assert_eq!(schemas[0].stats[0].name, "remote_tlb_flush");
    assert_eq!(registry.names().len(), 3);

    // The original proposal: every provider answers a request without a filter.
    // libvirt then misses the statistics of the VM.
    let balloon = Own::new(StatsTarget::Vm, "inflations");
    registry.register("balloon", balloon).unwrap();
    assert_eq!(
        registry.query(&all(StatsFilterBranch::Vm)).unwrap().len(),
        2
    );
    assert_eq!(as_libvirt(&registry), (vec![], kvm_alone.1));
}

/// Collects what a registry tells.
fn told(registry: &Registry) -> Arc<Mutex<Vec<String>>> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let tell = Arc::clone(&told);
    registry.on_duplicate(move |duplicate| tell.lock().unwrap().push(duplicate.to_string()));
    told
}

#[test]
fn duplicate_is_told_of_when_the_second_provider_is_registered() {
    let registry = Registry::new();
    let told = told(&registry);
    registry.register(StatsProvider::Kvm, Kvm).unwrap();
    let own = || Own::new(StatsTarget::Vm, "exits");
    let named = Registration::new().only_when_named();
    registry.register_with("named", own(), named).unwrap();
    assert_eq!(*told.lock().unwrap(), [""; 0]);
    registry.register("own", own()).unwrap();
    assert_eq!(
        *told.lock().unwrap(),
        [
            "the providers 'kvm' and 'own' both describe a statistic 'exits', which makes libvirt \
         refuse all statistics: rename it, or register one of them to answer only when it is named"
        ]
    );
    // Once is enough.
    registry.schemas(None).unwrap();
    assert_eq!(told.lock().unwrap().len(), 1);
    assert_eq!(as_libvirt(&registry), (vec![], vec![]));
}

#[test]
fn duplicate_is_told_of_when_a_provider_describes_it_later() {
    let registry = Registry::new();
    let told = told(&registry);
    let is_described = Arc::new(AtomicBool::new(false));
    let described = Arc::clone(&is_described);
    registry
        .add_stats_callbacks(
            "late",
            |_, _| Ok(()),
            move |sink| {
                if described.load(Ordering::Relaxed) {
                    sink.schema(StatsTarget::Vcpu);
                    sink.stat(&cumulative("exits"));
                }
                Ok(())
            },
        )
        .unwrap();
    registry.register(StatsProvider::Kvm, Kvm).unwrap();
    assert_eq!(registry.duplicates(), []);
    is_described.store(true, Ordering::Relaxed);
    assert_eq!(registry.duplicates().len(), 1);
    assert_eq!(told.lock().unwrap().len(), 0);
    registry.schemas(None).unwrap();
    registry.schemas(None).unwrap();
    assert_eq!(told.lock().unwrap().len(), 1);
}

#[test]
fn name_is_refused_when_no_schema_could_have_it() {
    let registry = Registry::new();
    for name in ["", "two words", "naïve", "a\n", &"x".repeat(256)] {
        let error = registry
            .register(name, Own::new(StatsTarget::Vm, "x"))
            .unwrap_err();
        assert!(matches!(error, RegisterError::InvalidName { .. }), "{name}");
    }
    for name in ["9p", "org.example_block-0"] {
        let own = Own::new(StatsTarget::Vm, "x");
        let named = Registration::new().only_when_named();
        registry.register_with(name.to_owned(), own, named).unwrap();
    }
}

#[test]
fn failing_provider_is_skipped_and_counted_when_the_vmm_wants_that() {
    let registry = Registry::new();
    registry.register(StatsProvider::Kvm, Kvm).unwrap();
    let device = Own::new(StatsTarget::Vm, "inflations");
    let skipped = Registration::new().skip_when_failing();
    registry
        .register_with("balloon", Arc::clone(&device), skipped)
        .unwrap();
    let filter = all(StatsFilterBranch::Vm);
    assert_eq!(registry.query(&filter).unwrap().len(), 2);
    assert_eq!(registry.skipped("balloon"), Some(0));
    device.is_broken.store(true, Ordering::Relaxed);
    // Nothing of the half answer reaches the client.
    let results = registry.query(&filter).unwrap();
    assert_eq!(results.len(), 1);
    assert_eq!(results[0].provider, StatsProvider::Kvm);
    assert_eq!(registry.skipped("balloon"), Some(1));
    assert_eq!(registry.skipped(StatsProvider::Kvm), None);

    registry.remove("balloon");
    registry.register("balloon", device).unwrap();
    let error = registry.query(&filter).unwrap_err();
    assert_eq!(error, ProviderError::not_now("The VM is being migrated"));
}

#[test]
fn values_come_from_the_last_reading_while_they_are_fresh() {
    let registry = Registry::new();
    let device = Own::new(StatsTarget::Vm, "inflations");
    let cached = Registration::new().cached(Duration::from_secs(3600));
    registry
        .register_with("balloon", Arc::clone(&device), cached)
        .unwrap();
    let stale = Own::new(StatsTarget::Vm, "deflations");
    let uncached = Registration::new().cached(Duration::ZERO);
    registry
        .register_with("other", Arc::clone(&stale), uncached)
        .unwrap();
    let query = |provider: &str, names: &[&str]| {
        let mut filter = of(provider, StatsFilterBranch::Vm);
        let names = names.iter().map(|&name| name.to_owned()).collect();
        filter.providers.as_mut().unwrap()[0].names = Some(names);
        let mut results = registry.query(&filter).unwrap();
        results.pop().map(|mut result| result.stats.remove(0))
    };
    // The first request wants another name: the cache has all names anyway.
    assert_eq!(query("balloon", &["other"]), None);
    device.value.store(2, Ordering::Relaxed);
    assert_eq!(
        query("balloon", &["inflations"]),
        Some(value("inflations", 1))
    );
    std::thread::sleep(Duration::from_millis(1));
    assert_eq!(
        query("other", &["deflations"]),
        Some(value("deflations", 1))
    );
    stale.value.store(2, Ordering::Relaxed);
    std::thread::sleep(Duration::from_millis(1));
    assert_eq!(
        query("other", &["deflations"]),
        Some(value("deflations", 2))
    );
}

/// Returns the lines of the answer to a request.
fn answer(monitor: &Monitor, request: &str) -> String {
    let mut session = Session::new(&monitor.host().version(), Default::default());
    session.receive(b"{'execute': 'qmp_capabilities'}");
    session.run(monitor, &monitor.context());
    session.sent(session.output().len());
    session.receive(request.as_bytes());
    session.run(monitor, &monitor.context());
    let answer = str::from_utf8(session.output()).unwrap();
    answer.trim_end().to_owned()
}

#[test]
fn target_is_queried_and_listed_when_a_provider_declares_it() {
    let registry = Registry::new();
    let monitor = Monitor::new(registry.clone(), NoHost);
    let query = "{'execute': 'query-stats', 'arguments': {'target': 'block'}}";
    let refusal = answer(&monitor, query);
    assert!(
        refusal.contains("does not accept value 'block'"),
        "{refusal}"
    );

    let disks = Own::new("block", "read-bytes");
    registry.register("disks", disks).unwrap();
    assert_eq!(
        answer(&monitor, query),
        "{\"return\": [{\"provider\": \"disks\", \"qom-path\": \"/vcpu\", \
         \"stats\": [{\"name\": \"read-bytes\", \"value\": 1}]}]}"
    );
    let schemas = answer(&monitor, "{'execute': 'query-stats-schemas'}");
    assert!(schemas.contains("\"target\": \"block\""), "{schemas}");
    let introspection = answer(&monitor, "{'execute': 'query-qmp-schema'}");
    assert!(introspection.contains("{\"name\": \"block\"}"));
    assert!(introspection.contains("{\"case\": \"block\", \"type\": "));
    let odd = "{'execute': 'query-stats', 'arguments': {'target': 'block', 'vcpus': []}}";
    assert!(answer(&monitor, odd).contains("Parameter 'vcpus' is unexpected"));
    #[cfg(feature = "hmp")]
    {
        let lines = stats_runtime::hmp::HmpState::new().execute(&monitor, "info stats block");
        assert!(lines.contains("read-bytes (cumulative): 1"), "{lines}");
    }

    registry.remove("disks");
    assert_eq!(answer(&monitor, query), refusal);
}

/// Describes nothing until its first device is there.
struct Hotplugged(AtomicBool);

impl Provider for Hotplugged {
    fn query(&self, query: &StatsQuery<'_>, sink: &mut dyn StatsSink) -> Result<(), ProviderError> {
        if *query.target() == StatsTarget::from("net") {
            sink.result(Some("/net0"));
            sink.scalar("rx-bytes", 1);
        }
        Ok(())
    }

    fn schemas(&self, sink: &mut dyn SchemaSink) -> Result<(), ProviderError> {
        if !self.0.load(Ordering::Relaxed) {
            return Err(ProviderError::not_now("No device yet"));
        }
        sink.schema("net".into());
        sink.stat(&cumulative("rx-bytes"));
        Ok(())
    }
}

#[test]
fn target_is_queried_when_its_first_device_comes_after_the_registration() {
    let registry = Registry::new();
    let provider = Arc::new(Hotplugged(AtomicBool::new(false)));
    registry.register("nets", Arc::clone(&provider)).unwrap();
    let monitor = Monitor::new(registry, NoHost);
    let query = "{'execute': 'query-stats', 'arguments': {'target': 'net'}}";
    assert!(answer(&monitor, query).contains("does not accept value 'net'"));
    provider.0.store(true, Ordering::Relaxed);
    assert!(answer(&monitor, query).contains("rx-bytes"));
}
