//! `vmstats export` as Prometheus, promtool and a strict parser see it: with guests of
//! ours, a QEMU, machines that hang or die, and a monitor that lies.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;
mod scraper;
mod simulated;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use program::{Qemu, RawClient, stderr, stdout, vmstats};
use scraper::{Exporter, OPEN_METRICS, brief, demo, get, glob, raw, samples, signal};
use serde_json::{Value, json};

/// Whether a program accepts an input; `None`, with the reason printed, where it is not
/// installed.
fn accepts(program: &str, arguments: &[&str], input: &str) -> Option<bool> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn();
    let Ok(mut child) = child else {
        skip::because(format_args!("{program} is not installed"));
        return None;
    };
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    Some(child.wait().unwrap().success())
}

/// Checks both forms of an exporter's text with programs of others.
fn check_with_others(exporter: &Exporter) {
    let text = exporter.metrics("Accept: text/plain");
    if let Some(is_accepted) = accepts("promtool", &["check", "metrics"], &text) {
        assert!(is_accepted, "{text}");
    }
    let python = std::env::var("PROMETHEUS_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has_parser = Command::new(&python)
        .args(["-c", "import prometheus_client.openmetrics.parser"])
        .stderr(Stdio::null())
        .status();
    if !has_parser.is_ok_and(|status| status.success()) {
        return skip::because("prometheus_client is not installed");
    }
    let script = "import sys\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as read\n\
        assert list(read(sys.stdin.read()))";
    let text = exporter.metrics(OPEN_METRICS);
    assert_eq!(
        accepts(&python, &["-c", script], &text),
        Some(true),
        "{text}"
    );
}

/// A decimal number of seconds, in nanoseconds.
fn nanos(text: &str) -> u128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{fraction:0<9}").parse().unwrap()
}

#[test]
fn numbers_are_those_of_the_monitor_times_their_unit() {
    let folder = tempfile::tempdir().unwrap();
    let Some(guest) = demo(folder.path(), "one", "one") else {
        return;
    };
    let exporter = Exporter::start(&[&guest.socket]);
    let mut client = RawClient::connect(&guest.socket);
    let before = raw(&mut client);
    let text = exporter.metrics(OPEN_METRICS);
    let after = raw(&mut client);
    let samples = samples(&text);
    let between = |name: &str, bucket: usize, value: u128| {
        let key = (name.to_owned(), bucket);
        let range = before[&key]..=after[&key];
        assert!(range.contains(&value), "{name} {bucket}: {value} {range:?}");
    };
    let counter = |name: &str| {
        let value = &samples[&format!("vmstats_kvm_vcpus_{name}_total{{vm=\"one\"}}")];
        between(name, 0, value.parse().unwrap());
    };
    for name in [
        "exits",
        "halt_exits",
        "io_exits",
        "irq_injections",
        "insn_emulation",
    ] {
        counter(name);
    }
    let histogram = "vmstats_kvm_vcpus_halt_wait_hist_seconds";
    between(
        "halt_wait_ns",
        0,
        nanos(&samples[&format!("{histogram}_sum{{vm=\"one\"}}")]),
    );
    let mut last = 0;
    for bucket in 0..32u32 {
        // The highest integer of the bucket, as Prometheus writes a number of seconds.
        let bound = match bucket {
            31 => "+Inf".to_owned(),
            0 => "0.0".to_owned(),
            _ => {
                let nanos = (1u64 << bucket) - 1;
                #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
                let seconds = nanos as f64 / 1e9;
                if seconds < 1e-4 {
                    let text = format!("{seconds:e}");
                    let (digits, exponent) = text.split_once("e-").unwrap();
                    format!("{digits}e-{exponent:0>2}")
                } else {
                    seconds.to_string()
                }
            }
        };
        let name = format!("{histogram}_bucket{{vm=\"one\",le=\"{bound}\"}}");
        let total: u128 = samples[&name].parse().unwrap();
        between("halt_wait_hist", bucket as usize, total - last);
        last = total;
    }
    assert_eq!(
        samples[&format!("{histogram}_count{{vm=\"one\"}}")],
        last.to_string()
    );
    assert_eq!(samples["vmstats_vm_vcpus{vm=\"one\"}"], "2");
    let steal = &samples["vmstats_sched_vcpus_run_delay_seconds_total{vm=\"one\"}"];
    assert!(steal.parse::<f64>().unwrap() > 0.0);
    let start: f64 = samples["vmstats_vm_start_time_seconds{vm=\"one\"}"]
        .parse()
        .unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let age = now.unwrap().as_secs_f64() - start;
    assert!((-1.5..120.0).contains(&age), "{age}");
}

