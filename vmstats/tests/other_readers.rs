//! Recordings are read by DuckDB and pandas as docs/operators.md and docs/fleet.md say.
//!
//! In: recordings, written by the crate, with what surprises other programs. Out: the rows
//! and rates that the page's statements find, compared with those that the crate computes.

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
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use program::{stderr, stdout};
use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};
use vmstats::rates::{Change, compare};
use vmstats::recording::Recording;
use vmstats::recording::file::{self, Contents};
use vmstats::recording::folder::{About, RecordedVm, TAIL, events_name, sealing_name};
use vmstats::recording::line::{write_event, write_row};
use vmstats::recording::row::{self, Event, EventKind, Layout, Row};
use vmstats::sample::{Object, ObjectId, Sample, Stat, Table, Timestamp, Value, Window};

/// The begin of the recordings, in nanoseconds since 1970.
const BEGIN: u64 = 1_780_000_000_000_000_000;

/// The time between two samples.
const SECOND: u64 = 1_000_000_000;

/// The longest time between two samples that is no gap.
const GAP: Duration = Duration::from_secs(3);

/// A sample of a virtual machine with two vCPUs, which exit equally often.
#[derive(Clone, Copy)]
struct Point {
    vm: &'static str,
    run: u32,
    second: u64,
    exits: u64,
}

const fn point(vm: &'static str, run: u32, second: u64, exits: u64) -> Point {
    Point {
        vm,
        run,
        second,
        exits,
    }
}

/// Returns the layout of each virtual machine: those of "b" and of all others contradict
/// each other, and those of "c" lack `exits`.
fn layouts() -> [Layout; 3] {
    let exits = || StatsSchemaValue::cumulative("exits");
    let of = |variant, stats: Vec<StatsSchemaValue>| {
        let table = Table {
            provider: StatsProvider::Kvm,
            target: StatsTarget::Vcpu,
            stats: stats.into_iter().map(Stat::new).collect(),
        };
        Layout::new(Arc::new(table), variant)
    };
    [
        of(0, vec![exits(), StatsSchemaValue::log2_histogram("waits")]),
        of(1, vec![StatsSchemaValue::cumulative("waits"), exits()]),
        of(2, vec![StatsSchemaValue::peak("waits")]),
    ]
}

fn layout_of(vm: &str) -> usize {
    match vm {
        "b" => 1,
        "c" => 2,
        _ => 0,
    }
}

fn rows(points: &[Point]) -> Vec<(usize, Row)> {
    let layouts = layouts();
    let row = |(number, point): (u64, &Point), vcpu: u64| {
        let layout = layout_of(point.vm);
        let begin = BEGIN + point.second * SECOND + number;
        let window = Window {
            begin: Timestamp(begin),
            end: Timestamp(begin + 200_001),
        };
        let exits = Value::Number(point.exits + vcpu);
        let values = match layout {
            0 => vec![exits, Value::Buckets([1, point.exits].into())],
            1 => vec![Value::Number(7), exits],
            _ => vec![Value::Number(7)],
        };
        let object = Object {
            table: Arc::clone(&layouts[layout].table),
            id: ObjectId {
                index: i64::try_from(vcpu).ok(),
                qom_path: Some(format!("/machine/cpu[{vcpu}]")),
            },
            window,
            values,
        };
        let row = Row {
            sample: number,
            vm: point.vm.into(),
            run: point.run,
            object,
        };
        (layout, row)
    };
    let points = (0..).zip(points);
    points
        .flat_map(|point| [row(point, 0), row(point, 1)])
        .collect()
}

fn event(text: &str) -> Event {
    Event {
        time: Timestamp(BEGIN),
        vm: None,
        kind: EventKind::Failed,
        text: text.to_owned(),
    }
}

