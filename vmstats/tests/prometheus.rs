//! Engines that scrape `vmstats export`: what they compute is what the monitors told.
//!
//! Three guests, a QEMU and two simulated monitors are scraped by every Prometheus that is
//! there, with classic histograms and with NHCB, and by VictoriaMetrics. What they should
//! compute follows from raw QMP replies, which this test reads meanwhile.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod engine;
mod program;
mod scraper;
mod simulated;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use engine::{Engine, Release, victoria_metrics};
use program::{Qemu, RawClient, Server, stderr, stdout};
use scraper::{Exporter, demo, glob, raw};
use serde_json::Value;
use simulated::Answers;

const EXITS: &str = "vmstats_kvm_vcpus_exits_total";
const WAIT: &str = "vmstats_kvm_vcpus_halt_wait_hist_seconds";

/// The window of rates, in seconds.
const WINDOW: f64 = 8.0;

/// How much older than its scrape a sample may be, in seconds: scrapers that come within
/// 100 ms share a collection. Some more, because engines round the times of scrapes.
const SHARED: f64 = 0.12;

/// The time for which raw replies are read.
const READING: Duration = Duration::from_secs(15);

/// The kind of histograms that an engine keeps.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Histograms {
    Classic,
    Nhcb,
}

impl Histograms {
    /// Returns the expression of a quantile of a virtual machine's halts.
    fn quantile(self, rank: f64, vm: &str) -> String {
        let series = match self {
            Self::Classic => format!("{WAIT}_bucket"),
            Self::Nhcb => WAIT.to_owned(),
        };
        format!("histogram_quantile({rank}, rate({series}{{vm=\"{vm}\"}}[{WINDOW}s]))")
    }

    /// Returns the expression of the time that a virtual machine halts, per second.
    fn sum(self, vm: &str) -> String {
        match self {
            Self::Classic => format!("rate({WAIT}_sum{{vm=\"{vm}\"}}[{WINDOW}s])"),
            Self::Nhcb => format!("histogram_sum(rate({WAIT}{{vm=\"{vm}\"}}[{WINDOW}s]))"),
        }
    }
}

/// A reply of a monitor, with the times between which it was made, in seconds since 1970.
struct Reading {
    begin: f64,
    end: f64,
    numbers: BTreeMap<(String, usize), u128>,
}

fn now() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

/// Reads a monitor's replies for a while.
fn read(socket: &str) -> Vec<Reading> {
    let mut client = RawClient::connect(socket);
    let mut readings = Vec::new();
    let start = Instant::now();
    while start.elapsed() < READING {
        let begin = now();
        let numbers = raw(&mut client);
        readings.push(Reading {
            begin,
            end: now(),
            numbers,
        });
        thread::sleep(Duration::from_millis(150));
    }
    readings
}

/// The lowest and the highest number that is possible.
#[derive(Clone, Copy, Debug)]
struct Range {
    low: f64,
    high: f64,
}

impl Range {
    fn with(self, other: Self) -> Self {
        Self {
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }
}

/// The readings of a monitor, and the time that a scrape of it may take.
struct Truth<'a> {
    readings: &'a [Reading],
    slowest: f64,
}

impl Truth<'_> {
    /// Returns what counters may be in a scrape that began at a time. They never go back, so
    /// they are not below the last reply before its collection and not above the first one
    /// after the scrape.
    fn at(&self, time: f64, number: impl Fn(&Reading) -> u128) -> Range {
        let before = { self.readings.iter() }.rfind(|one| one.end < time - SHARED);
        let after = { self.readings.iter() }.find(|one| one.begin > time + self.slowest);
        #[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
        let number = |reading: Option<&Reading>| number(reading.unwrap()) as f64;
        Range {
            low: number(before),
            high: number(after),
        }
    }

    /// Returns how much counters may have grown between two scrapes.
    fn growth(&self, span: (f64, f64), number: impl Fn(&Reading) -> u128) -> Range {
        let [first, last] = [span.0, span.1].map(|time| self.at(time, &number));
        Range {
            low: (last.low - first.high).max(0.0),
            high: last.high - first.low,
        }
    }

    /// Returns what a quantile of the halts between two scrapes may be, in seconds. Returns
    /// `None` if there are too few.
    fn quantile(&self, rank: f64, span: (f64, f64)) -> Option<Range> {
        let up_to = |bucket: usize| {
            move |reading: &Reading| -> u128 {
                let counts = (0..=bucket)
                    .map(|bucket| reading.numbers[&("halt_wait_hist".to_owned(), bucket)]);
                counts.sum()
            }
        };
        let buckets: Vec<_> = (0..32)
            .map(|bucket| self.growth(span, up_to(bucket)))
            .collect();
        let total = buckets[31];
        if total.low < 50.0 {
            return None;
        }
        let least: Vec<f64> = buckets.iter().map(|one| one.low / total.high).collect();
        let most = buckets.iter().map(|one| (one.high / total.low).min(1.0));
        Some(Range {
            low: inverse(rank, &most.collect::<Vec<_>>()),
            high: inverse(rank, &least),
        })
    }
}

