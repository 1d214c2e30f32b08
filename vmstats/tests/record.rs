//! `vmstats record`: recordings survive, stay small, and are read by other programs.

#![cfg(feature = "record")]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use program::played::{Answer, play};
use program::{Running, Server, stderr};
use serde_json::json;
use vmstats::recording::row::EventKind;
use vmstats::recording::{Recorded, Recording};
use vmstats::sample::Timestamp;

/// The vCPUs of a played monitor.
const VCPUS: u64 = 2;

/// The id of the next played monitor's thread, which does not exist.
static THREADS: AtomicU64 = AtomicU64::new(1_000_000_000);

/// A played monitor, whose counters are the number of the sample.
struct Played {
    socket: PathBuf,
    told: Arc<AtomicU64>,
    is_ended: Arc<AtomicBool>,
}

impl Played {
    /// Breaks the connections at their next request.
    fn end(&self) {
        self.is_ended.store(true, Ordering::SeqCst);
    }

    fn start(folder: &Path) -> Self {
        let socket = folder.join("played.sock");
        let told = Arc::new(AtomicU64::new(0));
        let telling = Arc::clone(&told);
        let is_ended = Arc::new(AtomicBool::new(false));
        let ending = Arc::clone(&is_ended);
        // Another process of a virtual machine has other threads.
        let thread = THREADS.fetch_add(1, Ordering::SeqCst);
        play(&socket, move |_, command| {
            if ending.load(Ordering::SeqCst) {
                return Answer::End;
            }
            answer(command, &telling, thread)
        });
        Self {
            socket,
            told,
            is_ended,
        }
    }
}

fn answer(command: &str, told: &AtomicU64, thread: u64) -> Answer {
    let path = |index: u64| format!("/machine/cpu[{index}]");
    Answer::Return(match command {
        "qmp_capabilities" => json!({}),
        "query-name" => json!({"name": "played"}),
        "query-stats-schemas" => json!([{"provider": "kvm", "target": "vcpu", "stats": [
            {"name": "exits", "type": "cumulative", "exponent": 0},
            {"name": "waits", "type": "log2-histogram", "unit": "seconds", "base": 10,
             "exponent": -9},
        ]}]),
        "query-cpus-fast" => {
            let vcpus = (0..VCPUS).map(|index| {
                json!({"cpu-index": index, "qom-path": path(index), "thread-id": thread,
                       "target": "x86_64"})
            });
            vcpus.collect()
        }
        "query-stats" => {
            let number = told.fetch_add(1, Ordering::SeqCst);
            let vcpus = (0..VCPUS).map(|index| {
                json!({"provider": "kvm", "qom-path": path(index), "stats": [
                    {"name": "exits", "value": number},
                    {"name": "waits", "value": [0, number, 1]},
                ]})
            });
            vcpus.collect()
        }
        _ => return Answer::Unknown,
    })
}

fn record(socket: &Path, folder: &Path, options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vmstats"));
    command.arg("record").arg(socket).arg("-o").arg(folder);
    command.args(options).stderr(Stdio::piped());
    command
}

fn start(socket: &Path, folder: &Path, options: &[&str]) -> Running {
    Running(record(socket, folder, options).spawn().unwrap())
}

fn samples(folder: &Path) -> Vec<Recorded> {
    let mut recording = Recording::open(folder).unwrap();
    let samples = recording.samples(Timestamp(0));
    samples.map(|sample| sample.unwrap()).collect()
}

