//! Prometheus with `vmstats export`: what it computes is what the monitors told.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;
mod scraper;
mod simulated;

use std::collections::BTreeMap;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use program::{RawClient, Running};
use scraper::{Exporter, demo, get, glob, raw};
use serde_json::Value;

/// Prometheus, which scrapes an exporter every second.
struct Prometheus {
    address: String,
    _program: Running,
}

impl Prometheus {
    /// `None`, with the reason printed, where it is not installed.
    fn start(folder: &Path, exporter: &Exporter) -> Option<Self> {
        // The port is free for a moment, which suffices on a machine for tests.
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let config = folder.join("prometheus.yml");
        let text = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\n\
             scrape_configs:\n\
             - job_name: vmstats\n\
             \x20 static_configs: [{{targets: ['{}']}}]\n",
            exporter.address
        );
        fs::write(&config, text).unwrap();
        let log = fs::File::create(folder.join("prometheus.log")).unwrap();
        let program = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        match program {
            Ok(program) => Some(Self {
                address,
                _program: Running(program),
            }),
            Err(error) => {
                skip::because(format_args!("prometheus cannot be started: {error}"));
                None
            }
        }
    }

    /// The value of an expression that has one series; `None` if it has none.
    fn ask(&self, expression: &str) -> Option<f64> {
        if TcpStream::connect(&self.address).is_err() {
            return None;
        }
        let encoded: String = { expression.bytes() }
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        let path = format!("/api/v1/query?query={encoded}");
        let (_, body) = get(&self.address, &path, "");
        let start = body.iter().position(|byte| *byte == b'{')?;
        let end = body.iter().rposition(|byte| *byte == b'}')?;
        let reply: Value = serde_json::from_slice(&body[start..=end]).ok()?;
        let result = reply["data"]["result"].as_array()?;
        assert!(result.len() <= 1, "{expression}: {reply}");
        result.first()?["value"][1].as_str()?.parse().ok()
    }

    fn wait(&self, expression: &str, is_enough: impl Fn(f64) -> bool) -> f64 {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            match self.ask(expression) {
                Some(value) if is_enough(value) => return value,
                value => {
                    assert!(Instant::now() < deadline, "{expression} is {value:?}");
                    thread::sleep(Duration::from_millis(250));
                }
            }
        }
    }
}

/// The quantile that Prometheus' documentation defines: linear within a bucket, whose
/// bounds are those of a histogram by powers of two in nanoseconds.
#[expect(clippy::cast_precision_loss, reason = "a quantile is rounded anyway")]
fn quantile(rank: f64, counts: &[u128]) -> f64 {
    let total: u128 = counts.iter().sum();
    let rank = rank * total as f64;
    let mut below = 0;
    for (bucket, count) in counts.iter().enumerate() {
        if (below + count) as f64 >= rank {
            let low = if bucket == 0 {
                0
            } else {
                (1u64 << (bucket - 1)) - 1
            };
            let high = (1u64 << bucket) - 1;
            let share = (rank - below as f64) / *count as f64;
            return (low as f64 + (high - low) as f64 * share) / 1e9;
        }
        below += count;
    }
    f64::NAN
}

#[test]
fn prometheus_computes_the_rates_and_quantiles_of_the_raw_replies() {
    let folder = tempfile::tempdir().unwrap();
    // Each query adds the same, so that the expected numbers are known exactly.
    simulated::serve(
        &folder.path().join("sim.sock"),
        simulated::machine("sim", 2),
    );
    let guest = demo(folder.path(), "guest", "guest");
    let exporter = Exporter::start(&[&glob(folder.path())]);
    let Some(prometheus) = Prometheus::start(folder.path(), &exporter) else {
        return;
    };
    let exits = "vmstats_kvm_vcpus_exits_total{vm=\"sim\"}";
    prometheus.wait(&format!("count_over_time({exits}[1m])"), |count| {
        count >= 8.0
    });
    let near = |value: f64, expected: f64, tolerance: f64| {
        assert!(
            (value / expected - 1.0).abs() <= tolerance,
            "{value} {expected}"
        );
    };
    let ask = |expression: &str| prometheus.wait(expression, |value| !value.is_nan());
    let turns = f64::from(2 * 123_456_789);
    near(ask(&format!("rate({exits}[5s])")), turns, 0.05);
    let wait = "vmstats_kvm_vcpus_halt_wait_hist_seconds";
    let seconds = ask(&format!("rate({wait}_sum{{vm=\"sim\"}}[5s])"));
    near(seconds, turns / 1e9, 0.05);
    let counts: Vec<u128> = (0..32).collect();
    for rank in [0.1, 0.5, 0.9] {
        let expression =
            format!("histogram_quantile({rank}, rate({wait}_bucket{{vm=\"sim\"}}[5s]))");
        near(ask(&expression), quantile(rank, &counts), 1e-9);
    }
    let Some(guest) = guest else {
        return;
    };
    // A guest's numbers move while they are read: before and after a scrape.
    let mut client = RawClient::connect(&guest.socket);
    let counts = |raw: &BTreeMap<(String, usize), u128>| -> Vec<u128> {
        (0..32)
            .map(|bucket| raw[&("halt_wait_hist".to_owned(), bucket)])
            .collect()
    };
    let before = raw(&mut client);
    let begin = Instant::now();
    thread::sleep(Duration::from_secs(6));
    let after = raw(&mut client);
    let elapsed = begin.elapsed().as_secs_f64();
    let key = ("exits".to_owned(), 0);
    #[expect(clippy::cast_precision_loss, reason = "a rate is rounded anyway")]
    let expected = (after[&key] - before[&key]) as f64 / elapsed;
    let rate = ask("rate(vmstats_kvm_vcpus_exits_total{vm=\"guest\"}[5s])");
    near(rate, expected, 0.25);
    let growth = counts(&after).into_iter().zip(counts(&before));
    let growth: Vec<u128> = growth.map(|(after, before)| after - before).collect();
    let median = ask(&format!(
        "histogram_quantile(0.5, rate({wait}_bucket{{vm=\"guest\"}}[5s]))"
    ));
    near(median, quantile(0.5, &growth), 0.25);
    let up = ask("up{job=\"vmstats\"}");
    near(up, 1.0, 0.0);
}
