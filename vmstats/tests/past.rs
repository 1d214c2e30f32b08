//! `vmstats diff`, `dump`, `report` and `serve --replay` on a recording of two guests.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "tests"
)]

mod program;

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use program::{RawClient, Server, stderr, stdout};
use serde_json::{Value, json};
use tempfile::TempDir;
use vmstats::client::Client;
use vmstats::endpoint::Endpoint;
use vmstats::recording::folder::{About, RecordedVm, TAIL};
use vmstats::recording::line::{write_event, write_row};
use vmstats::recording::row::{Event, EventKind, Layout, Row};
use vmstats::sample::{Clock, Sample, Timestamp};
use vmstats::selection::Selection;
use vmstats::source::Monitor;

const INTERVAL: Duration = Duration::from_millis(50);

fn vmstats(arguments: &[&str]) -> Output {
    program::vmstats(arguments, "")
}

/// Runs a command that has to succeed, and returns its output.
fn run(arguments: &[&str]) -> String {
    let output = vmstats(arguments);
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// Runs a command that has to fail, and returns its error.
fn fail(arguments: &[&str]) -> String {
    let output = vmstats(arguments);
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    stderr(&output)
}

/// Writes a recording of the virtual machines at these sockets. `at` is called with the
/// number of each sample before the sample is taken.
fn record(folder: &Path, sockets: &[&str], count: u64, mut at: impl FnMut(u64)) {
    let clock = Clock::start();
    let mut monitors: Vec<Monitor> = sockets
        .iter()
        .map(|socket| {
            let endpoint = Endpoint::parse(socket.as_ref()).unwrap();
            let client = Client::connect(&endpoint, Duration::from_secs(10)).unwrap();
            Monitor::open(client, socket, Selection::default(), clock, true).unwrap()
        })
        .collect();
    let mut rows: Vec<(usize, Sample)> = Vec::new();
    for number in 0..count {
        at(number);
        for (vm, monitor) in monitors.iter_mut().enumerate() {
            rows.push((vm, monitor.sample(0).unwrap()));
        }
        thread::sleep(INTERVAL);
    }
    let mut layouts: Vec<Layout> = Vec::new();
    for object in rows.iter().flat_map(|(_, sample)| &sample.objects) {
        let (provider, target) = (&object.table.provider, &object.table.target);
        if !layouts.iter().any(|one| one.is_for(provider, target, 0)) {
            layouts.push(Layout::new(Arc::clone(&object.table), 0));
        }
    }
    let mut text = Vec::new();
    for (number, (vm, sample)) in (0..).zip(rows) {
        for object in sample.objects {
            let (provider, target) = (&object.table.provider, &object.table.target);
            let mut found = layouts.iter();
            let layout = found.find(|one| one.is_for(provider, target, 0)).unwrap();
            let row = Row {
                sample: number,
                vm: Arc::from(sockets[vm]),
                run: sample.run,
                object: object.clone(),
            };
            write_row(&row, layout, &mut text);
        }
    }
    std::fs::write(folder.join(TAIL), text).unwrap();
    let vms = sockets
        .iter()
        .zip(&monitors)
        .map(|(socket, monitor)| RecordedVm {
            vm: (*socket).to_owned(),
            identity: monitor.identity().clone(),
            ..RecordedVm::default()
        });
    let about = About {
        host: "here".to_owned(),
        intervals: INTERVAL.into(),
        vms: vms.collect(),
        layouts,
        ..About::default()
    };
    about.write(folder).unwrap();
}

/// A recording of two guests, of which the second one is stopped in the first half.
struct Scene {
    folder: TempDir,
    sockets: Vec<String>,
}

impl Scene {
    /// Records; returns `None`, with the reason printed, without KVM.
    fn new(count: u64) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (calm, busy) = (path("calm.sock"), path("busy.sock"));
        if !program::kvm_opens() {
            return None;
        }
        let demo = ["demo", "--hold", "--vcpus", "2", "--control", "--qmp"];
        let start = |socket, name| Server::start(&[&demo[..], &[socket, "--name", name]].concat());
        let _servers = [start(&calm, "<script>calm"), start(&busy, "busy")];
        let shell = |command: &str| {
            let output = program::vmstats(&["shell", &busy, "--yes"], command);
            assert!(output.status.success(), "{}", stderr(&output));
        };
        record(
            folder.path(),
            &[&calm, &busy],
            count,
            |number| match number {
                0 => shell("stop"),
                number if number == count / 2 => shell("cont"),
                _ => {}
            },
        );
        Some(Self {
            folder,
            sockets: vec![calm, busy],
        })
    }

    fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    /// Returns the lines of the recording.
    fn lines(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.path().join(TAIL)).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn diff_has_the_rates_of_the_raw_values() {
    let Some(scene) = Scene::new(24) else { return };
    let lines = scene.lines();
    let begin = lines
        .iter()
        .map(|line| line["t0"].as_u64().unwrap())
        .min()
        .unwrap();
    let end = lines
        .iter()
        .map(|line| line["t1"].as_u64().unwrap())
        .max()
        .unwrap();
    let middle = (end - begin) / 2 / 1_000_000;
    let part = |part: String| format!("{}@{part}", scene.path());
    let (first, second) = (
        part(format!("..+{middle}ms")),
        part(format!("+{middle}ms..")),
    );
    let found = json_lines(&run(&[
        "diff", &first, &second, "--format", "jsonl", "--zeros",
    ]));
    // The same numbers from the lines of the recording, by first and last value.
    let split = begin + middle * 1_000_000;
    let mut compared = 0;
    for one in &found {
        if one["kind"] != "rate" || one["provider"] != "kvm" || one["target"] != "vcpu" {
            continue;
        }
        let name = one["name"].as_str().unwrap();
        for (side, is_first) in [("a", true), ("b", false)] {
            let mut rate = 0.0;
            for vcpu in 0..2 {
                let series: Vec<(f64, f64)> = lines
                    .iter()
                    .filter(|line| {
                        let t0 = line["t0"].as_u64().unwrap();
                        line["vm"] == one["endpoint"]
                            && line["provider"] == "kvm"
                            && line["vcpu"] == vcpu
                            && (if is_first { t0 <= split } else { t0 >= split })
                    })
                    .map(|line| {
                        let nanos = |name: &str| line[name].as_u64().unwrap() - begin;
                        let time = (nanos("t0") as f64 + nanos("t1") as f64) / 2e9;
                        (time, line[name].as_u64().unwrap() as f64)
                    })
                    .collect();
                let (early, late) = (series[0], series[series.len() - 1]);
                rate += (late.1 - early.1) / (late.0 - early.0);
            }
            let told = one[side].as_f64().unwrap();
            assert!(
                (told - rate).abs() <= rate * 1e-4 + 1e-5,
                "{name}: {told} and {rate}"
            );
            compared += 1;
        }
    }
    assert!(compared > 40, "{compared}");
    // The guest that went on is first in its list, with what went on.
    let exits = found
        .iter()
        .find(|one| one["vm"] == "busy" && one["name"] == "exits");
    let exits = exits.unwrap();
    assert!(exits["doublings"].as_f64().unwrap() > 3.0, "{exits}");
}

#[test]
fn diff_prints_a_table_and_tells_what_is_wrong() {
    let Some(scene) = Scene::new(12) else { return };
    let path = scene.path();
    let half = [format!("{path}@..+300ms"), format!("{path}@+300ms..")];
    let table = run(&[
        "diff",
        &half[0],
        &half[1],
        "--names",
        "exits,halt_wait_hist",
    ]);
    for expected in ["A: ", " UTC", "busy", "exits", "p99", "CHANGE"] {
        assert!(table.contains(expected), "{expected}: {table}");
    }
    assert!(!table.contains("halt_wakeup"), "{table}");
    // What did not change does not hide what did.
    let same = run(&["diff", path, path]);
    assert!(
        same.contains("differ by less than 5 %; --zeros shows all"),
        "{same}"
    );
    assert!(!same.contains("exits"), "{same}");
    assert!(run(&["diff", path, path, "--zeros"]).contains("exits"));
    let each = run(&["diff", &half[0], &half[1], "--per-vcpu", "--format", "csv"]);
    let heading = each.lines().next().unwrap();
    assert!(heading.starts_with("vm,endpoint,provider"), "{heading}");
    let vcpus = each.lines().filter(|line| line.contains(",exits,")).count();
    assert_eq!(vcpus, 4, "{each}");
    let late = format!("{path}@+1h..");
    assert!(fail(&["diff", path, &late]).contains("is not in the recording"));
    assert!(fail(&["diff", path, path, "--names", "exit"]).contains("exits"));
    assert!(fail(&["diff", "/nowhere", path]).contains("/nowhere"));
    assert!(
        vmstats(&["diff", path, &format!("{path}@noon")])
            .status
            .code()
            == Some(2)
    );
    // A moment is the time between the two samples around it.
    let moment = format!("{path}@+200ms");
    assert!(run(&["diff", &moment, path]).contains("between 2 samples"));
}

#[test]
fn dump_has_all_values_in_each_form() {
    let Some(scene) = Scene::new(8) else { return };
    let lines = scene.lines();
    let dumped = json_lines(&run(&[
        "dump",
        scene.path(),
        "--format",
        "jsonl",
        "--names",
        "exits",
    ]));
    let recorded: Vec<&Value> = lines
        .iter()
        .filter(|line| line.get("exits").is_some())
        .collect();
    assert_eq!(dumped.len(), recorded.len());
    for (dumped, recorded) in dumped.iter().zip(&recorded) {
        assert_eq!(dumped["value"], recorded["exits"]);
    }
    assert!(dumped.last().unwrap()["per-second"].as_f64().is_some());
    let csv = run(&["dump", scene.path(), "--format", "csv", "--names", "exits"]);
    assert_eq!(csv.lines().count(), 1 + recorded.len());
}

/// Returns whether a program is there; prints the reason if not.
fn has_program(name: &str) -> bool {
    let found = Command::new(name).arg("--version").output().is_ok();
    if !found {
        skip::because(format_args!("{name} is not installed"));
    }
    found
}

#[test]
fn promtool_makes_blocks_of_a_dump() {
    let Some(scene) = Scene::new(10) else { return };
    let text = run(&["dump", scene.path(), "--format", "openmetrics"]);
    assert!(text.ends_with("# EOF\n"));
    let name = "vmstats_kvm_vcpu_exits_total{vm=\"busy\",vcpu=\"1\"}";
    assert_eq!(
        text.lines().filter(|line| line.starts_with(name)).count(),
        10
    );
    assert!(text.contains("halt_wait_hist_seconds_bucket{vm=\"busy\",vcpu=\"0\",le=\"1e-09\"}"));
    // Families are not mixed.
    let types = text.lines().filter(|line| line.starts_with("# TYPE"));
    let types: Vec<&str> = types.collect();
    let unique: HashSet<&&str> = types.iter().collect();
    assert_eq!(types.len(), unique.len(), "{types:?}");
    if !has_program("promtool") {
        return;
    }
    let file = scene.folder.path().join("dump.om");
    File::create(&file)
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let blocks = scene.folder.path().join("blocks");
    let made = Command::new("promtool")
        .args(["tsdb", "create-blocks-from", "openmetrics"])
        .args([&file, &blocks])
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", stderr(&made));
    // promtool 2.42 reads a database only if it has a folder for its log.
    std::fs::create_dir_all(blocks.join("wal")).unwrap();
    let dumped = Command::new("promtool")
        .args(["tsdb", "dump"])
        .arg(&blocks)
        .output();
    let dumped = dumped.unwrap();
    assert!(dumped.status.success(), "{}", stderr(&dumped));
    let dumped = stdout(&dumped);
    let mut expected: HashMap<u64, f64> = HashMap::new();
    for line in scene.lines() {
        if line["vm"] == *scene.sockets[1] && line["vcpu"] == 1 && line["provider"] == "kvm" {
            let millis = line["t0"]
                .as_u64()
                .unwrap()
                .midpoint(line["t1"].as_u64().unwrap());
            expected.insert(millis / 1_000_000, line["exits"].as_f64().unwrap());
        }
    }
    let series = "__name__=\"vmstats_kvm_vcpu_exits_total\", vcpu=\"1\", vm=\"busy\"";
    let found: Vec<(u64, f64)> = dumped
        .lines()
        .filter(|line| line.contains(series))
        .map(|line| {
            let mut words = line.rsplit(' ');
            let time = words.next().unwrap().parse().unwrap();
            (time, words.next().unwrap().parse().unwrap())
        })
        .collect();
    assert_eq!(found.len(), expected.len(), "{dumped}");
    for (time, value) in found {
        // Prometheus keeps whole milliseconds.
        let near = [time, time - 1, time + 1].map(|time| expected.get(&time));
        assert!(near.contains(&Some(&value)), "{time} {value}: {expected:?}");
    }
}

#[test]
fn report_is_a_page_that_a_browser_draws() {
    let Some(scene) = Scene::new(24) else { return };
    // What happened to a monitor is in no sample.
    let mut line = Vec::new();
    let event = Event {
        time: Timestamp(scene.lines().last().unwrap()["t1"].as_u64().unwrap()),
        vm: Some(Arc::from(scene.sockets[1].as_str())),
        kind: EventKind::Failed,
        text: "no answer <in time>".to_owned(),
    };
    write_event(&event, &mut line);
    let tail = scene.folder.path().join(TAIL);
    let mut tail = File::options().append(true).open(tail).unwrap();
    tail.write_all(&line).unwrap();
    let file = scene.folder.path().join("report.html");
    let output = file.to_str().unwrap();
    let told = run(&["report", scene.path(), "-o", output, "--split", "+600ms"]);
    assert!(told.contains("2 VMs"), "{told}");
    let page = std::fs::read_to_string(&file).unwrap();
    assert!(page.contains("&lt;script&gt;calm") && !page.contains("<script"));
    for expected in [
        "the monitor cannot be asked: no answer &lt;in time&gt;",
        "<svg class=\"heat\"",
        "vCPU 1",
        "Exits from the guest",
        "here",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    if !has_program("chromium") {
        return;
    }
    // A copy of the page measures itself; the page has no script.
    let policy = page.find("<meta http-equiv").unwrap();
    let length = page[policy..].find('>').unwrap() + 1;
    let measured = scene.folder.path().join("measured.html");
    let copy = [&page[..policy], &page[policy + length..], MEASURE].concat();
    std::fs::write(&measured, copy).unwrap();
    for width in [500, 1280] {
        let browser = Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            .arg(format!("--user-data-dir={}", scene.path()))
            .arg(format!("--window-size={width},2000"))
            .arg(format!("file://{}", measured.display()))
            .output();
        let browser = browser.unwrap();
        assert!(browser.status.success(), "{}", stderr(&browser));
        let document = stdout(&browser);
        let (_, found) = document.split_once("<title>{").unwrap();
        let found = format!("{{{}", found.split_once("</title>").unwrap().0);
        let found: Value = serde_json::from_str(&found).unwrap();
        let number = |name: &str| found[name].as_f64().unwrap();
        assert!(number("page") <= number("window"), "{found}");
        assert!(number("window") <= f64::from(width), "{found}");
        assert!(number("plots") > 5.0, "{found}");
        assert!(
            number("narrowest") > 100.0 && number("lowest") > 30.0,
            "{found}"
        );
        assert!(number("widest") <= number("window"), "{found}");
    }
}

/// A script that puts the sizes of a report in its title.
const MEASURE: &str = "<script>
    const boxes = [...document.querySelectorAll('section svg')]
        .map(one => one.getBoundingClientRect());
    document.title = JSON.stringify({
        page: document.documentElement.scrollWidth, window: window.innerWidth,
        plots: boxes.length, narrowest: Math.min(...boxes.map(one => one.width)),
        widest: Math.max(...boxes.map(one => one.right)),
        lowest: Math.min(...boxes.map(one => one.height)),
    });
</script>";

/// Returns the value of a statistic of vCPU 1, or the error of a query.
fn ask(client: &mut RawClient, name: &str) -> Result<Value, String> {
    let request = json!({"execute": "query-stats", "arguments": {
        "target": "vcpu",
        "providers": [{"provider": "kvm", "names": [name]}],
    }});
    let reply = client.ask(&request.to_string());
    match reply["error"]["desc"].as_str() {
        Some(desc) => Err(desc.to_owned()),
        None => Ok(reply["return"][1]["stats"][0]["value"].clone()),
    }
}

#[test]
fn recording_is_served_with_the_values_of_its_samples_as_time_passes() {
    let Some(scene) = Scene::new(60) else { return };
    // A second without samples.
    let nanos = |line: &Value, name: &str| line[name].as_u64().unwrap();
    let lines = scene.lines();
    let begin = lines.iter().map(|line| nanos(line, "t0")).min().unwrap();
    let gap = begin + 1_000_000_000..begin + 2_000_000_000;
    // The objects of one sample are read one after the other; all go together.
    let lost: Vec<&Value> = { lines.iter() }
        .filter(|line| gap.contains(&nanos(line, "t0")))
        .map(|line| &line["sample"])
        .collect();
    let kept: Vec<&Value> = { lines.iter() }
        .filter(|line| !lost.contains(&&line["sample"]))
        .collect();
    let text: String = kept.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(scene.folder.path().join(TAIL), text).unwrap();
    let recorded: Vec<&Value> = kept
        .into_iter()
        .filter(|line| line["vm"] == *scene.sockets[0] && line["vcpu"] == 1)
        .collect();
    let of_kvm: Vec<&&Value> = { recorded.iter() }
        .filter(|line| line["provider"] == "kvm")
        .collect();
    let expected: Vec<u64> = of_kvm.iter().map(|line| nanos(line, "exits")).collect();

    let start = Instant::now();
    let arguments = ["serve", "--replay", scene.path(), "--vm", "<script>calm"];
    let server = Server::start(&arguments);
    let mut client = RawClient::connect(&server.socket);
    let name = client.ask("{'execute': 'query-name'}");
    assert_eq!(name["return"]["name"], "<script>calm");
    let vcpus = client.ask("{'execute': 'query-cpus-fast'}");
    assert_eq!(vcpus["return"].as_array().unwrap().len(), 2);
    // Any client of vmstats gets the recorded steal time too, not that of the server.
    let watch = ["query", "--watch", "0.1", "--format", "jsonl"];
    let names = ["--names", "exits,run_delay_ns", &server.socket];
    let mut watch = Command::new(env!("CARGO_BIN_EXE_vmstats"))
        .args([&watch[..], &names].concat())
        .stdout(Stdio::piped())
        .spawn()
        .map(program::Running)
        .unwrap();
    let mut seen: Vec<u64> = Vec::new();
    let mut gaps = 0;
    while seen.last() != expected.last() {
        assert!(start.elapsed() < Duration::from_secs(30), "{seen:?}");
        match ask(&mut client, "exits") {
            Ok(value) => {
                let value = value.as_u64().unwrap();
                let place = expected.iter().position(|one| *one == value);
                let offset = nanos(of_kvm[place.unwrap()], "t1") - begin;
                assert!(start.elapsed() > Duration::from_nanos(offset), "too early");
                assert!(seen.last().is_none_or(|last| *last <= value), "{seen:?}");
                if seen.last() != Some(&value) {
                    seen.push(value);
                }
            }
            Err(reason) => {
                assert!(reason.contains("nothing was recorded from"), "{reason}");
                gaps += 1;
            }
        }
        thread::sleep(Duration::from_millis(10));
    }
    assert!(seen.len() > 10 && gaps > 0, "{seen:?} {gaps}");
    let waits = ask(&mut client, "halt_wait_hist").unwrap();
    let mut last = of_kvm.last().unwrap()["halt_wait_hist"].clone();
    // QEMU's protocol has the highest bucket first.
    last.as_array_mut().unwrap().reverse();
    assert_eq!(waits, last);

    watch.0.kill().unwrap();
    let mut printed = String::new();
    let stdout = watch.0.stdout.take().unwrap();
    { stdout }.read_to_string(&mut printed).unwrap();
    for name in ["exits", "run_delay_ns"] {
        let lines = json_lines(&printed).into_iter();
        let values = lines.filter(|line| line["name"] == name && line["vcpu"] == 1);
        let mut values = values.filter_map(|line| line["value"].as_u64()).peekable();
        assert!(values.peek().is_some(), "{name}: {printed}");
        for value in values {
            let known = recorded
                .iter()
                .any(|line| line[name].as_u64() == Some(value));
            assert!(known, "{name}: {value}");
        }
    }
}

#[test]
fn recording_is_not_served_when_it_is_unclear_what_to_serve() {
    let Some(scene) = Scene::new(2) else { return };
    let path = scene.path();
    let several = fail(&["serve", "--replay", path]);
    assert!(several.contains("--vm: <script>calm, busy"), "{several}");
    let unknown = fail(&["serve", "--replay", path, "--vm", "web"]);
    assert!(unknown.contains("no VM is called web"), "{unknown}");
    let late = format!("{path}@+1h");
    assert!(fail(&["serve", "--replay", &late, "--vm", "busy"]).contains("is not in the"));
    let other = tempfile::tempdir().unwrap();
    let other = other.path().to_str().unwrap();
    let neither = fail(&["serve", "--replay", other]);
    assert!(neither.contains("expected a recording"), "{neither}");
    let files = fail(&["serve", "--replay", other, "--vm", "busy"]);
    assert!(files.contains("is not a recording"), "{files}");
    std::fs::write(scene.folder.path().join(TAIL), "").unwrap();
    let empty = fail(&["serve", "--replay", path, "--vm", "busy"]);
    assert!(empty.contains("no samples"), "{empty}");
}