#[test]
fn text_is_accepted_by_others_when_machines_are_of_all_kinds() {
    let folder = tempfile::tempdir().unwrap();
    let Some(_guests) = ["a", "b"]
        .map(|file| demo(folder.path(), file, "web"))
        .into_iter()
        .collect::<Option<Vec<_>>>()
    else {
        return;
    };
    let qemu = Qemu::start(folder.path(), &[]);
    for options in [&[][..], &["--per-vcpu", "--names", "*", "--created"]] {
        let exporter = Exporter::start(&[options, &[&glob(folder.path())]].concat());
        check_with_others(&exporter);
        let text = exporter.metrics("");
        let count = 2 + usize::from(qemu.is_some());
        assert!(text.contains(&format!("\nvmstats_vms {count}\n")), "{text}");
        assert!(text.contains("\nvmstats_duplicate_names 1\n"), "{text}");
        let samples = samples(&text);
        for vm in ["a", "b"] {
            assert_eq!(samples[&format!("vmstats_vm_up{{vm=\"{vm}\"}}")], "1");
            let info = format!("vmstats_vm_info{{vm=\"{vm}\",name=\"web\",");
            assert!(text.contains(&info), "{text}");
        }
        let label = format!("{{vm=\"{}\"}} 1\n", folder.path().join("b.sock").display());
        assert!(exporter.text("").contains(&label));
        let has_vcpus = text.contains("vmstats_kvm_vcpu_exits_total{vm=\"a\",vcpu=\"1\"}");
        assert_eq!(has_vcpus, !options.is_empty());
    }
}

#[test]
fn machine_that_hangs_or_dies_takes_nothing_from_the_others() {
    let folder = tempfile::tempdir().unwrap();
    simulated::serve(
        &folder.path().join("well.sock"),
        simulated::machine("well", 2),
    );
    let Some(frozen) = demo(folder.path(), "frozen", "frozen") else {
        return;
    };
    let Some(killed) = demo(folder.path(), "killed", "killed") else {
        return;
    };
    let exporter = Exporter::start(&[&glob(folder.path())]);
    let exits = |text: &str, name: &str| {
        let name = format!("vmstats_kvm_vcpus_exits_total{{vm=\"{name}\"}}");
        samples(text)
            .get(&name)
            .map(|value| value.parse::<u64>().unwrap())
    };
    let first = exporter.metrics("");
    assert!(
        ["well", "frozen", "killed"]
            .iter()
            .all(|name| exits(&first, name).is_some())
    );
    signal(&frozen.program, "STOP");
    signal(&killed.program, "KILL");
    // A collection is shared by those that come soon after it.
    thread::sleep(Duration::from_millis(150));
    let scrape = || {
        let begin = Instant::now();
        let text = exporter.metrics("X-Prometheus-Scrape-Timeout-Seconds: 2");
        (text, begin.elapsed())
    };
    let (text, elapsed) = scrape();
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
    let check = |text: &str| {
        assert!(exits(text, "well").is_some(), "{text}");
        // Nothing that was not read is there.
        assert!(
            exits(text, "frozen").is_none() && exits(text, "killed").is_none(),
            "{text}"
        );
        assert!(text.contains("vmstats_vm_up{vm=\"well\"} 1\n"), "{text}");
        let down = ["frozen\",reason=\"timeout", "killed\",reason=\"connect"];
        for down in down {
            assert!(
                text.contains(&format!("vmstats_vm_up{{vm=\"{down}\"}} 0\n")),
                "{text}"
            );
        }
        assert!(text.contains("vmstats_vm_last_answer_timestamp_seconds{vm=\"frozen\"}"));
    };
    check(&text);
    // One that hangs is waited for once only.
    let (text, elapsed) = scrape();
    check(&text);
    assert!(elapsed < Duration::from_secs(1), "{elapsed:?}");
    signal(&frozen.program, "CONT");
    let deadline = Instant::now() + Duration::from_secs(20);
    while exits(&exporter.metrics(""), "frozen").is_none() {
        assert!(Instant::now() < deadline, "the machine does not come back");
        thread::sleep(Duration::from_millis(200));
    }
    // A machine that is started again at the same path is there with the next scrape.
    drop(killed);
    fs::remove_file(folder.path().join("killed.sock")).unwrap();
    let _again = demo(folder.path(), "killed", "killed").unwrap();
    thread::sleep(Duration::from_millis(150));
    let text = exporter.metrics("");
    assert!(exits(&text, "killed").is_some(), "{text}");
    // One whose socket is gone leaves nothing.
    fs::remove_file(folder.path().join("frozen.sock")).unwrap();
    thread::sleep(Duration::from_millis(150));
    assert!(!exporter.metrics("").contains("frozen"));
}

