//! The provider: order, hotplug, shapes, and queries while vCPUs come and go.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use qapi_stats::stats::StatsTarget;

use super::files::{one, open};
use super::{Kept, KeptSchemas, Value, owned, scalar};
use crate::kvm::{Error, KvmProvider};
use crate::provider::{Provider, StatsQuery, StatsSink};
use kvm_stats::{ImageBuilder, ImageStat};

/// A provider with a VM and these vCPUs, whose values are 0, 1 and so on.
fn provider(paths: &[&str]) -> KvmProvider {
    let provider = KvmProvider::new();
    provider.set_vm_fd(open(&one("vm_stat", 99))).unwrap();
    for (value, path) in paths.iter().enumerate() {
        provider
            .add_vcpu_fd(*path, open(&one("exits", value as u64)))
            .unwrap();
    }
    provider
}

fn ask(provider: &KvmProvider, query: &StatsQuery<'_>) -> Kept {
    let mut kept = Kept::default();
    provider.query(query, &mut kept).unwrap();
    kept
}

fn vcpus(provider: &KvmProvider) -> Kept {
    ask(provider, &StatsQuery::all(&StatsTarget::Vcpu))
}

/// Targets and names, in order.
fn schemas(provider: &KvmProvider) -> Vec<(StatsTarget, Vec<String>)> {
    let mut kept = KeptSchemas::default();
    provider.schemas(&mut kept).unwrap();
    let names = |stats: Vec<_>| {
        stats
            .into_iter()
            .map(|stat: qapi_stats::stats::StatsSchemaValue| stat.name)
            .collect()
    };
    kept.0
        .into_iter()
        .map(|(target, stats)| (target, names(stats)))
        .collect()
}

#[test]
fn the_vcpu_added_last_comes_first() {
    let provider = provider(&["/a", "/b", "/c"]);
    let kept = vcpus(&provider);
    assert_eq!(kept.paths(), ["/c", "/b", "/a"]);
    assert_eq!(kept.0[0].1, [scalar("exits", 2)]);
    assert_eq!(
        ask(&provider, &StatsQuery::all(&StatsTarget::Vm)).paths(),
        ["-"]
    );
    assert_eq!(
        ask(&provider, &StatsQuery::all(&StatsTarget::Cryptodev)).paths(),
        [""; 0]
    );
    let other = StatsTarget::Unknown("block".into());
    assert_eq!(ask(&provider, &StatsQuery::all(&other)).paths(), [""; 0]);
}

#[test]
fn unwanted_vcpus_are_not_read() {
    let provider = provider(&["/a", "/c"]);
    // This one cannot be read: its data is cut off.
    let bytes = one("exits", 7);
    provider
        .add_vcpu_fd("/b", open(&bytes[..bytes.len() - 1]))
        .unwrap();
    let mut kept = Kept::default();
    let query = StatsQuery::all(&StatsTarget::Vcpu);
    let error = provider.query(&query, &mut kept).unwrap_err();
    assert_eq!(
        error.to_string(),
        "KVM stats: failed to read stats data: expected 8 actual 7"
    );
    let wanted = owned(&["/a", "/c", "/nonesuch"]);
    let query = StatsQuery::new(&StatsTarget::Vcpu, None, Some(&wanted));
    assert_eq!(ask(&provider, &query).paths(), ["/c", "/a"]);
}

#[test]
fn vcpus_go_and_come_back() {
    let provider = provider(&["/a", "/b", "/c"]);
    assert!(provider.remove_vcpu("/b").is_some());
    assert!(provider.remove_vcpu("/b").is_none());
    assert_eq!(vcpus(&provider).paths(), ["/c", "/a"]);
    provider.add_vcpu_fd("/b", open(&one("exits", 9))).unwrap();
    assert_eq!(vcpus(&provider).paths(), ["/b", "/c", "/a"]);
    let error = provider
        .add_vcpu_fd("/a", open(&one("exits", 9)))
        .unwrap_err();
    assert_eq!(
        error,
        Error::DuplicateVcpu {
            qom_path: "/a".to_owned()
        }
    );
    assert_eq!(vcpus(&provider).paths(), ["/b", "/c", "/a"]);
}

