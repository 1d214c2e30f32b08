//! Tests of the recorder with news that no monitor sent.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};

use super::*;
use crate::record::sealer::Ring;
use crate::recording::Recording;
use crate::sample::{Absence, Object, ObjectId, Stat, Value, Window};

const SOCKET: &str = "/run/vm.sock";

fn recorder(path: &Path) -> Recorder {
    let opened = Folder::open(path, |_| {}).unwrap();
    let ring = Ring {
        keep: None,
        size: None,
    };
    let clock = Clock::start();
    let sealer = Sealer::start(path, ring, clock).unwrap();
    Recorder::new(opened.folder, opened.about, clock, sealer, u64::MAX)
}

fn connect(recorder: &mut Recorder, name: &str, run: u32) {
    let connected = Connected {
        identity: Identity {
            name: Some(name.to_owned()),
            ..Identity::default()
        },
        tables: Vec::new(),
        run,
        problems: Vec::new(),
    };
    recorder.news(SOCKET, source::Event::Connected(Arc::new(connected)));
}

/// Takes a sample, with absences of these reasons.
fn sample(recorder: &mut Recorder, reasons: &[&str]) {
    let table = Table {
        provider: StatsProvider::Kvm,
        target: StatsTarget::Vm,
        stats: vec![Stat::new(StatsSchemaValue::cumulative("exits"))],
    };
    let begin = recorder.clock.now();
    let window = Window { begin, end: begin };
    let absences = reasons.iter().map(|reason| Absence {
        provider: StatsProvider::Kvm,
        target: StatsTarget::Vcpu,
        object: None,
        reason: (*reason).to_owned(),
    });
    let sample = Sample {
        window,
        run: 0,
        objects: vec![Object {
            table: Arc::new(table),
            id: ObjectId::default(),
            window,
            values: vec![Value::Number(1)],
        }],
        absences: absences.collect(),
    };
    recorder.news(SOCKET, source::Event::Sampled(Arc::new(sample)));
}

/// Returns the name and the run of each sample.
fn runs(path: &Path) -> Vec<(String, u32)> {
    let mut recording = Recording::open(path).unwrap();
    let samples = recording.samples(Timestamp(0)).map(Result::unwrap);
    samples
        .map(|one| (one.vm.to_string(), one.sample.run))
        .collect()
}

fn events(path: &Path, kind: EventKind) -> Vec<(Option<String>, String)> {
    let events = Recording::open(path).unwrap().events().unwrap();
    let events = events.into_iter().filter(|event| event.kind == kind);
    events
        .map(|event| (event.vm.map(|vm| vm.to_string()), event.text))
        .collect()
}

#[test]
fn virtual_machines_that_share_a_socket_in_turn_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = recorder(folder.path());
    for (name, run) in [("web", 0), ("db", 1), ("web", 2), ("web", 2)] {
        connect(&mut recorder, name, run);
        sample(&mut recorder, &[]);
    }
    recorder.finish().unwrap();
    let expected = [("web", 0), ("db", 0), ("web", 1), ("web", 1)];
    assert_eq!(
        runs(folder.path()),
        expected.map(|(name, run)| (name.to_owned(), run))
    );
    let recording = Recording::open(folder.path()).unwrap();
    for vm in recording.vms() {
        assert_eq!(vm.identity.name.as_ref(), Some(&vm.vm));
    }
    let restarted = events(folder.path(), EventKind::Restarted);
    assert_eq!(restarted, [(Some("web".to_owned()), "run 1".to_owned())]);
}

#[test]
fn names_are_unique_when_a_virtual_machine_is_made_again() {
    let identity = |endpoint: &str, uuid: &str| Identity {
        endpoint: endpoint.to_owned(),
        name: Some("web".to_owned()),
        uuid: Some(uuid.to_owned()),
        ..Identity::default()
    };
    let mut vms = Vec::new();
    for (endpoint, uuid) in [("a", "1"), ("a", "2"), ("b", "3"), ("b", "4")] {
        let identity = identity(endpoint, uuid);
        vms.push(RecordedVm {
            vm: unique_name(&vms, &identity),
            identity,
            run: 0,
        });
    }
    let names: Vec<_> = vms.iter().map(|vm| vm.vm.as_str()).collect();
    assert_eq!(names, ["web", "web-2", "b", "b-2"]);
}

