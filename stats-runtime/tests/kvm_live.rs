//! The KVM backend on the kernel that runs this test.
//!
//! Where /dev/kvm does not open, every test says `skipped` with the reason.
#![cfg(feature = "kvm")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use kvm_ioctls::Kvm;
use kvm_stats::{Image, open, record, supports, warnings};
use qapi_stats::stats::{StatsSchemaValue, StatsTarget, StatsType, StatsUnit};
use stats_runtime::kvm::{DescribedLayout, KvmProvider};
use stats_runtime::{Provider, SchemaSink, StatsQuery, StatsSink};

/// KVM, if this machine lets us.
fn kvm() -> Option<Kvm> {
    match Kvm::new() {
        Ok(kvm) => Some(kvm),
        Err(error) => {
            skip::because(format_args!("/dev/kvm cannot be opened: {error}"));
            None
        }
    }
}

/// A statistic's name and how many values it has; `None` for a boolean.
type Stat = (String, Option<usize>);

/// Keeps every object's path and statistics.
#[derive(Debug, Default)]
struct Kept(Vec<(Option<String>, Vec<Stat>)>);

impl Kept {
    fn push(&mut self, name: &str, values: Option<usize>) {
        self.0.last_mut().unwrap().1.push((name.to_owned(), values));
    }
}

impl StatsSink for Kept {
    fn result(&mut self, qom_path: Option<&str>) {
        self.0.push((qom_path.map(str::to_owned), Vec::new()));
    }
    fn scalar(&mut self, name: &str, _: u64) {
        self.push(name, Some(1));
    }
    fn boolean(&mut self, name: &str, _: bool) {
        self.push(name, None);
    }
    fn histogram(&mut self, name: &str, buckets: &[u64]) {
        self.push(name, Some(buckets.len()));
    }
}

#[derive(Debug, Default)]
struct Schemas(Vec<(StatsTarget, Vec<StatsSchemaValue>)>);

impl SchemaSink for Schemas {
    fn schema(&mut self, target: StatsTarget) {
        self.0.push((target, Vec::new()));
    }
    fn stat(&mut self, stat: &StatsSchemaValue) {
        self.0.last_mut().unwrap().1.push(stat.clone());
    }
}

fn ask(provider: &KvmProvider, target: StatsTarget) -> Kept {
    let mut kept = Kept::default();
    provider
        .query(&StatsQuery::all(&target), &mut kept)
        .unwrap();
    kept
}

#[test]
fn values_and_schemas_agree() {
    let Some(kvm) = kvm() else { return };
    assert!(supports(&kvm).unwrap());
    let vm = kvm.create_vm().unwrap();
    let provider = KvmProvider::with_vm(&vm).unwrap();
    for index in 0..3 {
        let vcpu = vm.create_vcpu(index).unwrap();
        provider.add_vcpu(format!("/vcpu{index}"), &vcpu).unwrap();
    }
    let mut schemas = Schemas::default();
    provider.schemas(&mut schemas).unwrap();
    let [(StatsTarget::Vcpu, vcpu_stats), (StatsTarget::Vm, vm_stats)] = &schemas.0[..] else {
        panic!("{schemas:?}");
    };
    let names = |stats: &[StatsSchemaValue]| -> Vec<_> {
        stats.iter().map(|stat| stat.name.clone()).collect()
    };
    let written =
        |stats: &[Stat]| -> Vec<_> { stats.iter().map(|(name, _)| name.clone()).collect() };

    let kept = ask(&provider, StatsTarget::Vcpu);
    let paths: Vec<_> = kept
        .0
        .iter()
        .map(|(path, _)| path.as_deref().unwrap())
        .collect();
    assert_eq!(paths, ["/vcpu2", "/vcpu1", "/vcpu0"]);
    for (_, stats) in &kept.0 {
        assert_eq!(written(stats), names(vcpu_stats));
    }
    let kept = ask(&provider, StatsTarget::Vm);
    assert_eq!(kept.0.len(), 1);
    assert_eq!(written(&kept.0[0].1), names(vm_stats));
}

