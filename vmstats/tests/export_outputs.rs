//! The outputs of `vmstats export` beside HTTP: a file, an OpenTelemetry receiver, and the
//! table of costs.

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
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use program::{Running, stderr, stdout, vmstats};
use prost::Message;
use scraper::{Exporter, brief, glob, samples, signal};
use serde_json::json;

fn monitor(folder: &Path) -> String {
    simulated::serve(&folder.join("one.sock"), simulated::machine("one", 2));
    glob(folder)
}

fn start(options: &[&str]) -> Running {
    let program = Command::new(env!("CARGO_BIN_EXE_vmstats"))
        .arg("export")
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    Running(program.unwrap())
}

#[test]
fn file_is_replaced_as_a_whole_at_the_interval() {
    let folder = tempfile::tempdir().unwrap();
    let glob = monitor(folder.path());
    let file = folder.path().join("vmstats.prom");
    let path = file.to_str().unwrap();
    let mut exporter = start(&["--textfile", path, "--interval", "0.2", &glob]);
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut values = Vec::new();
    while values.len() < 5 {
        assert!(Instant::now() < deadline, "{values:?}");
        thread::sleep(Duration::from_millis(50));
        let Ok(text) = fs::read_to_string(&file) else {
            continue;
        };
        let samples = samples(&brief(&text));
        // The first and the last family are there whenever the file is.
        assert!(samples.contains_key("vmstats_vms"));
        let exits = &samples["vmstats_kvm_vcpus_exits_total{vm=\"one\"}"];
        if values.last() != Some(exits) {
            values.push(exits.clone());
        }
    }
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
    let names = fs::read_dir(folder.path()).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.len() <= 3, "{names:?}");
    // node_exporter would serve the last values for ever.
    signal(&exporter, "TERM");
    assert!(exporter.0.wait().unwrap().success());
    assert!(!file.exists());
}

#[test]
fn folder_that_does_not_exist_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let glob = monitor(folder.path());
    let output = vmstats(&["export", "--textfile", "/nowhere/x.prom", &glob], "");
    assert_eq!(output.status.code(), Some(1));
    let expected = "vmstats: cannot write /nowhere/x.prom: No such file or directory";
    assert!(stderr(&output).starts_with(expected), "{output:?}");
    assert!(!stderr(&output).contains("at path"), "{output:?}");
}

/// Takes requests, with these statuses one after the other and then 200.
fn receiver(listener: TcpListener, statuses: &'static [&'static str]) -> Receiver<Vec<u8>> {
    let (sender, requests) = channel();
    thread::spawn(move || {
        let mut statuses = statuses.iter();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let body = request(&mut stream);
            let status = statuses.next().unwrap_or(&"200 OK");
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            stream.write_all(head.as_bytes()).unwrap();
            if sender.send(body).is_err() {
                return;
            }
        }
    });
    requests
}

/// Reads a request, and returns its body.
fn request(stream: &mut TcpStream) -> Vec<u8> {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut head = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line.to_lowercase());
    }
    assert!(head.starts_with("post /v1/metrics http/1.1"), "{head}");
    assert!(
        head.contains("content-type: application/x-protobuf"),
        "{head}"
    );
    assert!(head.contains("content-encoding: gzip"), "{head}");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let mut text = Vec::new();
    GzDecoder::new(&*body).read_to_end(&mut text).unwrap();
    text
}