/// Returns the highest value of a bucket of KVM's logarithmic histograms, in seconds.
#[expect(clippy::cast_precision_loss, reason = "below 2^53")]
fn bound(bucket: usize) -> f64 {
    ((1u64 << bucket) - 1) as f64 / 1e9
}

/// Returns the quantile that Prometheus' documentation defines, linear within a bucket, of
/// the share of values up to the bound of each bucket.
fn inverse(rank: f64, shares: &[f64]) -> f64 {
    let last = shares.len() - 1;
    let bucket = shares.iter().position(|share| *share >= rank);
    let bucket = bucket.unwrap_or(last);
    // The last bucket has no bound.
    if bucket == last {
        return bound(last - 1);
    }
    let (low, below) = match bucket.checked_sub(1) {
        Some(before) => (bound(before), shares[before]),
        None => (0.0, 0.0),
    };
    low + (bound(bucket) - low) * (rank - below) / (shares[bucket] - below)
}

/// A machine whose statistics stay as they are at the first query.
fn still(name: &str) -> Answers {
    let machine = simulated::machine(name, 2);
    let first = OnceLock::new();
    Arc::new(move |command, arguments| match command {
        "query-stats" if arguments["target"] == "vcpu" => {
            Arc::clone(first.get_or_init(|| machine(command, arguments)))
        }
        _ => machine(command, arguments),
    })
}