/// A recording in a folder that other programs call `rec`.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(scene.path()).unwrap();
        let about = About {
            host: "here".to_owned(),
            intervals: Duration::from_secs(1).into(),
            vms: Vec::from(["a", "b", "c"].map(|vm| RecordedVm {
                vm: vm.to_owned(),
                ..RecordedVm::default()
            })),
            layouts: layouts().into(),
            ..About::default()
        };
        about.write(&scene.path()).unwrap();
        scene.with_tail(&[], &[])
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("rec")
    }

    fn with_segment(self, number: u64, points: &[Point]) -> Self {
        let mut all = rows(points);
        row::sort(&mut all);
        let events = Contents {
            events: vec![event("no answer")],
            ..Contents::default()
        };
        let mut span = Contents::default();
        span.rows.clone_from(&all);
        let span = span.span();
        for (place, layout) in layouts().into_iter().enumerate() {
            let of_layout = all.iter().filter(|(layout, _)| *layout == place);
            let rows: Vec<_> = of_layout.map(|(_, row)| (0, row.clone())).collect();
            if !rows.is_empty() {
                let name = match place {
                    0 => format!("{number:04}-kvm-vcpu.parquet"),
                    place => format!("{number:04}-kvm-vcpu-{place}.parquet"),
                };
                let contents = Contents {
                    layouts: vec![layout],
                    rows,
                    events: Vec::new(),
                };
                file::write(&self.path().join(name), &contents, span).unwrap();
            }
        }
        file::write(&self.path().join(events_name(number)), &events, span).unwrap();
        self
    }

    fn with_lines(self, name: &str, events: &[&str], points: &[Point]) -> Self {
        let mut text = Vec::new();
        for one in events {
            write_event(&event(one), &mut text);
        }
        for (layout, row) in rows(points) {
            write_row(&row, &layouts()[layout], &mut text);
        }
        fs::write(self.path().join(name), text).unwrap();
        self
    }

    fn with_tail(self, events: &[&str], points: &[Point]) -> Self {
        self.with_lines(TAIL, events, points)
    }
}

/// The rate of each vCPU at each time, by virtual machine, vCPU and nanosecond.
type Rates = BTreeMap<(String, i64, u64), f64>;

/// Returns the number of rows with exits, and their rates, as the crate computes them.
fn expected(folder: &Path) -> (usize, Rates) {
    let mut recording = Recording::open(folder).unwrap();
    let mut last: BTreeMap<String, Arc<Sample>> = BTreeMap::new();
    let (mut count, mut rates) = (0, Rates::new());
    for recorded in recording.samples(Timestamp(0)) {
        let recorded = recorded.unwrap();
        let (vm, after) = (recorded.vm.to_string(), recorded.sample);
        count += after.objects.len();
        let before = last.insert(vm.clone(), Arc::clone(&after));
        let near = |before: &Arc<Sample>| after.window.begin.since(before.window.end) <= GAP;
        let Some(before) = before.filter(near) else {
            continue;
        };
        let comparison = compare(&before, &after);
        for (object, changes) in after.objects.iter().zip(&comparison.objects) {
            let place = object.table.position("exits");
            if let Some(Change::Increase(grown)) = place.map(|place| &changes.changes[place]) {
                let key = (
                    vm.clone(),
                    object.id.index.unwrap(),
                    object.window.middle().0,
                );
                rates.insert(key, changes.elapsed.unwrap().rate(*grown).unwrap());
            }
        }
    }
    (count, rates)
}

/// Returns the SQL of a page in docs/.
fn statements(page: &str) -> Vec<String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let page = fs::read_to_string(docs.join(page)).unwrap();
    let blocks = page.split("```sql\n").skip(1);
    blocks
        .map(|block| block.split_once("```").unwrap().0.to_owned())
        .collect()
}

/// Runs statements with DuckDB in the folder above `rec`, and prints what the last one
/// finds.
const RUN: &str = r#"
import duckdb, json, sys
*views, last = json.loads(sys.argv[1])
for view in views:
    duckdb.sql(view)
rows = duckdb.sql("select count(*) from readings").fetchall()[0][0]
rates = duckdb.sql(last)
rates = duckdb.sql("select vm, vcpu, epoch_ns(time), per_second from rates").fetchall()
print(json.dumps([rows, rates]))
"#;