#[test]
fn receiver_gets_exact_metrics_when_it_was_away_at_first() {
    let folder = tempfile::tempdir().unwrap();
    let glob = monitor(folder.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let exporter = Exporter::start(&["--otlp", &url, "--interval", "0.5", &glob]);
    let requests = receiver(listener, &["503 Service Unavailable", "400 Bad Request"]);
    let next = || requests.recv_timeout(Duration::from_secs(30)).unwrap();
    // The first message is tried again, and then refused for good.
    let (first, again, second) = (next(), next(), next());
    assert_eq!(first, again);
    assert_ne!(first, second);
    let message = ExportMetricsServiceRequest::decode(&*second).unwrap();
    let resource = &message.resource_metrics[0];
    let attributes = &resource.resource.as_ref().unwrap().attributes;
    assert_eq!(attributes[0].key, "service.name");
    let metrics = &resource.scope_metrics[0].metrics;
    let find = |name: &str| metrics.iter().find(|metric| metric.name == name).unwrap();
    let exits = find("vmstats.kvm.vcpus.exits");
    let Some(Data::Sum(sum)) = &exits.data else {
        panic!("{exits:?}");
    };
    assert!(sum.is_monotonic && sum.aggregation_temporality == 2);
    let Some(Number::AsInt(value)) = sum.data_points[0].value else {
        panic!("{exits:?}");
    };
    // Each query of the machine adds this to each of two vCPUs.
    assert_eq!(value % (2 * 123_456_789), 0);
    let turn = u64::try_from(value).unwrap() / (2 * 123_456_789);
    let wait = find("vmstats.kvm.vcpus.halt_wait_hist_seconds");
    assert_eq!(wait.unit, "s");
    let Some(Data::Histogram(histogram)) = &wait.data else {
        panic!("{wait:?}");
    };
    let point = &histogram.data_points[0];
    let expected: Vec<u64> = (0..32).map(|bucket| 2 * bucket * turn).collect();
    assert_eq!(point.bucket_counts, expected);
    assert_eq!(point.count, expected.iter().sum::<u64>());
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let bounds: Vec<f64> = (0..31)
        .map(|bucket| ((1u64 << bucket) - 1) as f64 / 1e9)
        .collect();
    assert_eq!(point.explicit_bounds, bounds);
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    let seconds = (2 * 123_456_789 * turn) as f64 / 1e9;
    assert_eq!(point.sum, Some(seconds));
    let up = find("vmstats.vm.up");
    assert!(matches!(&up.data, Some(Data::Gauge(gauge)) if gauge.data_points.len() == 1));
    // What became of the messages is a metric of the other output.
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let samples = samples(&exporter.metrics(""));
        let count = |outcome: &str| {
            let name = format!("vmstats_otlp_exports_total{{outcome=\"{outcome}\"}}");
            samples[&name].parse::<u64>().unwrap()
        };
        // Also that of the moment: a message waits only while it is sent.
        let waiting = &samples["vmstats_otlp_queue_length"];
        if count("failed") == 1 && count("sent") >= 1 && waiting == "0" {
            break;
        }
        assert!(Instant::now() < deadline, "{samples:?}");
        thread::sleep(Duration::from_millis(200));
    }
}

/// A machine with a number of seconds and a plain one, whose names differ in the unit.
fn clashing() -> simulated::Answers {
    let turns = AtomicU64::new(4);
    let paths = ["/cpu0".to_owned()];
    Arc::new(move |command, arguments| {
        let counter = json!({"name": "x", "type": "cumulative", "exponent": 0});
        let seconds = json!({
            "name": "x_ns", "type": "cumulative", "exponent": -9, "base": 10, "unit": "seconds",
        });
        simulated::text(&match command {
            "query-name" => json!({"name": "clash"}),
            "query-cpus-fast" => simulated::cpus(&paths),
            "query-stats-schemas" => {
                json!([{"provider": "p", "target": "vcpu", "stats": [counter, seconds]}])
            }
            "query-stats" if arguments["target"] == "vcpu" => {
                let half = turns.fetch_add(1, Ordering::Relaxed) * 500_000_000;
                let stats = json!([{"name": "x", "value": 7}, {"name": "x_ns", "value": half}]);
                json!([{"provider": "p", "qom-path": "/cpu0", "stats": stats}])
            }
            "query-stats" => json!([]),
            _ => json!({"error": {"class": "CommandNotFound", "desc": "none"}}),
        })
    })
}

#[test]
fn receiver_is_spared_when_it_wants_no_pause() {
    let folder = tempfile::tempdir().unwrap();
    let glob = monitor(folder.path());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let _exporter = start(&["--otlp", &url, "--interval", "0.2", &glob]);
    let requests = receiver(listener, &["503 Away\r\nRetry-After: 0"; 1000]);
    requests.recv_timeout(Duration::from_secs(30)).unwrap();
    thread::sleep(Duration::from_secs(4));
    // After one second, and after two more.
    let count = requests.try_iter().count();
    assert!((1..=3).contains(&count), "{count}");
}