/// Returns the label `vm` of the virtual machine with a name.
fn label(text: &str, name: &str) -> String {
    let name = format!("name=\"{name}\"");
    let mut lines = text.lines();
    let info = lines.find(|line| line.starts_with("vmstats_vm_info{") && line.contains(&name));
    let info = info.unwrap_or_else(|| panic!("no {name}: {text}"));
    let (_, rest) = info.split_once("vm=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

/// Starts an engine in a folder of its own, scraping an exporter every second.
fn scraping(
    folder: &Path,
    name: &str,
    exporter: &Exporter,
    job: &str,
    start: impl FnOnce(&Path) -> Option<Engine>,
) -> Option<Engine> {
    let folder = folder.join(name);
    fs::create_dir(&folder).unwrap();
    let text = format!(
        "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
         scrape_configs:\n\
         - job_name: vmstats\n\
         \x20 static_configs: [{{targets: ['{}']}}]\n{job}",
        exporter.address
    );
    fs::write(folder.join("engine.yml"), text).unwrap();
    start(&folder)
}

/// Returns the times and values of a series in the seconds before a time.
fn series(engine: &Engine, selector: &str, seconds: f64, time: f64) -> Vec<(f64, f64)> {
    let query = format!("{selector}[{seconds}s]");
    let time = format!("{time:.3}");
    let data = engine.api("query", &[("query", &query), ("time", &time)]);
    let data = data.unwrap();
    let samples = data["result"][0]["values"].as_array();
    let samples = samples.unwrap_or_else(|| panic!("{query}: {data}"));
    let sample = |sample: &Value| {
        let value = sample[1].as_str().unwrap().parse().unwrap();
        (sample[0].as_f64().unwrap(), value)
    };
    samples.iter().map(sample).collect()
}

/// Compares what an engine computes for a virtual machine with what its replies allow.
fn check(what: &str, engine: &Engine, kind: Histograms, vm: &str, readings: &[Reading], at: f64) {
    let slowest = engine.number_at("max_over_time(scrape_duration_seconds[20s])", at);
    let truth = Truth {
        readings,
        slowest: slowest.unwrap() + 0.05,
    };
    let exits = format!("{EXITS}{{vm=\"{vm}\"}}");
    let number = |name: &'static str| move |one: &Reading| one.numbers[&(name.to_owned(), 0)];
    let samples = series(engine, &exits, WINDOW + 2.0, at);
    for (time, value) in &samples {
        let range = truth.at(*time, number("exits"));
        assert!(
            (range.low..=range.high).contains(value),
            "{what}, {vm}: {value} {range:?}"
        );
    }
    // Prometheus begins with the first sample of the window, VictoriaMetrics with the one
    // before.
    let begin = at - WINDOW;
    let last = samples.last().unwrap().0;
    let before = samples.iter().rfind(|(time, _)| *time <= begin);
    let within = samples.iter().find(|(time, _)| *time >= begin);
    let firsts: Vec<f64> = before.into_iter().chain(within).map(|one| one.0).collect();
    let per_second = |name: &'static str, unit: f64| {
        let ranges = firsts.iter().map(|first| {
            let growth = truth.growth((*first, last), number(name));
            // A window is extrapolated to its ends, which are up to a scrape away.
            Range {
                low: growth.low * unit / (last - first) * 0.9,
                high: growth.high * unit / (last - first) * 1.1,
            }
        });
        ranges.reduce(Range::with).unwrap()
    };
    let compare = |expression: &str, range: Range| {
        let value = engine.number_at(expression, at);
        let value = value.unwrap_or_else(|| panic!("{what}: no {expression}"));
        assert!(
            (range.low..=range.high).contains(&value),
            "{what}: {expression} is {value}, expected {range:?}"
        );
    };
    compare(
        &format!("rate({exits}[{WINDOW}s])"),
        per_second("exits", 1.0),
    );
    compare(&kind.sum(vm), per_second("halt_wait_ns", 1e-9));
    for rank in [0.1, 0.5, 0.9] {
        let ranges = firsts
            .iter()
            .map(|first| truth.quantile(rank, (*first, last)));
        let ranges: Option<Vec<_>> = ranges.collect();
        if let Some(range) = ranges.and_then(|ranges| ranges.into_iter().reduce(Range::with)) {
            compare(&kind.quantile(rank, vm), range);
        }
    }
}

/// Asserts that a classic histogram and its NHCB are the same numbers.
fn check_same(classic: &Engine, nhcb: &Engine, vm: &str, at: f64) {
    let at = format!("{at:.3}");
    let ask = |engine: &Engine, name: &str| -> Vec<Value> {
        let selector = format!("{name}{{vm=\"{vm}\"}}");
        let data = engine.api("query", &[("query", &selector), ("time", &at)]);
        data.unwrap()["result"].as_array().unwrap().clone()
    };
    let parse = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
    let native = ask(nhcb, WAIT).swap_remove(0)["histogram"][1].clone();
    for (name, value) in [("count", &native["count"]), ("sum", &native["sum"])] {
        let of_classic = ask(classic, &format!("{WAIT}_{name}"));
        assert_eq!(parse(&of_classic[0]["value"][1]), parse(value), "{name}");
    }
    let buckets = ask(classic, &format!("{WAIT}_bucket"));
    assert_eq!(buckets.len(), 32);
    for bucket in buckets {
        let bound = parse(&bucket["metric"]["le"]);
        let up_to = { native["buckets"].as_array().unwrap().iter() }
            .filter(|one| parse(&one[2]) <= bound)
            .map(|one| parse(&one[3]))
            .sum::<f64>();
        assert_eq!(parse(&bucket["value"][1]), up_to, "{bound}: {native}");
    }
}

#[test]
fn engines_compute_what_the_raw_replies_tell() {
    let releases = Release::all();
    let sockets = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    // Each query of "sim" adds the same, so that quantiles are known exactly.
    for (name, answers) in [
        ("sim", simulated::machine("sim", 2)),
        ("still", still("still")),
    ] {
        simulated::serve(&sockets.path().join(format!("{name}.sock")), answers);
    }
    let guests = ["one", "two", "three"].map(|name| demo(sockets.path(), name, name));
    let guests: Vec<Server> = guests.into_iter().flatten().collect();
    // A QEMU serves one client on each of its monitors.
    let second = folder.path().join("second.sock");
    let second = second.to_str().unwrap();
    let monitor = format!("unix:{second},server=on,wait=off");
    let qemu = Qemu::start(sockets.path(), &["-qmp", &monitor]);
    let exporter = Exporter::start(&[&glob(sockets.path())]);
    let text = exporter.text("Accept: text/plain");

    let mut engines = Vec::new();
    for (number, release) in releases.iter().enumerate() {
        let output = release.promtool(folder.path(), &["check", "metrics"], &text);
        assert!(
            output.status.success(),
            "{}{}",
            stdout(&output),
            stderr(&output)
        );
        let name = format!("classic-{number}");
        let start = |folder: &Path| Some(release.start(folder, "engine.yml", &[]));
        let engine = scraping(folder.path(), &name, &exporter, "", start);
        engines.extend(engine.map(|engine| (name, engine, Histograms::Classic)));
    }
    let with_nhcb = releases.iter().find(|release| release.has_nhcb());
    let nhcb = with_nhcb.and_then(|release| {
        let flag = "--enable-feature=native-histograms";
        let start = |folder: &Path| Some(release.start(folder, "engine.yml", &[flag]));
        let job = "  convert_classic_histograms_to_nhcb: true\n";
        scraping(folder.path(), "nhcb", &exporter, job, start)
    });
    engines.extend(nhcb.map(|engine| ("nhcb".to_owned(), engine, Histograms::Nhcb)));
    let victoria = scraping(folder.path(), "victoria", &exporter, "", |folder| {
        victoria_metrics(folder, "engine.yml")
    });
    engines.extend(victoria.map(|engine| ("victoria".to_owned(), engine, Histograms::Classic)));
    if engines.is_empty() {
        return;
    }

    let mut monitors: Vec<(String, &str)> = { guests.iter().zip(["one", "two", "three"]) }
        .map(|(guest, name)| (label(&text, name), &*guest.socket))
        .collect();
    if qemu.is_some() {
        monitors.push((label(&text, "tried"), second));
    }
    // All engines scrape before the replies are read.
    let begin = Instant::now();
    for (name, engine, _) in &engines {
        let is_scraped = || engine.query(EXITS).unwrap().len() == monitors.len() + 2;
        while !is_scraped() {
            assert!(begin.elapsed() < Duration::from_secs(60), "{name}");
            thread::sleep(Duration::from_millis(200));
        }
    }
    let readings: Vec<Vec<Reading>> = thread::scope(|scope| {
        let readers = monitors
            .iter()
            .map(|(_, socket)| scope.spawn(move || read(socket)));
        let readers: Vec<_> = readers.collect();
        let readings = readers.into_iter().map(|reader| reader.join().unwrap());
        readings.collect()
    });
    if monitors.is_empty() {
        thread::sleep(READING);
    }
    // The last scrape that is looked at is before the last reading, and visible by now.
    let at = now() - 2.5;
    thread::sleep(Duration::from_secs(2));

    let [sim, still] = ["sim", "still"].map(|name| label(&text, name));
    let counts = |bucket: usize| f64::from(u32::try_from((0..=bucket).sum::<usize>()).unwrap());
    let shares: Vec<f64> = (0..32).map(|bucket| counts(bucket) / counts(31)).collect();
    for (name, engine, kind) in &engines {
        for ((vm, _), readings) in monitors.iter().zip(&readings) {
            check(name, engine, *kind, vm, readings, at);
        }
        for rank in [0.1, 0.5, 0.9] {
            let value = engine.number_at(&kind.quantile(rank, &sim), at).unwrap();
            let expected = inverse(rank, &shares);
            let difference = (value / expected - 1.0).abs();
            assert!(difference < 1e-9, "{name}: {value} instead of {expected}");
        }
    }
    let of_kind = |kind| { engines.iter() }.filter(move |(_, _, one)| *one == kind);
    for (_, nhcb, _) in of_kind(Histograms::Nhcb) {
        for (_, classic, _) in of_kind(Histograms::Classic) {
            check_same(classic, nhcb, &still, at);
        }
    }
}