#[test]
fn scrapers_at_the_same_time_share_a_collection() {
    let folder = tempfile::tempdir().unwrap();
    let queries = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = Arc::clone(&queries);
    let machine = simulated::machine("one", 1);
    let slow = move |command: &str, arguments: &Value| {
        if command == "query-stats" {
            count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            thread::sleep(Duration::from_millis(300));
        }
        machine(command, arguments)
    };
    simulated::serve(&folder.path().join("one.sock"), Arc::new(slow));
    let exporter = Exporter::start(&[&glob(folder.path())]);
    let texts = thread::scope(|scope| {
        let scrapers: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| exporter.metrics("")))
            .collect();
        scrapers
            .into_iter()
            .map(|scraper| scraper.join().unwrap())
            .collect::<Vec<_>>()
    });
    for text in texts {
        assert!(
            text.contains("vmstats_kvm_vcpus_exits_total{vm=\"one\"} "),
            "{text}"
        );
    }
    // One that came late, because the machine is busy, may have asked again.
    assert!(queries.load(std::sync::atomic::Ordering::Relaxed) <= 2);
}

#[test]
fn scrapers_have_deadlines_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let machine = simulated::machine("slow", 1);
    let slow = move |command: &str, arguments: &Value| {
        if command == "query-stats" {
            thread::sleep(Duration::from_millis(400));
        }
        machine(command, arguments)
    };
    simulated::serve(&folder.path().join("slow.sock"), Arc::new(slow));
    // Nobody accepts connections here.
    let _silent = UnixListener::bind(folder.path().join("silent.sock")).unwrap();
    let exporter = Exporter::start(&[&glob(folder.path())]);
    let begin = Instant::now();
    let scrape = |at: f64, timeout: f64| {
        thread::sleep(Duration::from_secs_f64(at).saturating_sub(begin.elapsed()));
        let text = exporter.metrics(&format!("X-Prometheus-Scrape-Timeout-Seconds: {timeout}"));
        let mut lines = text.lines();
        let line = lines.find(|line| line.starts_with("vmstats_vm_up{vm=\"slow\""));
        let up = line.is_some_and(|line| line.ends_with(" 1"));
        (up, begin.elapsed().as_secs_f64(), text)
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| scrape(0.0, 4.0));
        let hasty = scope.spawn(|| scrape(0.15, 0.1));
        // It asks the slow machine again shortly before the first one's deadline.
        let third = scope.spawn(|| scrape(3.4, 4.0));
        let (up, at, text) = first.join().unwrap();
        assert!(up && (3.0..5.0).contains(&at), "{at}: {text}");
        let (up, at, _) = hasty.join().unwrap();
        assert!(!up && at < 2.0, "{at}");
        let (up, _, text) = third.join().unwrap();
        assert!(up, "{text}");
    });
    // The silent machine is not waited for again.
    let (up, at, text) = scrape(8.0, 4.0);
    assert!(up && at < 9.5, "{at}: {text}");
}

#[test]
fn machine_is_seen_at_once_when_it_replaces_one_that_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.sock");
    let _hangs = UnixListener::bind(&path).unwrap();
    let exporter = Exporter::start(&[&glob(folder.path())]);
    let scrape = || exporter.metrics("X-Prometheus-Scrape-Timeout-Seconds: 1");
    assert!(scrape().contains("reason=\"silent\"} 0\n"));
    fs::remove_file(&path).unwrap();
    simulated::serve(&path, simulated::machine("one", 1));
    let text = scrape();
    assert!(text.contains("vmstats_kvm_vcpus_exits_total{"), "{text}");
}

#[test]
fn monitor_that_was_occupied_is_left_to_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let Some(qemu) = Qemu::start(folder.path(), &[]) else {
        return;
    };
    let connect = || {
        let begin = Instant::now();
        let client = RawClient::connect(&qemu.socket);
        assert!(
            begin.elapsed() < Duration::from_secs(3),
            "the monitor is taken"
        );
        client
    };
    let owner = connect();
    let exporter = Exporter::start(&[&glob(folder.path())]);
    let scrape = || exporter.metrics("X-Prometheus-Scrape-Timeout-Seconds: 3");
    assert!(scrape().contains("reason=\"silent\"} 0\n"));
    drop(owner);
    let deadline = Instant::now() + Duration::from_secs(90);
    while !scrape().contains("vmstats_kvm_vcpus_exits_total{") {
        assert!(Instant::now() < deadline, "the exporter does not come back");
        thread::sleep(Duration::from_secs(1));
    }
    drop(connect());
}