#[test]
fn each_metric_has_one_name_and_type_when_it_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    simulated::serve(&folder.path().join("a.sock"), clashing());
    let silent = UnixListener::bind(folder.path().join("b.sock")).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let options = [
        "--otlp",
        &url,
        "--interval",
        "0.5",
        "--timeout",
        "0.3",
        "--top",
        "5",
    ];
    let _exporter = start(&[&options[..], &[&glob(folder.path())]].concat());
    let requests = receiver(listener, &[]);
    let mut types = BTreeSet::new();
    for turn in 0..3 {
        let message = requests.recv_timeout(Duration::from_secs(30)).unwrap();
        let message = ExportMetricsServiceRequest::decode(&*message).unwrap();
        let metrics = &message.resource_metrics[0].scope_metrics[0].metrics;
        let points = |name: &str| {
            let mut named = metrics.iter().filter(|metric| metric.name == name);
            let metric = named
                .next()
                .unwrap_or_else(|| panic!("{name}: {metrics:?}"));
            assert!(named.next().is_none(), "{name}");
            match &metric.data {
                Some(Data::Sum(sum)) => sum.data_points.clone(),
                Some(Data::Gauge(gauge)) => gauge.data_points.clone(),
                _ => panic!("{metric:?}"),
            }
        };
        assert_eq!(points("vmstats.p.vcpus.x")[0].value, Some(Number::AsInt(7)));
        let seconds = points("vmstats.p.vcpus.x_seconds");
        assert_eq!(seconds.len(), 1);
        types.insert(matches!(seconds[0].value, Some(Number::AsDouble(_))));
        // A total of the host counts from the start of the exporter.
        let total = points("vmstats.p.host.x_seconds").remove(0);
        assert!(total.start_time_unix_nano > 0 && total.attributes.is_empty());
        assert!(total.start_time_unix_nano <= total.time_unix_nano);
        assert_eq!(points("vmstats.vm.vcpus")[0].value, Some(Number::AsInt(1)));
        assert_eq!(points("vmstats.vm.dropped_statistics").len(), 1);
        assert_eq!(points("vmstats.vm.info").len(), 1);
        assert_eq!(points("vmstats.vm.up").len(), 2);
        let failures = points("vmstats.vm.failures");
        let counts = failures.iter().map(|point| match point.value {
            Some(Number::AsInt(count)) => count,
            other => panic!("{other:?}"),
        });
        assert_eq!(
            (failures.len(), counts.sum::<i64>() > 0),
            (6, true),
            "{turn}"
        );
        assert!(failures[0].start_time_unix_nano > 0);
    }
    // Also the number of seconds that has no fraction.
    assert_eq!(types, BTreeSet::from([true]));
    drop(silent);
}

#[test]
fn costs_are_those_of_the_text_when_they_are_printed_before() {
    let folder = tempfile::tempdir().unwrap();
    let glob = monitor(folder.path());
    let output = vmstats(&["export", "--dry-run", "--hosts", "1000", &glob], "");
    assert_eq!(stderr(&output), "");
    let table = stdout(&output);
    let rows = |name: &str| -> Vec<Vec<f64>> {
        let lines = { table.lines() }.filter_map(|line| line.strip_prefix(name));
        let number = |text: &str| text.replace(',', "").parse().unwrap();
        let rows = lines.map(|line| line.split_whitespace().map(number).collect());
        let rows: Vec<_> = rows.collect();
        assert_eq!(rows.len(), 2, "{name}: {table}");
        rows
    };
    let asked = rows("as asked");
    let exporter = Exporter::start(&[&glob]);
    let scraped = samples(&exporter.metrics(""));
    let [series, folded] = [asked[0][0], asked[0][1]];
    assert_eq!(series, f64::from(u32::try_from(scraped.len()).unwrap()));
    // Three histograms of 34 samples are three series.
    assert_eq!(folded, series - 3.0 * 33.0);
    // Of 1,000 hosts.
    let near = |value: f64, expected: f64| assert!((value - expected).abs() <= 0.05, "{table}");
    for (series, place) in [(series, 0), (folded, 3)] {
        assert_eq!(asked[1][place], 1000.0 * series);
        let cores = 1000.0 * series * 3.0 / 300_000.0;
        near(asked[1][place + 1], cores);
        near(asked[1][place + 2], cores * 2.5);
    }
    let cheaper = |one: &str, other: &str| {
        let [one, other] = [rows(one), rows(other)];
        assert!(
            one[0][0] < other[0][0] && one[1][1] < other[1][1],
            "{table}"
        );
    };
    cheaper("--per-vcpu", "--names '*' --per-vcpu");
    cheaper("--buckets none", "--buckets every-2");
    cheaper("--buckets every-4", "as asked");
    // Totals of the host come with a choice of machines.
    cheaper("as asked", "--top 10");
    // The start of the process is not known here, so nothing says when counters were zero.
    assert_eq!(rows("--created")[0][0], series);
    let of_vm = { scraped.keys() }
        .filter(|name| name.contains("{vm="))
        .count();
    let sentence = format!(
        "a virtual machine has {of_vm} series, or {} as NHCB",
        of_vm - 99
    );
    assert!(table.contains(&sentence), "{sentence}: {table}");
    // Those that are silent are named, and the status tells scripts.
    let silent = UnixListener::bind(folder.path().join("x.sock")).unwrap();
    let some = vmstats(&["export", "--dry-run", "--timeout", "1", &glob], "");
    assert_eq!(some.status.code(), Some(1));
    assert!(stdout(&some).starts_with("this host"));
    let said = stderr(&some);
    assert!(
        said.contains("of the 1 virtual machine that answered"),
        "{said}"
    );
    assert!(said.contains("x.sock: "), "{said}");
    drop(silent);
    let wrong = vmstats(&["export", "--dry-run", "--names", "nothing", &glob], "");
    assert!(stderr(&wrong).contains("no statistic matches 'nothing'"));
    let nobody = vmstats(&["export", "--dry-run", "/nowhere/*.sock"], "");
    assert!(
        stderr(&nobody).contains("no socket matches"),
        "{}",
        stderr(&nobody)
    );
}