#[test]
fn a_file_that_is_none_changes_nothing() {
    let provider = provider(&["/a"]);
    assert!(provider.add_vcpu_fd("/b", open(b"short")).is_err());
    assert!(provider.set_vm_fd(open(&[0xff; 64])).is_err());
    assert_eq!(vcpus(&provider).paths(), ["/a"]);
    assert_eq!(
        ask(&provider, &StatsQuery::all(&StatsTarget::Vm)).paths(),
        ["-"]
    );
}

#[test]
fn schemas_come_vcpu_before_vm_and_stay_known() {
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|&name| name.to_owned())
            .collect::<Vec<_>>()
    };
    let provider = provider(&[]);
    assert_eq!(schemas(&KvmProvider::new()), []);
    assert_eq!(schemas(&provider), [(StatsTarget::Vm, names(&["vm_stat"]))]);
    provider.add_vcpu_fd("/a", open(&one("exits", 1))).unwrap();
    let expected = [
        (StatsTarget::Vcpu, names(&["exits"])),
        (StatsTarget::Vm, names(&["vm_stat"])),
    ];
    assert_eq!(schemas(&provider), expected);
    provider.remove_vcpu("/a");
    assert_eq!(schemas(&provider), expected);
    assert_eq!(vcpus(&provider).paths(), [""; 0]);
}

#[test]
fn vcpus_of_another_kernel_have_their_own_layout() {
    let provider = provider(&["/a", "/b"]);
    let other = ImageBuilder::new("kvm-1/vcpu-2")
        .stat(ImageStat::new("halts", 0, 0, [1]))
        .stat(ImageStat::new("exits", 0, 0, [2]))
        .build();
    provider.add_vcpu_fd("/c", open(&other)).unwrap();
    let [(_, names), _] = &schemas(&provider)[..] else {
        panic!()
    };
    assert_eq!(names[..], ["exits", "halts"]);
    provider.add_vcpu_fd("/d", open(&one("exits", 5))).unwrap();
    let kept = vcpus(&provider);
    assert_eq!(kept.paths(), ["/d", "/c", "/b", "/a"]);
    assert_eq!(kept.0[0].1, [scalar("exits", 5)]);
    assert_eq!(kept.0[1].1, [scalar("exits", 2), scalar("halts", 1)]);
    let [(_, names), _] = &schemas(&provider)[..] else {
        panic!()
    };
    assert_eq!(names[..], ["exits", "halts"]);
}

#[test]
fn files_are_not_read_when_no_statistic_is_wanted() {
    let provider = provider(&["/a"]);
    // Neither file can be read: the data of both is cut off.
    let bytes = one("exits", 7);
    let short = || open(&bytes[..bytes.len() - 1]);
    provider.add_vcpu_fd("/short", short()).unwrap();
    provider.set_vm_fd(short()).unwrap();
    for target in [StatsTarget::Vcpu, StatsTarget::Vm] {
        let names = owned(&["nonesuch", "vm_stat"]);
        let query = StatsQuery::new(&target, Some(&names), None);
        assert_eq!(ask(&provider, &query), Kept::default());
        let names = owned(&["exits", "nonesuch"]);
        let query = StatsQuery::new(&target, Some(&names), None);
        let error = provider.query(&query, &mut Kept::default());
        assert!(error.is_err());
    }
    // The layout of a vCPU that was removed counts no longer.
    provider.add_vcpu_fd("/b", open(&one("halts", 7))).unwrap();
    let names = owned(&["halts"]);
    let query = StatsQuery::new(&StatsTarget::Vcpu, Some(&names), None);
    assert!(provider.query(&query, &mut Kept::default()).is_err());
    assert!(provider.remove_vcpu("/b").is_some());
    provider.add_vcpu_fd("/c", open(&one("exits", 7))).unwrap();
    assert_eq!(ask(&provider, &query), Kept::default());
}