#[test]
fn hostile_monitor_is_capped_and_changes_nothing_of_others() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["good1", "good2"] {
        let path = folder.path().join(format!("{name}.sock"));
        simulated::serve(&path, simulated::machine(name, 2));
    }
    // Before the others in the order of paths.
    simulated::serve(&folder.path().join("a-hostile.sock"), hostile());
    let exporter = Exporter::start(&["--names", "*", "--per-vcpu", &glob(folder.path())]);
    check_with_others(&exporter);
    // Its long replies take a while, in which the others are there already.
    let deadline = Instant::now() + Duration::from_secs(120);
    let text = loop {
        let text = exporter.metrics("X-Prometheus-Scrape-Timeout-Seconds: 20");
        assert!(text.contains("vmstats_vm_up{vm=\"good2\"} 1\n"), "{text}");
        if text.contains("vmstats_vm_dropped_statistics{") {
            break text;
        }
        assert!(Instant::now() < deadline, "{text}");
        thread::sleep(Duration::from_millis(200));
    };
    let samples = samples(&text);
    for name in ["good1", "good2"] {
        let of = { samples.keys() }.filter(|key| key.contains(&format!("vm=\"{name}\"")));
        // Each of 40 numbers and of 3 histograms, for two vCPUs and their sum.
        assert_eq!(
            of.filter(|key| key.starts_with("vmstats_kvm_")).count(),
            3 * (40 + 3 * 34)
        );
        let exits = format!("vmstats_kvm_vcpus_exits_total{{vm=\"{name}\"}}");
        assert!(samples.contains_key(&exits));
    }
    let hostile = samples
        .keys()
        .find(|key| key.starts_with("vmstats_vm_dropped_statistics"));
    let dropped = hostile.unwrap_or_else(|| panic!("{text}"));
    assert!(dropped.contains("{vm=\"a-hostile\"}"), "{dropped}");
    assert!(
        text.contains("vm=\"a-hostile\",name=\"\\\\u{1b}[31m"),
        "{text}"
    );
    let count: u64 = samples[dropped].parse().unwrap();
    assert!(count > 90_000, "{count}");
    let of_hostile = samples.keys().filter(|key| key.contains("a-hostile"));
    assert!(of_hostile.count() <= 10_010);
    assert!(exporter.memory("VmHWM:") < 400 << 20);
}

/// A monitor with too many statistics, odd names and values of wrong types.
fn hostile() -> simulated::Answers {
    let names: Vec<String> = (0..100_000).map(|number| format!("n{number}")).collect();
    let stat = |name: &str| json!({"name": name, "type": "cumulative", "exponent": 0});
    let mut stats: Vec<Value> = vec![
        // Other types than everybody's.
        json!({"name": "exits", "type": "instant", "exponent": 0}),
        json!({"name": "halt_exits_total", "type": "peak", "exponent": 0}),
        json!({"name": "io_exits", "type": "cumulative", "base": 10, "exponent": 30000}),
        json!({"name": "mmio_exits", "type": "log2-histogram", "exponent": 0}),
        json!({"name": "irq_exits", "type": "what", "exponent": 0}),
        stat("odd \"name\"\\\n# EOF\n{x=\"y\"} 1"),
        stat(""),
        stat("\u{0}\u{202e}ü"),
        stat(&"long".repeat(10_000)),
    ];
    stats.extend(names.iter().map(|name| stat(name)));
    let mut values: Vec<Value> = { stats.iter() }
        .map(|stat| json!({"name": stat["name"], "value": 1}))
        .collect();
    let odd = [
        json!("text"),
        json!(-1),
        json!({}),
        json!([1, "x"]),
        json!(null),
        json!(1.5),
    ];
    for (value, odd) in values.iter_mut().zip(odd) {
        value["value"] = odd;
    }
    // More objects than one would be more tokens than a message may have.
    let paths: Vec<String> = vec!["/a\"\\\n".to_owned()];
    let schemas = simulated::text(&json!([
        {"provider": "kvm", "target": "vcpu", "stats": stats},
        {"provider": "sched", "target": "vcpu", "stats": [stats[0]]},
        {"provider": "vm\n", "target": "up", "stats": [
            {"name": "", "type": "instant", "exponent": 0},
        ]},
    ]));
    let result = json!([{"provider": "kvm", "qom-path": paths[0], "stats": values}]);
    let results = simulated::text(&result);
    // The same object twice.
    let twice = json!({"provider": "vm\n", "stats": [{"name": "", "value": 1}]});
    Arc::new(move |command, arguments| match command {
        "query-stats-schemas" => Arc::clone(&schemas),
        "query-stats" if arguments["target"] == "vcpu" => Arc::clone(&results),
        _ => simulated::text(&match command {
            "query-name" => json!({"name": "\u{1b}[31m\"\\\n# TYPE x counter"}),
            "query-uuid" => json!({"UUID": "\"\n"}),
            "query-cpus-fast" => simulated::cpus(&paths),
            "query-stats" => json!([twice, twice]),
            _ => json!({"error": {"class": "CommandNotFound", "desc": "none"}}),
        }),
    })
}

