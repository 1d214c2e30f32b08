//! Times each step of a query by itself: `cargo bench -p stats-runtime`.
//!
//! In: statistics files of the size of KVM's, so that KVM is not needed. Out:
//! the time of each step. `cargo xtask bench` compares whole requests.

#![allow(
    clippy::unwrap_used,
    reason = "a benchmark may stop at the first surprise"
)]

use std::fs::File;
use std::hint::black_box;
use std::io::{self, Write};
use std::sync::Arc;

use divan::{Bencher, counter::ItemsCount};
use kvm_stats::{ImageBuilder, ImageStat};
use qapi_stats::stats::StatsVCPUFilter;
use qapi_stats::stats::{StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsTarget};
use qapi_stats::wire::Writer;
use stats_runtime::kvm::KvmProvider;
use stats_runtime::qmp::{Limits, Session};
use stats_runtime::sink::JsonResults;
use stats_runtime::sink::{Column, Columns, Row};
use stats_runtime::{Monitor, NoHost, Registry};
use stats_runtime::{Provider, StatsQuery, StatsSink};

fn main() {
    divan::main();
}

/// Takes rows as they come.
struct Rows;

impl StatsSink for Rows {
    fn result(&mut self, _: Option<&str>) {}
    fn scalar(&mut self, _: &str, _: u64) {}
    fn boolean(&mut self, _: &str, _: bool) {}
    fn histogram(&mut self, _: &str, _: &[u64]) {}

    fn row(&mut self, qom_path: Option<&str>, row: &Row<'_>) {
        black_box((qom_path, row.values()));
    }
}

#[divan::bench(args = [1, 64, 512])]
fn sweep_to_rows(bencher: Bencher<'_, '_>, vcpus: u32) {
    let provider = provider(vcpus).unwrap();
    let query = StatsQuery::all(&StatsTarget::Vcpu);
    bencher
        .counter(ItemsCount::new(vcpus))
        .bench_local(|| provider.query(&query, &mut Rows).unwrap());
}

#[divan::bench]
fn json_of_one_row(bencher: Bencher<'_, '_>) {
    let numbers = (0..45).map(|index| Column::number(format!("statistic_number_{index}"), index));
    let lists = [45..77, 77..109].into_iter().enumerate();
    let lists = lists.map(|(index, at)| Column::list(format!("histogram_{index}"), at));
    let columns = Arc::new(Columns::new(numbers.chain(lists)));
    let values: Vec<u64> = (0..109).map(|index| index * index * 97).collect();
    let row = Row::new(&columns, &values).unwrap();
    let mut text = Vec::new();
    bencher.bench_local(|| {
        text.clear();
        let mut writer = Writer::new(&mut text);
        let mut json = JsonResults::new(&mut writer);
        json.row(Some("/machine/unattached/device[0]"), &row);
        json.finish();
        black_box(&text);
    });
}

fn monitor() -> Monitor {
    let registry = Registry::new();
    let provider = Arc::new(provider(1).unwrap());
    registry.register(StatsProvider::Kvm, provider).unwrap();
    Monitor::new(registry, NoHost)
}

fn session(monitor: &Monitor) -> Session {
    let mut session = Session::new(&monitor.host().version(), Limits::default());
    session.receive(b"{'execute': 'qmp_capabilities'}");
    session.run(monitor, &monitor.context());
    session.sent(session.output().len());
    session
}

const REQUEST: &[u8] =
    b"{\"execute\": \"query-stats\", \"arguments\": {\"target\": \"vcpu\"}, \"id\": 1}\n";

/// From bytes to a command that could be executed.
#[divan::bench]
fn read_a_request(bencher: Bencher<'_, '_>) {
    let monitor = monitor();
    let mut session = session(&monitor);
    bencher.bench_local(|| {
        session.receive(REQUEST);
        let command = session.next(&monitor).unwrap();
        session.finish(command.ticket, |_| Ok(()));
        session.sent(session.output().len());
    });
}

/// The whole of a request, for one vCPU.
#[divan::bench]
fn answer_a_request(bencher: Bencher<'_, '_>) {
    let monitor = monitor();
    let subscription = monitor.subscribe(|| {});
    let mut session = session(&monitor);
    let context = monitor.context();
    bencher.bench_local(|| {
        session.receive(REQUEST);
        subscription.run(&mut session, &monitor, &context);
        session.sent(session.output().len());
    });
}

/// A query with a filter of two names, one of which is unknown.
#[divan::bench]
fn filter_names(bencher: Bencher<'_, '_>) {
    let monitor = monitor();
    bencher.bench_local(|| {
        let names = vec!["histogram_1".to_owned(), "nonesuch".to_owned()];
        let request = StatsRequest {
            provider: StatsProvider::Kvm,
            names: Some(names),
        };
        let filter = StatsFilter {
            target: StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus: None }),
            providers: Some(vec![request]),
        };
        monitor.registry().query(&filter).unwrap()
    });
}

/// Returns a provider with `vcpus` vCPUs, each of which has 45 numbers and two
/// histograms of 32 buckets.
fn provider(vcpus: u32) -> io::Result<KvmProvider> {
    let mut image = ImageBuilder::new("kvm-1/vcpu-0");
    for index in 0..45 {
        image = image.stat(ImageStat::new(
            format!("statistic_number_{index}"),
            0,
            0,
            [7919 * index],
        ));
    }
    for index in 0..2 {
        let mut buckets = [0; 32];
        buckets
            .iter_mut()
            .take(10)
            .for_each(|bucket| *bucket = 123_456);
        image = image.stat(ImageStat::new(format!("histogram_{index}"), 4, 0, buckets));
    }
    let mut file = tempfile::NamedTempFile::new()?;
    file.write_all(&image.build())?;
    let provider = KvmProvider::new();
    for index in 0..vcpus {
        let stats = File::open(file.path())?;
        provider
            .add_vcpu_fd(format!("/machine/unattached/device[{index}]"), stats.into())
            .map_err(io::Error::other)?;
    }
    Ok(provider)
}
