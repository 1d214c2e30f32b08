//! Statistics files that other processes give: vCPUs with their own indexes, and objects
//! in the kernel's format, also from writers that lie.
#![cfg(feature = "kvm")]
#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;

use kvm_stats::{ImageBuilder, ImageStat, Writer};
use qapi_stats::stats::{
    StatsFilter, StatsFilterBranch, StatsProvider, StatsRequest, StatsResult, StatsTarget,
    StatsVCPUFilter,
};
use qapi_stats::wire::Dict;
use stats_runtime::kvm::{Error, KvmProvider, LAYOUT_BYTES_MAX, LAYOUTS_MAX, ObjectFiles};
use stats_runtime::{Provider, Registration, Registry};

/// Returns a writer's file with one counter.
fn counter(name: &str, value: u64) -> (Writer, OwnedFd) {
    let writer = Writer::builder("object").counter(name).build().unwrap();
    writer.counter(name).unwrap().set(value);
    let fd = writer.try_clone_fd().unwrap();
    (writer, fd)
}

/// Returns a file that anybody may change, with the bytes of a statistics file.
fn file(stats: impl IntoIterator<Item = ImageStat>) -> File {
    let image = stats
        .into_iter()
        .fold(ImageBuilder::new("object"), ImageBuilder::stat);
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&image.build()).unwrap();
    file
}

fn stat(name: impl Into<Vec<u8>>) -> ImageStat {
    ImageStat::new(name, 0, 0, [1])
}

fn block() -> StatsTarget {
    StatsTarget::Unknown("block".into())
}

/// Returns a registry with the vCPUs of `kvm` and the objects of `block`, which answer
/// only by their name and fail alone.
fn registry(kvm: &KvmProvider, objects: &ObjectFiles) -> Registry {
    let registry = Registry::new();
    registry.register(StatsProvider::Kvm, kvm.clone()).unwrap();
    let registration = Registration::new().only_when_named().skip_when_failing();
    registry
        .register_with("block", objects.clone(), registration)
        .unwrap();
    registry
}

/// Asks both providers about a target.
fn ask(registry: &Registry, target: StatsFilterBranch) -> Vec<StatsResult> {
    let of = |provider| StatsRequest {
        provider,
        names: None,
    };
    let filter = StatsFilter {
        target,
        providers: Some(vec![
            of(StatsProvider::Kvm),
            of(StatsProvider::Unknown("block".into())),
        ]),
    };
    registry.query(&filter).unwrap()
}

/// Returns the paths of results with the first value of each.
fn shown(results: &[StatsResult]) -> Vec<String> {
    let line = |result: &StatsResult| {
        let path = result.qom_path.as_deref().unwrap_or("-");
        let stat = result.stats.first().unwrap();
        format!("{path} {} {:?}", stat.name, stat.value)
    };
    results.iter().map(line).collect()
}

fn ask_objects(registry: &Registry) -> Vec<String> {
    let target = StatsFilterBranch::Unknown {
        tag: "block".into(),
        members: Dict::new(),
    };
    shown(&ask(registry, target))
}

fn ask_vcpus(registry: &Registry) -> Vec<String> {
    let target = StatsFilterBranch::Vcpu(StatsVCPUFilter { vcpus: None });
    shown(&ask(registry, target))
}

#[test]
fn vcpu_has_the_index_that_was_given() {
    let provider = KvmProvider::new();
    let add = |index, path: &str| provider.add_vcpu_fd_at(index, path, counter("exits", 1).1);
    add(4, "/four").unwrap();
    add(0, "/zero").unwrap();
    let expected = vec![(0, "/zero".to_owned()), (4, "/four".to_owned())];
    assert_eq!(provider.vcpus(), expected);
    let error = add(4, "/other").unwrap_err();
    assert_eq!(error, Error::DuplicateIndex { index: 4 });
    assert_eq!(
        error.to_string(),
        "KVM stats: a vCPU with index 4 has been added already"
    );
    let qom_path = "/four".to_owned();
    assert_eq!(
        add(5, "/four").unwrap_err(),
        Error::DuplicateVcpu { qom_path }
    );
    assert_eq!(provider.vcpus(), expected);
    provider.remove_vcpu("/four");
    add(4, "/again").unwrap();
    // A vCPU without an index gets the lowest free one.
    provider.add_vcpu_fd("/one", counter("exits", 1).1).unwrap();
    let indexes: Vec<_> = provider.vcpus().iter().map(|(index, _)| *index).collect();
    assert_eq!(indexes, [0, 1, 4]);
}

#[test]
fn vm_is_gone_when_its_file_was_removed_and_vcpus_stay() {
    let provider = KvmProvider::new();
    assert!(!provider.remove_vm());
    provider.set_vm_fd(counter("vm_stat", 7).1).unwrap();
    provider
        .add_vcpu_fd_at(0, "/a", counter("exits", 1).1)
        .unwrap();
    let registry = registry(&provider, &provider.object_files(block()));
    assert_eq!(
        shown(&ask(&registry, StatsFilterBranch::Vm)),
        ["- vm_stat Scalar(7)"]
    );
    assert!(provider.remove_vm());
    assert_eq!(ask(&registry, StatsFilterBranch::Vm), []);
    assert_eq!(ask_vcpus(&registry), ["/a exits Scalar(1)"]);
    let schemas = registry.schemas(None).unwrap();
    assert!(
        schemas
            .iter()
            .all(|schema| schema.target != StatsTarget::Vm)
    );
}