#[test]
fn options_of_http_are_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    simulated::serve(
        &folder.path().join("one.sock"),
        simulated::machine("one", 1),
    );
    let exporter = Exporter::start(&["--buckets", "every-4", &glob(folder.path())]);
    let (head, body) = get(&exporter.address, "/metrics", "Accept-Encoding: gzip");
    assert!(head.contains("content-encoding: gzip"), "{head}");
    assert!(
        head.contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    let mut text = String::new();
    GzDecoder::new(&*body).read_to_string(&mut text).unwrap();
    let text = brief(&text);
    let bounds: BTreeSet<&str> = { text.lines() }
        .filter(|line| line.starts_with("vmstats_kvm_vcpus_halt_wait_hist_seconds_bucket"))
        .collect();
    assert_eq!(bounds.len(), 8, "{text}");
    assert!(
        text.contains("_hist_seconds_bucket{vm=\"one\",le=\"7e-09\"} 6\n"),
        "{text}"
    );
    let (head, _) = get(&exporter.address, "/metrics", OPEN_METRICS);
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"));
    let (head, body) = get(&exporter.address, "/-/healthy", "");
    assert!(head.starts_with("HTTP/1.1 200") && body == b"ok\n");
    let (_, body) = get(&exporter.address, "/", "");
    let page = String::from_utf8(body).unwrap();
    assert!(page.contains("one.sock<td>one<td>up"), "{page}");
    assert!(
        get(&exporter.address, "/x", "")
            .0
            .starts_with("HTTP/1.1 404")
    );
    let long = format!("X: {}", "x".repeat(1 << 20));
    let mut stream = TcpStream::connect(&exporter.address).unwrap();
    // The server may close the connection before it has read everything.
    let _ = stream.write_all(format!("GET / HTTP/1.1\r\n{long}").as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"));
    exporter.server.end("TERM");
}

#[test]
fn address_is_refused_when_it_is_open_to_other_machines() {
    let output = vmstats(&["export", "--listen", "0.0.0.0:0", "/nowhere"], "");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("tls:0.0.0.0:0"),
        "{}",
        stderr(&output)
    );
    assert_eq!(stdout(&output), "");
}

/// The memory that a release build may use for [`MACHINES`] machines, in bytes.
const MEMORY_MAX: u64 = 100 << 20;
const MACHINES: usize = 1000;