fn check_statements(python: &Path, what: &str, scene: &Scene) {
    let statements = statements("operators.md");
    let [with_segments, tail_only, rates] = statements.as_slice() else {
        panic!("{} statements", statements.len());
    };
    let entries = fs::read_dir(scene.path()).unwrap();
    let mut names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let view = match names.any(|name| name.contains("-kvm-vcpu")) {
        true => with_segments,
        false => tail_only,
    };
    let output = Command::new(python)
        .args(["-c", RUN, &serde_json::to_string(&[view, rates]).unwrap()])
        .current_dir(scene.folder.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{what}: {}", stderr(&output));
    let found: (usize, Vec<(String, i64, u64, f64)>) =
        serde_json::from_str(&stdout(&output)).unwrap();
    let (count, rates) = expected(&scene.path());
    assert_eq!(found.0, count, "{what}");
    let found = found.1.into_iter();
    let found: Rates = found
        .map(|(vm, vcpu, time, rate)| ((vm, vcpu, time), rate))
        .collect();
    assert_same(what, &found, &rates);
}

fn assert_same(what: &str, found: &Rates, expected: &Rates) {
    let keys = |rates: &Rates| rates.keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(found), keys(expected), "{what}");
    for (key, rate) in expected {
        let difference = (rate - found[key]).abs();
        assert!(
            difference <= rate * 1e-9,
            "{what}: {key:?}: {} instead of {rate}",
            found[key]
        );
    }
}

/// Runs docs/read_recording.py, and compares the rows and the mean rates that DuckDB and
/// pandas find with the given ones.
fn check_script(python: &Path, what: &str, scene: &Scene, expected: &[(&str, usize, f64)]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/read_recording.py");
    let output = Command::new(python).arg(script).arg(scene.path()).output();
    let output = output.unwrap();
    assert!(output.status.success(), "{what}: {}", stderr(&output));
    let text = stdout(&output);
    let lines = ["duckdb", "pandas"].iter().flat_map(|reader| {
        expected
            .iter()
            .map(move |(vm, rows, rate)| format!("{reader} {vm} {rows} {rate:.3}"))
    });
    assert_eq!(text.lines().collect::<Vec<_>>(), lines.collect::<Vec<_>>());
}

#[test]
fn statements_of_the_page_find_the_rates_of_the_crate() {
    let Some(python) = std::env::var_os("PARQUET_PYTHON").map(PathBuf::from) else {
        skip::because("PARQUET_PYTHON names no Python with duckdb, pandas and pyarrow");
        return;
    };
    let old = [
        point("a", 0, 0, 100),
        point("a", 0, 1, 160),
        point("a", 0, 2, 400),
    ];
    let new = [point("a", 0, 3, 401), point("a", 0, 4, 1_401)];
    // In 3 of 4 seconds "a" exits 61, 240 and 1,000 times; the script has each vCPU twice.
    let mean = 1_301.0 / 4.0;
    let script = |what: &str, scene: &Scene, expected: &[(&str, usize, f64)]| {
        check_statements(&python, what, scene);
        check_script(&python, what, scene, expected);
    };

    let scene = Scene::new().with_segment(1, &old).with_segment(2, &new);
    script("empty tail", &scene, &[("a", 10, mean)]);

    let scene = scene.with_tail(&["no answer", "no answer"], &[]);
    script("tail of events", &scene, &[("a", 10, mean)]);

    let scene = Scene::new().with_tail(&["no answer"], &[&old[..], &new].concat());
    script("no segment", &scene, &[("a", 10, mean)]);

    let scene = Scene::new().with_segment(1, &old).with_tail(&[], &new);
    let torn = fs::read(scene.path().join(TAIL)).unwrap();
    let torn = [&torn[..], b"{\"sample\":9,\"t0\":17"].concat();
    fs::write(scene.path().join(TAIL), torn).unwrap();
    script("segment and torn tail", &scene, &[("a", 10, mean)]);

    let name = sealing_name(2);
    let scene = Scene::new().with_segment(1, &old).with_segment(2, &new);
    let scene = scene.with_lines(&name, &["no answer"], &new);
    script("segment that is being sealed", &scene, &[("a", 10, mean)]);

    // A reset, a restart of the VM, and a gap of ten seconds.
    let huge = u64::MAX - 1_000;
    let scene = Scene::new()
        .with_segment(1, &[point("a", 0, 0, huge), point("a", 0, 1, huge + 500)])
        .with_segment(2, &[point("a", 0, 2, 10), point("a", 0, 3, 70)])
        .with_tail(
            &[],
            &[
                point("a", 1, 4, 90),
                point("a", 1, 5, 100),
                point("a", 1, 15, 500),
            ],
        );
    // The script computes the mean over the gap too.
    let mean = (500.0 + 60.0 + 10.0 + 400.0) / 13.0;
    script("resets", &scene, &[("a", 14, mean)]);

    let of_b = [point("b", 0, 0, 5), point("b", 0, 1, 25)];
    let of_c = [point("c", 0, 0, 5), point("c", 0, 1, 25)];
    let scene = Scene::new()
        .with_segment(1, &[&old[..], &of_b, &of_c].concat())
        .with_tail(&[], &[&new[..], &[point("b", 0, 2, 26)]].concat());
    check_statements(&python, "variants", &scene);
}