/// Returns the counters of the first vCPU in the order of time.
fn exits(samples: &[Recorded]) -> Vec<u64> {
    let exits = samples.iter().map(|one| {
        assert_eq!(one.sample.objects.len(), usize::try_from(VCPUS).unwrap());
        match one.sample.objects[0].value("exits") {
            Some(vmstats::sample::Value::Number(number)) => *number,
            other => panic!("{other:?}"),
        }
    });
    exits.collect()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(20), "{what}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn killed_recorders_lose_no_sample_but_the_one_being_written() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    // Moments from a simple generator, the same in each run of the test.
    let mut random: u64 = 7;
    let kills = 100;
    for _ in 0..kills {
        let before = played.told.load(Ordering::SeqCst);
        let mut recorder = start(&played.socket, &recording, &["-i", "0.01"]);
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        wait_until("samples", || {
            played.told.load(Ordering::SeqCst) > before + (random >> 61)
        });
        thread::sleep(Duration::from_micros((random >> 40) % 12_000));
        recorder.0.kill().unwrap();
        recorder.0.wait().unwrap();
        // What is there can be read, also before the next recorder mends it.
        if recording.join("schema.json").exists() {
            samples(&recording);
        }
    }
    let output = record(&played.socket, &recording, &["--duration", "0.2"]).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let exits = exits(&samples(&recording));
    let told = played.told.load(Ordering::SeqCst);
    // The last sample of a killed recorder was told, and perhaps not written.
    let missing = told - u64::try_from(exits.len()).unwrap();
    assert!(missing <= kills, "{missing} of {told} are missing");
    assert!(
        exits.is_sorted_by(|left, right| left < right),
        "doubled or out of order"
    );
    assert!(!fs::read_dir(&recording).unwrap().any(|entry| {
        let name = entry.unwrap().file_name();
        let name = name.to_str().unwrap();
        name.contains("sealing") || name.starts_with('.')
    }));
}

#[test]
fn row_of_a_vcpu_takes_at_most_150_bytes() {
    let Some(server) = Server::demo(&[]) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let recording = folder.path().join("rec");
    let socket = Path::new(&server.socket);
    let mut recorder = record(socket, &recording, &["-i", "0.01", "--duration", "6"]);
    assert!(recorder.status().unwrap().success());
    let rows = 2 * samples(&recording).len();
    let bytes: u64 = segments(&recording, "-kvm-vcpu.parquet")
        .iter()
        .map(|path| fs::metadata(path).unwrap().len())
        .sum();
    let per_row = bytes / u64::try_from(rows).unwrap();
    println!("{bytes} bytes, {rows} rows: {per_row} bytes a row");
    assert!(rows > 300 && per_row <= 150, "{bytes} bytes, {rows} rows");
}

fn segments(recording: &Path, ending: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(recording).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.to_str().unwrap().ends_with(ending))
        .collect()
}

#[test]
fn other_programs_read_segments_and_tail_while_it_is_recorded() {
    let Some(python) = std::env::var_os("PARQUET_PYTHON") else {
        skip::because("PARQUET_PYTHON names no Python with duckdb, pandas and pyarrow");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    let mut first = record(
        &played.socket,
        &recording,
        &["-i", "0.02", "--duration", "1"],
    );
    assert!(first.status().unwrap().success());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/read_recording.py");
    let mut recorder = start(&played.socket, &recording, &["-i", "0.02"]);
    let sealed = samples(&recording).len();
    wait_until("a tail", || samples(&recording).len() > sealed + 20);
    recorder.0.kill().unwrap();
    recorder.0.wait().unwrap();
    let output = Command::new(python).arg(script).arg(&recording).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let text = program::stdout(&output);
    let rows = usize::try_from(VCPUS).unwrap() * samples(&recording).len();
    for reader in ["duckdb", "pandas"] {
        let line = text.lines().find(|line| line.starts_with(reader)).unwrap();
        assert!(
            line.starts_with(&format!("{reader} played {rows} ")),
            "{text}"
        );
    }
}

#[test]
fn bounded_recording_keeps_the_newest_segments() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    let options = ["-i", "0.01", "--keep", "0.2", "--duration", "0.4"];
    for _ in 0..4 {
        let status = record(&played.socket, &recording, &options).status();
        assert!(status.unwrap().success());
    }
    let exits = exits(&samples(&recording));
    let told = played.told.load(Ordering::SeqCst);
    // The newest segment is kept whole, and those before are gone.
    assert_eq!(segments(&recording, "-events.parquet").len(), 1);
    assert!(exits[0] > told / 2, "{} of {told}", exits[0]);
    assert_eq!(exits.last(), Some(&(told - 1)));
}