#[test]
fn numbers_go_on_where_the_recorder_before_ended() {
    let folder = tempfile::tempdir().unwrap();
    for kill in [false, true, false] {
        let mut recorder = recorder(folder.path());
        connect(&mut recorder, "web", 0);
        sample(&mut recorder, &[]);
        sample(&mut recorder, &[]);
        if !kill {
            recorder.finish().unwrap();
        }
    }
    let runs: Vec<u32> = runs(folder.path()).into_iter().map(|one| one.1).collect();
    // Each sample has a number of its own; otherwise two would be read as one.
    assert_eq!(runs, [0, 0, 1, 1, 2, 2]);
    assert!(events(folder.path(), EventKind::Restarted).is_empty());
}

#[test]
fn sample_has_the_absences_that_it_was_taken_with() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = recorder(folder.path());
    connect(&mut recorder, "web", 0);
    for reasons in [&["refused"][..], &["refused"], &[]] {
        sample(&mut recorder, reasons);
    }
    recorder.switch();
    sample(&mut recorder, &["refused"]);
    recorder.finish().unwrap();
    let mut recording = Recording::open(folder.path()).unwrap();
    let samples = recording.samples(Timestamp(0)).map(Result::unwrap);
    let absences: Vec<usize> = samples.map(|one| one.sample.absences.len()).collect();
    assert_eq!(absences, [1, 1, 0, 1]);
}

#[test]
fn description_is_not_written_again_for_the_same_table() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = recorder(folder.path());
    let file = || {
        fs::metadata(folder.path().join("schema.json"))
            .unwrap()
            .ino()
    };
    connect(&mut recorder, "web", 0);
    sample(&mut recorder, &[]);
    let before = file();
    connect(&mut recorder, "web", 0);
    sample(&mut recorder, &[]);
    assert_eq!(file(), before);
}

#[test]
fn nothing_recorded_is_an_error_with_the_reason() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = recorder(folder.path());
    connect(&mut recorder, "web", 0);
    let window = Window {
        begin: Timestamp(1),
        end: Timestamp(1),
    };
    let empty = Sample {
        window,
        run: 0,
        objects: Vec::new(),
        absences: Vec::new(),
    };
    recorder.news(SOCKET, source::Event::Sampled(Arc::new(empty)));
    assert!(recorder.progress().contains("0 samples of 1 VMs, 1 fail"));
    let failure = recorder.finish().unwrap_err().to_string();
    assert!(failure.contains("has no statistics"), "{failure}");
}

#[test]
fn events_that_could_not_be_written_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut recorder = recorder(folder.path());
    // No description can be written while a folder has its temporary name.
    let obstacle = folder.path().join(".new-schema.json");
    fs::create_dir(&obstacle).unwrap();
    connect(&mut recorder, "web", 0);
    sample(&mut recorder, &[]);
    let step = recorder.wall_ahead + 2_000_000_000;
    recorder.look_at_clock(step);
    assert!(recorder.progress().contains("1 lost"));
    fs::remove_dir(&obstacle).unwrap();
    recorder.look_at_clock(step);
    sample(&mut recorder, &[]);
    recorder.news(SOCKET, source::Event::Gone);
    assert!(
        recorder
            .progress()
            .contains("1 samples of 0 VMs, 0 fail, 1 lost")
    );
    recorder.finish().unwrap();
    let lost = events(folder.path(), EventKind::Lost);
    let text = "1 samples and 1 events could not be written".to_owned();
    assert_eq!(lost, [(None, text)]);
    assert_eq!(events(folder.path(), EventKind::Clock).len(), 1);
}