#[test]
fn option_is_refused_when_it_cannot_act() {
    for (options, why) in [
        (&["--tls-allow", "CN=x"][..], "--tls-allow"),
        (
            &["--listen", "127.0.0.1:0", "--tls-allow", "CN=x"],
            "--tls-allow",
        ),
        (&["--interval", "5"], "--interval"),
        (&["--textfile", "/x/a.prom", "--created"], "--created"),
        (&["--textfile", "/x/a.txt"], ".prom"),
        (&["--buckets", "every-4banana"], "every-2"),
        (&["--hosts", "0", "--dry-run"], "expected a number from 1"),
        (&["--listen", "127.0.0.1:99999"], "65535"),
    ] {
        let output = vmstats(&[&["export"], options, &["/nowhere/*.sock"]].concat(), "");
        assert_eq!(output.status.code(), Some(2), "{options:?}");
        assert!(stderr(&output).contains(why), "{}", stderr(&output));
    }
}

/// Scrapes until the log of an exporter has all of these texts.
fn wait_for_log(exporter: &Exporter, log: &Path, expected: &[&str]) -> String {
    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        exporter.metrics("");
        let text = fs::read_to_string(log).unwrap();
        if expected.iter().all(|line| text.contains(line)) {
            return text;
        }
        assert!(Instant::now() < deadline, "{expected:?}: {text}");
        thread::sleep(Duration::from_millis(150));
    }
}

#[test]
fn log_says_which_machine_is_down_and_which_choice_selects_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let glob = monitor(folder.path());
    let (log, socket) = (folder.path().join("log"), folder.path().join("two.sock"));
    let listener = UnixListener::bind(&socket).unwrap();
    drop(listener);
    let options = [
        "-v",
        "--names",
        "exits,exitz",
        "--provider",
        "kvm",
        "--provider",
        "nope",
    ];
    let places = [&*glob, "/nowhere/x.sock", "/nowhere/*.sock"];
    let exporter = Exporter::start_with_log(&[&options[..], &places].concat(), &log);
    let down = format!("{} is down (connect)", socket.display());
    let text = wait_for_log(
        &exporter,
        &log,
        &[
            "no socket is at /nowhere/x.sock yet",
            "no socket matches '/nowhere/*.sock'",
            "matches 'exitz'",
            "provider 'nope'",
            &down,
            " connected",
        ],
    );
    assert!(!text.contains("'exits'") && !text.contains("provider 'kvm'"));
    assert!(!text.contains("one.sock"), "{text}");
    fs::remove_file(&socket).unwrap();
    let gone = format!("{} is gone", socket.display());
    let text = wait_for_log(&exporter, &log, &[&gone]);
    assert_eq!(text.matches("exitz").count(), 1, "{text}");
}