#[test]
fn run_is_another_one_when_a_socket_was_gone_and_came_back() {
    let folder = tempfile::tempdir().unwrap();
    let sockets = folder.path().join("sockets");
    fs::create_dir(&sockets).unwrap();
    let recording = folder.path().join("rec");
    let first = Played::start(&sockets);
    let recorder = start(&sockets, &recording, &["--interval", "0.05"]);
    wait_until("no first run", || first.told.load(Ordering::SeqCst) > 2);
    // The listener stays after the restart; without its file, nobody can connect to it.
    fs::remove_file(&first.socket).unwrap();
    first.end();
    let has = |kind: EventKind| {
        let events = Recording::open(&recording).and_then(|one| one.events());
        events.is_ok_and(|events| events.iter().any(|event| event.kind == kind))
    };
    wait_until("not gone", || has(EventKind::Gone));
    let second = Played::start(&sockets);
    wait_until("no second run", || second.told.load(Ordering::SeqCst) > 2);
    drop(recorder);
    let runs: BTreeMap<u32, usize> =
        samples(&recording)
            .iter()
            .fold(BTreeMap::new(), |mut runs, one| {
                *runs.entry(one.sample.run).or_default() += 1;
                runs
            });
    assert_eq!(runs.keys().copied().collect::<Vec<_>>(), [0, 1]);
    assert!(has(EventKind::Restarted));
}

#[test]
fn command_is_recorded_while_it_runs_and_its_status_is_passed_on() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    let command = ["-i", "0.05", "--", "sh", "-c", "sleep 0.5; exit 3"];
    let status = record(&played.socket, &recording, &command)
        .status()
        .unwrap();
    assert_eq!(status.code(), Some(3));
    let samples = samples(&recording);
    assert!((5..30).contains(&samples.len()), "{}", samples.len());
}