#[test]
fn objects_come_newest_first_and_show_what_their_writers_count() {
    let objects = ObjectFiles::new(block());
    let registry = registry(&KvmProvider::new(), &objects);
    assert!(objects.is_empty());
    assert_eq!(ask_objects(&registry), [""; 0]);
    let (writer, fd) = counter("reads", 1);
    objects.add("/disk0", fd).unwrap();
    objects.add("/disk1", counter("reads", 2).1).unwrap();
    assert_eq!(
        ask_objects(&registry),
        ["/disk1 reads Scalar(2)", "/disk0 reads Scalar(1)"]
    );
    writer.counter("reads").unwrap().add(8);
    assert_eq!(
        ask_objects(&registry),
        ["/disk1 reads Scalar(2)", "/disk0 reads Scalar(9)"]
    );
    let qom_path = "/disk0".to_owned();
    assert_eq!(
        objects.add("/disk0", counter("reads", 3).1).unwrap_err(),
        Error::DuplicateObject { qom_path }
    );
    assert!(objects.remove("/disk1") && !objects.remove("/disk1"));
    assert_eq!(ask_objects(&registry), ["/disk0 reads Scalar(9)"]);
    assert_eq!(
        ask_vcpus(&registry),
        [""; 0],
        "objects of another kind stay away"
    );
    assert!(objects.remove("/disk0") && objects.is_empty());
}

#[test]
fn schema_lists_each_name_once_when_layouts_differ() {
    let objects = ObjectFiles::new(block());
    let registry = registry(&KvmProvider::new(), &objects);
    objects
        .add("/a", file([stat("reads"), stat("writes")]).into())
        .unwrap();
    objects
        .add("/b", file([stat("flushes"), stat("reads")]).into())
        .unwrap();
    let schemas = registry.schemas(Some(&"block".into())).unwrap();
    assert_eq!(schemas.len(), 1);
    assert_eq!(schemas[0].target, block());
    let names: Vec<_> = schemas[0].stats.iter().map(|stat| &*stat.name).collect();
    assert_eq!(names, ["reads", "flushes", "writes"]);
}

#[test]
fn only_the_objects_fail_when_a_file_was_shortened() {
    let kvm = KvmProvider::new();
    kvm.add_vcpu_fd("/vcpu", counter("exits", 1).1).unwrap();
    let objects = kvm.object_files(block());
    let registry = registry(&kvm, &objects);
    let liar = file([stat("reads")]);
    objects
        .add("/disk0", liar.try_clone().unwrap().into())
        .unwrap();
    objects.add("/disk1", counter("reads", 2).1).unwrap();
    liar.set_len(0).unwrap();
    assert_eq!(ask_objects(&registry), [""; 0]);
    assert_eq!(registry.skipped("block"), Some(1));
    assert_eq!(ask_vcpus(&registry), ["/vcpu exits Scalar(1)"]);
    objects.remove("/disk0");
    assert_eq!(ask_objects(&registry), ["/disk1 reads Scalar(2)"]);
}

#[test]
fn change_of_descriptors_changes_nothing_when_the_file_was_added() {
    let objects = ObjectFiles::new(block());
    let registry = registry(&KvmProvider::new(), &objects);
    let mut liar = file([stat("reads")]);
    objects
        .add("/disk0", liar.try_clone().unwrap().into())
        .unwrap();
    let long = file((0..100).map(|number| stat(format!("stat-{number}"))));
    std::io::Seek::rewind(&mut liar).unwrap();
    std::io::copy(&mut rewound(long), &mut liar).unwrap();
    let answer = ask_objects(&registry);
    assert!(answer[0].starts_with("/disk0 reads "), "{answer:?}");
}

fn rewound(mut file: File) -> File {
    std::io::Seek::rewind(&mut file).unwrap();
    file
}

#[test]
fn file_is_refused_when_its_descriptors_take_too_much_memory() {
    let large = || file((0..4000).map(|number| stat(format!("{number:0>300}")))).into();
    let is_refused = |error: Error| match error {
        Error::LayoutsTooLarge { bytes } => bytes > LAYOUT_BYTES_MAX,
        _ => false,
    };
    let kvm = KvmProvider::new();
    let objects = kvm.object_files(block());
    objects.add("/a", counter("reads", 1).1).unwrap();
    assert!(is_refused(objects.add("/b", large()).unwrap_err()));
    assert!(is_refused(kvm.add_vcpu_fd("/v", large()).unwrap_err()));
    assert!(is_refused(kvm.set_vm_fd(large()).unwrap_err()));
    assert!(kvm.vcpus().is_empty() && !kvm.remove_vm());
    let registry = registry(&kvm, &objects);
    assert_eq!(ask_objects(&registry), ["/a reads Scalar(1)"]);
}

#[test]
fn file_is_refused_when_too_many_different_ones_were_added() {
    let kvm = KvmProvider::new();
    let objects = kvm.object_files(block());
    for number in 0..LAYOUTS_MAX {
        let name = format!("stat-{number}");
        objects
            .add(format!("/{number}"), counter(&name, 1).1)
            .unwrap();
        kvm.add_vcpu_fd(format!("/{number}"), counter(&name, 1).1)
            .unwrap();
    }
    let other = || counter("other", 1).1;
    assert_eq!(objects.add("/other", other()), Err(Error::TooManyLayouts));
    assert_eq!(
        kvm.add_vcpu_fd("/other", other()),
        Err(Error::TooManyLayouts)
    );
    assert_eq!(kvm.set_vm_fd(other()), Err(Error::TooManyLayouts));
    // Objects whose layout is known are not counted.
    for number in 0..100 {
        objects
            .add(format!("/same{number}"), counter("stat-3", 1).1)
            .unwrap();
    }
    assert!(objects.remove("/0"));
    objects.add("/other", other()).unwrap();
}
