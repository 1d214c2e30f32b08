//! Ten hours of a recording open in a moment.
//!
//! In: a recording of a sample each second, written by the crate. Out: the time until the
//! first sample and the events are there. `cargo test --release` measures what users meet.

#![cfg(feature = "record")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget};
use vmstats::recording::Recording;
use vmstats::recording::file::{self, Contents};
use vmstats::recording::folder::{About, RecordedVm, TAIL, events_name};
use vmstats::recording::line::write_row;
use vmstats::recording::row::{Layout, Row};
use vmstats::sample::{Object, ObjectId, Stat, Table, Timestamp, Value, Window};

const SECOND: u64 = 1_000_000_000;

/// The samples of a segment: a recorder seals after ten minutes.
const SEGMENT_SAMPLES: u64 = 600;

const SEGMENTS: u64 = 60;

const VCPUS: u64 = 4;

/// The statistics that KVM has of a vCPU, roughly.
const COUNTERS: u64 = 40;
const HISTOGRAMS: u64 = 3;
const BUCKETS: u64 = 32;

/// The time until the first sample is there. A build without optimization is slower.
const LIMIT: Duration = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });

fn layout() -> Layout {
    let counters =
        (0..COUNTERS).map(|name| StatsSchemaValue::cumulative(format!("counter_{name}")));
    let histograms =
        (0..HISTOGRAMS).map(|name| StatsSchemaValue::log2_histogram(format!("hist_{name}")));
    let table = Table {
        provider: StatsProvider::Kvm,
        target: StatsTarget::Vcpu,
        stats: counters.chain(histograms).map(Stat::new).collect(),
    };
    Layout::new(Arc::new(table), 0)
}

fn row(layout: &Layout, sample: u64, vcpu: u64) -> (usize, Row) {
    let counters = (0..COUNTERS).map(|stat| Value::Number(sample * (stat * stat * 7 + vcpu)));
    let histograms = (0..HISTOGRAMS).map(|stat| {
        let counts = (0..BUCKETS).map(|bucket| sample * bucket.saturating_sub(stat + 9));
        Value::Buckets(counts.collect())
    });
    let object = Object {
        table: Arc::clone(&layout.table),
        id: ObjectId {
            index: i64::try_from(vcpu).ok(),
            qom_path: Some(format!("/machine/unattached/device[{vcpu}]")),
        },
        window: Window {
            begin: Timestamp(sample * SECOND),
            end: Timestamp(sample * SECOND + 150_000),
        },
        values: counters.chain(histograms).collect(),
    };
    let row = Row {
        sample,
        vm: "web".into(),
        run: 0,
        object,
    };
    (0, row)
}

/// Writes ten hours, and ten minutes that are not sealed.
fn write(folder: &Path) {
    let layout = layout();
    for number in 0..SEGMENTS {
        let samples = number * SEGMENT_SAMPLES..(number + 1) * SEGMENT_SAMPLES;
        // The rows of an object follow each other.
        let rows = (0..VCPUS).flat_map(|vcpu| {
            let layout = &layout;
            samples.clone().map(move |sample| row(layout, sample, vcpu))
        });
        let contents = Contents {
            layouts: vec![layout.clone()],
            rows: rows.collect(),
            events: Vec::new(),
        };
        let name = format!("{:04}-kvm-vcpu.parquet", number + 1);
        file::write(&folder.join(name), &contents, None).unwrap();
        let name = events_name(number + 1);
        file::write(&folder.join(name), &Contents::default(), contents.span()).unwrap();
    }
    let mut tail = Vec::new();
    let begin = SEGMENTS * SEGMENT_SAMPLES;
    for sample in begin..begin + SEGMENT_SAMPLES {
        for vcpu in 0..VCPUS {
            write_row(&row(&layout, sample, vcpu).1, &layout, &mut tail);
        }
    }
    fs::write(folder.join(TAIL), tail).unwrap();
    let about = About {
        host: "here".to_owned(),
        intervals: Duration::from_secs(1).into(),
        vms: vec![RecordedVm {
            vm: "web".to_owned(),
            ..RecordedVm::default()
        }],
        layouts: vec![layout],
        ..About::default()
    };
    about.write(folder).unwrap();
}

#[test]
fn ten_hours_open_within_a_second() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path());
    let begin = Instant::now();
    let mut recording = Recording::open(folder.path()).unwrap();
    let opened = begin.elapsed();
    let first = recording.samples(Timestamp(0)).next().unwrap().unwrap();
    let first_read = begin.elapsed();
    let middle = recording.samples(Timestamp(18_000 * SECOND));
    let middle = middle.take(1).next().unwrap().unwrap();
    let middle_read = begin.elapsed();
    println!("opened after {opened:?}, first sample {first_read:?}, middle {middle_read:?}");
    assert_eq!(first.sample.objects.len(), usize::try_from(VCPUS).unwrap());
    assert_eq!(middle.sample.window.begin, Timestamp(18_000 * SECOND));
    assert!(first_read < LIMIT, "{first_read:?}");
}