#[test]
fn recording_is_refused_when_it_could_harm_or_record_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let foreign = folder.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("thesis.txt"), "mine").unwrap();
    let output = record(&played.socket, &foreign, &[]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("is not a recording"),
        "{}",
        stderr(&output)
    );
    assert_eq!(fs::read_dir(&foreign).unwrap().count(), 1);

    let recording = folder.path().join("rec");
    let _first = start(&played.socket, &recording, &["-i", "0.05"]);
    wait_until("the first recorder", || {
        recording.join("schema.json").exists()
    });
    let output = record(&played.socket, &recording, &[]).output().unwrap();
    assert!(
        stderr(&output).contains("another recorder"),
        "{}",
        stderr(&output)
    );

    let nothing = folder.path().join("nothing.sock");
    let empty = folder.path().join("empty");
    let output = record(&nothing, &empty, &["--duration", "0.3"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        stderr(&output).contains("nothing was recorded"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn copies_of_a_running_recording_are_whole() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    let status = record(
        &played.socket,
        &recording,
        &["-i", "0.02", "--duration", "0.5"],
    )
    .status();
    assert!(status.unwrap().success());
    let _recorder = start(&played.socket, &recording, &["-i", "0.02"]);
    let sealed = samples(&recording).len();
    wait_until("a tail", || samples(&recording).len() > sealed + 10);
    for (command, name) in [("snapshot", "copy"), ("pack", "rec.parquet")] {
        let copy = folder.path().join(name);
        let before = exits(&samples(&recording));
        let arguments = [
            command,
            recording.to_str().unwrap(),
            "-o",
            copy.to_str().unwrap(),
        ];
        let output = program::vmstats(&arguments, "");
        assert!(output.status.success(), "{}", stderr(&output));
        let copied = exits(&samples(&copy));
        assert!(
            copied.starts_with(&before),
            "{command}: {} of {}",
            copied.len(),
            before.len()
        );
        // Nothing is overwritten.
        let again = program::vmstats(&arguments, "");
        assert_eq!(again.status.code(), Some(1));
        assert!(stderr(&again).contains("exists"), "{}", stderr(&again));
    }
}

#[test]
fn failed_copy_names_the_file_at_fault_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    let options = ["-i", "0.02", "--duration", "0.2"];
    let status = record(&played.socket, &recording, &options).status();
    assert!(status.unwrap().success());
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (packed, copy) = (path("rec.parquet"), path("copy"));
    let packing = program::vmstats(&["pack", &path("rec"), "-o", &packed], "");
    assert!(packing.status.success(), "{}", stderr(&packing));
    let before = fs::read_dir(folder.path()).unwrap().count();
    let check = |recording: &str, expected: &str| {
        let output = program::vmstats(&["snapshot", recording, "-o", &copy], "");
        assert_eq!(output.status.code(), Some(1));
        let text = stderr(&output);
        assert!(text.contains(expected), "{text}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), before);
    };
    check(&packed, "rec.parquet: a packed recording is copied with cp");
    // Reading a folder fails.
    let damaged = recording.join("0001-kvm-vcpu.parquet");
    fs::remove_file(&damaged).unwrap();
    fs::create_dir(&damaged).unwrap();
    check(&path("rec"), "rec/0001-kvm-vcpu.parquet: Is a directory");
    let segment = path("rec/0001-events.parquet");
    let output = program::vmstats(&["dump", "--format", "jsonl", &segment], "");
    let text = stderr(&output);
    assert!(text.contains("`vmstats pack` makes one"), "{text}");
}

#[test]
fn recording_has_the_interval_of_each_recorder() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    for interval in ["0.3", "0.3", "0.1"] {
        let options = ["-i", interval, "--duration", "0.5"];
        let status = record(&played.socket, &recording, &options).status();
        assert!(status.unwrap().success());
    }
    let recording = Recording::open(&recording).unwrap();
    let intervals = &recording.about().intervals;
    assert_eq!(intervals.changes().count(), 2, "{intervals:?}");
    let (begin, end) = recording.span().unwrap();
    let found = [begin, end].map(|moment| intervals.at(moment).as_millis());
    assert_eq!(found, [300, 100]);
}

#[test]
fn full_disk_is_told_and_survived() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mount = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=256k", "none"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    if !mount.is_ok_and(|status| status.success()) {
        skip::because("a small disk cannot be mounted here");
        return;
    }
    let played = Played::start(folder.path());
    let recording = disk.join("rec");
    let mut recorder = start(&played.socket, &recording, &["-i", "0.01"]);
    wait_until("samples", || played.told.load(Ordering::SeqCst) > 5);
    let ballast = disk.join("ballast");
    // Fill the disk. What does not fit is left out.
    let _ = fs::File::create(&ballast).unwrap().write_all(&[0; 1 << 20]);
    let told = played.told.load(Ordering::SeqCst);
    wait_until("lost samples", || {
        played.told.load(Ordering::SeqCst) > told + 20
    });
    fs::remove_file(&ballast).unwrap();
    let told = played.told.load(Ordering::SeqCst);
    wait_until("more samples", || {
        played.told.load(Ordering::SeqCst) > told + 20
    });
    let id = recorder.0.id().to_string();
    let stop = Command::new("kill").args(["-s", "TERM", &id]).status();
    assert!(stop.unwrap().success());
    let status = recorder.0.wait().unwrap();
    let mut text = String::new();
    let mut stream = recorder.0.stderr.take().unwrap();
    std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
    let exits = exits(&samples(&recording));
    let events = Recording::open(&recording).unwrap().events().unwrap();
    assert!(
        Command::new("umount")
            .arg(&disk)
            .status()
            .unwrap()
            .success()
    );
    assert!(status.success(), "{text}");
    // A part of a line may fit.
    let is_told = ["No space left", "no storage space"]
        .iter()
        .any(|why| text.contains(why));
    assert!(is_told && text.contains("goes on"), "{text}");
    assert!(exits.is_sorted_by(|left, right| left < right));
    let lost = events.iter().find(|event| event.kind == EventKind::Lost);
    let lost = &lost.unwrap().text;
    let count: u64 = lost.split(' ').next().unwrap().parse().unwrap();
    // The recording says how many samples it lacks.
    let gaps: BTreeMap<u64, u64> = exits
        .windows(2)
        .map(|pair| (pair[1], pair[1] - pair[0] - 1))
        .collect();
    assert_eq!(gaps.values().sum::<u64>(), count, "{lost}");
}