#[test]
fn the_kernel_describes_its_halt_histograms() {
    let Some(kvm) = kvm() else { return };
    let vm = kvm.create_vm().unwrap();
    let provider = KvmProvider::new();
    provider
        .add_vcpu("/vcpu0", &vm.create_vcpu(0).unwrap())
        .unwrap();
    let mut schemas = Schemas::default();
    provider.schemas(&mut schemas).unwrap();
    let stats = &schemas.0[0].1;
    let find = |name: &str| stats.iter().find(|stat| stat.name == name).unwrap();
    // KVM_GENERIC_VCPU_STATS in include/linux/kvm_host.h: on every machine.
    let histogram = find("halt_wait_hist");
    assert_eq!(histogram.type_, StatsType::Log2Histogram);
    assert_eq!(histogram.unit, Some(StatsUnit::Seconds));
    assert_eq!((histogram.base, histogram.exponent), (Some(10), -9));
    assert_eq!(find("halt_wakeup").unit, None);
    let kept = ask(&provider, StatsTarget::Vcpu);
    let values = &kept.0[0].1;
    assert!(
        values
            .iter()
            .any(|(name, values)| name == "halt_wait_hist" && *values == Some(32))
    );
    // The generic ones come first in the kernel, so last here.
    assert_eq!(values.last().unwrap().0, "halt_successful_poll");
}

#[test]
fn a_recording_stands_in_for_the_fd() {
    let Some(kvm) = kvm() else { return };
    let vm = kvm.create_vm().unwrap();
    let vcpu = vm.create_vcpu(5).unwrap();
    let vm_image = record(open(&vm).unwrap()).unwrap();
    let vcpu_image = record(open(&vcpu).unwrap()).unwrap();
    assert_eq!(warnings(&vm_image), Ok(vec![]));
    assert_eq!(warnings(&vcpu_image), Ok(vec![]));
    let thread = std::fs::read_link("/proc/thread-self").unwrap();
    let tid = thread.file_name().unwrap().to_str().unwrap();
    let image = Image::read(&vm_image).unwrap();
    assert_eq!(
        (image.id(), image.is_vcpu()),
        (&*format!("kvm-{tid}"), false)
    );
    let image = Image::read(&vcpu_image).unwrap();
    assert!(image.is_vcpu());
    assert_eq!(image.id(), format!("kvm-{tid}/vcpu-5"));

    let mut kept = Kept::default();
    kept.result(Some("/vcpu"));
    DescribedLayout::from(image.layout().clone()).write_values(image.words(), &mut kept);
    let live = KvmProvider::new();
    live.add_vcpu("/vcpu", &vcpu).unwrap();
    assert_eq!(kept.0, ask(&live, StatsTarget::Vcpu).0);
    let replay = KvmProvider::new();
    let mut file = tempfile::tempfile().unwrap();
    std::io::Write::write_all(&mut file, &vcpu_image).unwrap();
    replay.add_vcpu_fd("/vcpu", file.into()).unwrap();
    assert_eq!(kept.0, ask(&replay, StatsTarget::Vcpu).0);
}

#[test]
fn statistics_outlive_the_vm() {
    let Some(kvm) = kvm() else { return };
    let vm = kvm.create_vm().unwrap();
    let vcpu = vm.create_vcpu(0).unwrap();
    let provider = KvmProvider::with_vm(&vm).unwrap();
    provider.add_vcpu("/vcpu0", &vcpu).unwrap();
    drop((vcpu, vm, kvm));
    assert_eq!(ask(&provider, StatsTarget::Vm).0.len(), 1);
    assert_eq!(ask(&provider, StatsTarget::Vcpu).0.len(), 1);
    assert!(provider.remove_vcpu("/vcpu0").is_some());
    assert_eq!(ask(&provider, StatsTarget::Vcpu).0.len(), 0);
}
