//! Filters of names: what clients get, and how often names are looked up.
#![cfg(feature = "kvm")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::collections::BTreeSet;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use kvm_stats::{ImageBuilder, ImageStat};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsResult, StatsVCPUFilter,
};
use stats_runtime::kvm::KvmProvider;
use stats_runtime::sink::{ResultsSink, Row};
use stats_runtime::{Registry, StatsSink};

/// Returns a registry whose provider has one vCPU for each set of names.
fn registry<'a>(vcpus: impl IntoIterator<Item = &'a BTreeSet<String>>) -> Registry {
    let provider = KvmProvider::new();
    for (index, names) in vcpus.into_iter().enumerate() {
        let mut image = ImageBuilder::new("kvm-1/vcpu-0");
        for (name, value) in names.iter().zip(0..) {
            image = image.stat(ImageStat::new(name.as_str(), 0, 0, [value]));
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&image.build()).unwrap();
        provider
            .add_vcpu_fd(format!("/vcpu{index}"), OwnedFd::from(file))
            .unwrap();
    }
    let registry = Registry::new();
    registry
        .register(StatsProvider::Kvm, Arc::new(provider))
        .unwrap();
    registry
}

fn filter(names: Option<Vec<String>>) -> StatsFilter {
    let provider = StatsProvider::Kvm;
    StatsFilter {
        target: StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus: None }),
        providers: Some(vec![StatsRequest { provider, names }]),
    }
}

/// Returns the results with only the statistics that `names` lists.
fn model(mut all: Vec<StatsResult>, names: &[String]) -> Vec<StatsResult> {
    for result in &mut all {
        result.stats.retain(|stat| names.contains(&stat.name));
    }
    all.retain(|result| !result.stats.is_empty());
    all
}

proptest! {
    #[test]
    fn query_returns_the_named_statistics_when_layouts_alternate(
        layouts in vec(btree_set("[a-h]{1,2}", 1..12), 1..4),
        order in vec(any::<prop::sample::Index>(), 0..9),
        names in vec("[a-h]{0,2}", 0..40),
    ) {
        let registry = registry(order.iter().map(|index| index.get(&layouts)));
        let all = registry.query(&filter(None)).unwrap();
        prop_assert_eq!(all.len(), order.len());
        let named = registry.query(&filter(Some(names.clone()))).unwrap();
        prop_assert_eq!(named, model(all, &names));
    }
}

/// Counts rows, and the choices of columns that the rows were written with.
#[derive(Default)]
struct Choices {
    rows: usize,
    last: usize,
    choices: usize,
}

impl StatsSink for Choices {
    fn result(&mut self, _: Option<&str>) {}
    fn scalar(&mut self, _: &str, _: u64) {}
    fn boolean(&mut self, _: &str, _: bool) {}
    fn histogram(&mut self, _: &str, _: &[u64]) {}

    fn row(&mut self, _: Option<&str>, row: &Row<'_>) {
        let columns = Arc::as_ptr(row.columns()).addr();
        self.choices += usize::from(columns != self.last);
        self.last = columns;
        self.rows += 1;
    }
}

impl ResultsSink for Choices {
    fn provider(&mut self, _: &StatsProvider) {}
}

#[test]
fn names_are_looked_up_once_when_vcpus_have_one_layout() {
    let layout = (0..40).map(|index| format!("stat{index}")).collect();
    let registry = registry([&layout; 100]);
    for names in [vec!["stat7".to_owned()], layout.iter().cloned().collect()] {
        let mut sink = Choices::default();
        let filter = filter(Some(names));
        registry.query_into(&filter, &mut sink).unwrap();
        assert_eq!((sink.rows, sink.choices), (100, 1));
    }
}