/// Many machines of four vCPUs each, and two scrapers: the time and the memory of a scrape.
/// With `EXPORT_MONITORS` the number is another one; docs/performance.md has the figures of a
/// release build, which must keep its promise for 1,000 machines.
#[test]
fn scrape_of_many_machines_is_complete_and_linear() {
    let most = std::env::var("EXPORT_MONITORS");
    let most: usize = most.map_or(200, |count| count.parse().unwrap());
    let mut costs = Vec::new();
    let mut memories = Vec::new();
    for count in [most / 10, most] {
        let folder = tempfile::tempdir().unwrap();
        simulated::many(folder.path(), count);
        let exporter = Exporter::start(&[&glob(folder.path())]);
        let header = "X-Prometheus-Scrape-Timeout-Seconds: 60";
        exporter.metrics(header);
        let mut times = Vec::new();
        let mut text = String::new();
        for _ in 0..5 {
            // A collection is shared by those that come soon after it.
            thread::sleep(Duration::from_millis(150));
            let begin = Instant::now();
            let compressed = format!("{header}\r\nAccept-Encoding: gzip\r\n{OPEN_METRICS}");
            text = thread::scope(|scope| {
                let other = scope.spawn(|| get(&exporter.address, "/metrics", &compressed));
                let text = exporter.metrics(header);
                let (head, _) = other.join().unwrap();
                assert!(head.contains("content-encoding: gzip"), "{head}");
                text
            });
            times.push(begin.elapsed());
        }
        times.sort();
        let up = text
            .lines()
            .filter(|line| line.starts_with("vmstats_vm_up{"))
            .count();
        let is_up = |line: &&str| line.starts_with("vmstats_vm_up{") && line.ends_with(" 1");
        assert_eq!((up, text.lines().filter(is_up).count()), (count, count));
        let memory = exporter.memory("VmHWM:");
        println!(
            "{count} machines: median {:?}, slowest {:?}, {} bytes of text, {} MiB",
            times[2],
            times[4],
            text.len(),
            memory >> 20
        );
        if !cfg!(debug_assertions) && count >= MACHINES {
            assert!(times[4] < Duration::from_secs(1), "{times:?}");
        }
        costs.push(times[2].as_secs_f64());
        memories.push(memory);
    }
    assert!(costs[1] < 20.0 * costs[0].max(0.005), "{costs:?}");
    let [machines, all] = [most - most / 10, MACHINES].map(|count| u64::try_from(count).unwrap());
    let growth = memories[1].saturating_sub(memories[0]);
    let proportion = MEMORY_MAX * machines / all;
    if cfg!(debug_assertions) {
        // Such a build takes some more of everything.
        assert!(growth < proportion * 3 / 2, "{memories:?}");
    } else {
        assert!(growth < proportion, "{memories:?}");
        assert!(most != MACHINES || memories[1] < MEMORY_MAX, "{memories:?}");
    }
}

#[test]
fn totals_of_the_host_do_not_fall_when_a_machine_goes() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["one", "two"] {
        let path = folder.path().join(format!("{name}.sock"));
        simulated::serve(&path, simulated::machine(name, 1));
    }
    let exporter = Exporter::start(&["--top", "1", &glob(folder.path())]);
    let total = || {
        thread::sleep(Duration::from_millis(150));
        let text = exporter.metrics("");
        let of_machines = "vmstats_kvm_vcpus_exits_total{";
        let count = text.lines().filter(|line| line.starts_with(of_machines));
        assert_eq!(count.count(), 1, "{text}");
        let total = &samples(&text)["vmstats_kvm_host_exits_total"];
        total.parse::<u64>().unwrap()
    };
    // What was counted before the first scrape belongs to no interval.
    assert_eq!(total(), 0);
    assert_eq!(total(), 2 * 123_456_789);
    fs::remove_file(folder.path().join("two.sock")).unwrap();
    assert_eq!(total(), 3 * 123_456_789);
}

#[test]
fn busiest_machine_is_exported_whatever_statistics_are_chosen() {
    let folder = tempfile::tempdir().unwrap();
    // The idle one is first in the order of paths, and tells values that do not grow.
    let machine = simulated::machine("busy", 1);
    simulated::serve(&folder.path().join("busy.sock"), Arc::clone(&machine));
    let reply = machine("query-stats", &json!({"target": "vcpu"}));
    let idle: simulated::Answers = Arc::new(move |command, arguments| match command {
        "query-stats" if arguments["target"] == "vcpu" => Arc::clone(&reply),
        "query-name" => simulated::text(&json!({"name": "an idle one"})),
        _ => machine(command, arguments),
    });
    simulated::serve(&folder.path().join("a.sock"), idle);
    for options in [
        &[][..],
        &["--names", "halt_exits"],
        &["--provider", "kvm", "--names", "io_exits"],
    ] {
        let glob = glob(folder.path());
        let all = [&["--top", "1"], options, &[&glob]].concat();
        let exporter = Exporter::start(&all);
        exporter.metrics("");
        thread::sleep(Duration::from_millis(150));
        let text = exporter.metrics("");
        let of_machines: Vec<_> = { text.lines() }
            .filter(|line| line.starts_with("vmstats_kvm_vcpus_"))
            .collect();
        assert!(!of_machines.is_empty(), "{text}");
        assert!(
            of_machines.iter().all(|line| line.contains("busy")),
            "{options:?} {of_machines:?}"
        );
        let has_exits = text.contains("vmstats_kvm_vcpus_exits_total");
        assert_eq!(has_exits, options.is_empty(), "{text}");
    }
}