/// Runs a statement with DuckDB in a folder, and prints what it finds.
const ASK: &str = "import duckdb, json, sys\n\
    print(json.dumps(duckdb.sql(sys.argv[1]).fetchall()))";

#[test]
fn busiest_machines_of_packed_recordings_are_found_by_the_statement_of_the_page() {
    let Some(python) = std::env::var_os("PARQUET_PYTHON") else {
        skip::because("PARQUET_PYTHON names no Python with duckdb, pandas and pyarrow");
        return;
    };
    let lake = tempfile::tempdir().unwrap();
    // "b" has columns of its own; "a" is reset; the newest rows are in the tail.
    let of_b = [point("b", 0, 0, 5), point("b", 0, 1, 25)];
    let of_a = [point("a", 0, 0, 900), point("a", 0, 1, 960)];
    let newest = [
        point("a", 0, 2, 10),
        point("a", 0, 3, 20),
        point("b", 0, 2, 26),
    ];
    let first = Scene::new()
        .with_segment(1, &[&of_a[..], &of_b].concat())
        .with_tail(&[], &newest);
    // No segment was sealed yet, and there is one kind of row, so columns have plain names.
    let second = Scene::new().with_tail(&[], &[point("a", 0, 0, 0), point("a", 0, 2, 900)]);
    for (host, scene) in [("h1", &first), ("h2", &second)] {
        let folder = lake
            .path()
            .join(format!("recordings/host={host}/date=2026-11-28"));
        fs::create_dir_all(&folder).unwrap();
        let output = folder.join("1015.parquet");
        let recording = scene.path();
        let words = [
            "pack",
            recording.to_str().unwrap(),
            "-o",
            output.to_str().unwrap(),
        ];
        let output = program::vmstats(&words, "");
        assert!(output.status.success(), "{}", stderr(&output));
    }
    let statement = statements("fleet.md").swap_remove(0);
    let statement = statement.replace("s3://recordings", "recordings");
    let output = Command::new(python)
        .args(["-c", ASK, &statement])
        .current_dir(lake.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    let found: Vec<(String, String, u32, f64)> = serde_json::from_str(&stdout(&output)).unwrap();
    // Two vCPUs each: 900 in 2 s; 60 and 10 in 2 s without the reset; 21 in 2 s.
    let expected = [("h2", "a", 900.0), ("h1", "a", 70.0), ("h1", "b", 21.0)];
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for ((host, vm, vcpus, rate), expected) in found.iter().zip(expected) {
        assert_eq!(
            (&**host, &**vm, *vcpus),
            (expected.0, expected.1, 2),
            "{found:?}"
        );
        // Samples begin some nanoseconds after the second.
        assert!((rate - expected.2).abs() < 1e-3, "{found:?}");
    }
}