/// Changes the provider from within its own query.
struct Meddler<'a> {
    provider: &'a KvmProvider,
    seen: Vec<String>,
}

impl StatsSink for Meddler<'_> {
    fn result(&mut self, qom_path: Option<&str>) {
        let path = qom_path.unwrap();
        self.seen.push(path.to_owned());
        // The query holds no lock here; otherwise these calls would deadlock. The query
        // continues with its snapshot of the vCPUs.
        assert!(self.provider.remove_vcpu(path).is_some());
        let added = format!("{path}{path}");
        self.provider
            .add_vcpu_fd(added, open(&one("exits", 1)))
            .unwrap();
        assert_eq!(vcpus(self.provider).0.len(), 2);
    }

    fn scalar(&mut self, _: &str, _: u64) {}
    fn boolean(&mut self, _: &str, _: bool) {}
    fn histogram(&mut self, _: &str, _: &[u64]) {}
}

#[test]
fn a_query_answers_for_the_vcpus_there_were() {
    let provider = provider(&["/a", "/b"]);
    let mut meddler = Meddler {
        provider: &provider,
        seen: Vec::new(),
    };
    provider
        .query(&StatsQuery::all(&StatsTarget::Vcpu), &mut meddler)
        .unwrap();
    assert_eq!(meddler.seen, ["/b", "/a"]);
    assert_eq!(vcpus(&provider).paths(), ["/a/a", "/b/b"]);
}

#[test]
fn many_queries_while_vcpus_come_and_go() {
    let provider = Arc::new(provider(&["/fixed"]));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let kept = vcpus(&provider);
                    let fixed = ("/fixed", vec![scalar("exits", 0)]);
                    let last = kept.0.last().unwrap();
                    assert_eq!((last.0.as_deref().unwrap(), last.1.clone()), fixed);
                    for (_, stats) in &kept.0 {
                        assert!(matches!(&stats[..], [(_, Value::Scalar(_))]));
                    }
                }
            });
        }
        for round in 0..500 {
            let path = format!("/hot{}", round % 3);
            provider
                .add_vcpu_fd(path.as_str(), open(&one("exits", 1)))
                .unwrap();
            assert!(provider.remove_vcpu(&path).is_some());
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn vcpu_comes_back_without_its_fd_when_it_was_parked() {
    let provider = provider(&["/a", "/b"]);
    let handle = provider.clone();
    let parked = handle.remove_vcpu("/a").unwrap();
    assert_eq!(parked.qom_path(), "/a");
    assert_eq!(Provider::vcpus(&provider), [(1, "/b".to_owned())]);
    provider.add_parked_vcpu(parked).unwrap();
    assert_eq!(
        Provider::vcpus(&handle),
        [(0, "/a".to_owned()), (1, "/b".to_owned())]
    );
    let parked = handle.remove_vcpu("/b").unwrap();
    provider.add_vcpu_fd("/b", open(&one("exits", 9))).unwrap();
    let error = provider.add_parked_vcpu(parked).unwrap_err();
    assert!(matches!(error, Error::DuplicateVcpu { .. }));
}

#[test]
fn vcpu_gets_another_index_when_its_own_was_taken_while_it_was_parked() {
    let provider = provider(&["/a", "/b"]);
    let parked = provider.remove_vcpu("/a").unwrap();
    provider.add_vcpu_fd("/c", open(&one("exits", 9))).unwrap();
    provider.add_parked_vcpu(parked).unwrap();
    let expected = [(0, "/c"), (1, "/b"), (2, "/a")];
    assert_eq!(
        Provider::vcpus(&provider),
        expected.map(|(index, path)| (index, path.to_owned()))
    );
}

#[test]
fn provider_has_nothing_when_it_was_cleared_and_takes_a_new_vm() {
    let provider = provider(&["/a", "/b"]);
    provider.clear();
    assert_eq!(schemas(&provider), []);
    assert_eq!(vcpus(&provider).paths(), [""; 0]);
    provider.add_vcpu_fd("/a", open(&one("exits", 0))).unwrap();
    assert_eq!(vcpus(&provider).paths(), ["/a"]);
}