/// Waits until a recorder has ended. Returns its status and what it told.
fn end(mut recorder: Running) -> (std::process::ExitStatus, String) {
    let status = recorder.0.wait().unwrap();
    let mut text = String::new();
    let mut stream = recorder.0.stderr.take().unwrap();
    std::io::Read::read_to_string(&mut stream, &mut text).unwrap();
    (status, text)
}

fn signal(recorder: &Running, name: &str) {
    let id = recorder.0.id().to_string();
    let kill = Command::new("kill").args(["-s", name, &id]).status();
    assert!(kill.unwrap().success());
}

#[test]
fn selection_that_matches_nothing_is_told_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    let options = ["-i", "0.05", "--names", "exitz", "--duration", "0.5"];
    let output = record(&played.socket, &recording, &options).output();
    let output = output.unwrap();
    let error = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("nothing was recorded"), "{error}");
    assert!(error.contains("did you mean 'exits'?"), "{error}");
}

#[test]
fn samples_that_wait_are_written_when_a_signal_ends_the_recorder() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    // Nobody reads the problem that the second monitor is not there, so the recorder waits
    // while samples are taken.
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'x'; 4096]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    let mut command = record(&played.socket, &recording, &["-i", "0.02"]);
    command
        .arg(folder.path().join("nothing.sock"))
        .stderr(writer);
    let mut recorder = Running(command.spawn().unwrap());
    drop(command);
    wait_until("samples", || played.told.load(Ordering::SeqCst) > 40);
    signal(&recorder, "TERM");
    let told = played.told.load(Ordering::SeqCst);
    let reading = thread::spawn(move || std::io::read_to_string(reader));
    assert!(recorder.0.wait().unwrap().success());
    reading.join().unwrap().unwrap();
    let exits = exits(&samples(&recording));
    assert!(exits.len() as u64 >= told, "{} of {told}", exits.len());
}

#[test]
fn signal_copies_a_recording() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    let recorder = start(&played.socket, &recording, &["-i", "0.02"]);
    wait_until("samples", || {
        recording.join("schema.json").exists() && samples(&recording).len() > 5
    });
    signal(&recorder, "USR1");
    let copies = || -> Vec<PathBuf> {
        let entries = fs::read_dir(folder.path()).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.to_str().unwrap().contains("rec-snapshot-"))
            .collect()
    };
    wait_until("a copy", || !copies().is_empty());
    signal(&recorder, "TERM");
    let (status, text) = end(recorder);
    assert!(status.success(), "{text}");
    let copies = copies();
    let [copy] = copies.as_slice() else {
        panic!("{copies:?}")
    };
    let told = format!("the snapshot is in {}", copy.display());
    assert!(text.contains(&told), "{text}");
    let copied = exits(&samples(copy));
    assert!(copied.len() > 5);
    assert!(exits(&samples(&recording)).starts_with(&copied));
}

#[test]
fn command_that_cannot_be_started_has_the_status_of_a_shell() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    let not_executable = played.socket.to_str().unwrap();
    for (command, code) in [("/no/such/command", 127), (not_executable, 126)] {
        let output = record(&played.socket, &recording, &["--", command]).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(code));
        assert!(stderr(&output).contains(command), "{}", stderr(&output));
    }
}

#[test]
fn command_is_recorded_until_it_ends_after_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let played = Played::start(folder.path());
    let recording = folder.path().join("rec");
    // It does not end when it is asked to.
    let script = "trap '' TERM; echo started >&2; while :; do sleep 0.1; done";
    let command = ["-i", "0.02", "--duration", "0.5", "--", "sh", "-c", script];
    let recorder = start(&played.socket, &recording, &command);
    thread::sleep(Duration::from_millis(1_000));
    let told = played.told.load(Ordering::SeqCst);
    wait_until("samples after the end was asked for", || {
        played.told.load(Ordering::SeqCst) > told + 5
    });
    signal(&recorder, "TERM");
    let (status, text) = end(recorder);
    // The second request is SIGKILL.
    assert_eq!(status.code(), Some(128 + 9), "{text}");
    let exits = exits(&samples(&recording));
    assert!(*exits.last().unwrap() > told + 4);
}
