//! `cargo xtask bench`: what the runtime costs, as ratios.
//!
//! In: a live guest. Out: a table whose every row compares two ways to do the
//! same, measured in turn in one run, because these figures mean nothing alone.

use std::hint::black_box;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use clap::Args;
use qapi::stats::StatsTarget;
use qapi::wire::Writer;
use stats_runtime::kvm::raise_nofile_limit;
use stats_runtime::provider::{Provider, StatsQuery, StatsSink};
use stats_runtime::sink::JsonResults;
use vmstats::guest::{Guest, GuestConfig};

use crate::tools::Failure;

#[derive(Debug, Args)]
pub struct Arguments {
    /// Numbers of vCPUs to measure with
    #[arg(long, value_delimiter = ',', default_values_t = [1, 64, 255])]
    vcpus: Vec<usize>,
    /// How many times the two sides take turns
    #[arg(long, default_value_t = 31)]
    rounds: usize,
}

/// How long each side runs in its turn.
const TURN: Duration = Duration::from_millis(20);

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    if cfg!(debug_assertions) {
        return Err("a debug build measures nothing: cargo run --release -p xtask -- bench".into());
    }
    println!("Sweep of all vCPUs' statistics; one vCPU runs, the others wait.");
    println!("Medians of {} turns; in brackets the quartiles of the ratio.\n", arguments.rounds);
    println!(
        "{:>6}  {:>12}  {:>12}  {:>22}  {:>12}  {:>22}",
        "vCPUs", "bare pread", "provider", "ratio", "to JSON", "ratio"
    );
    for &vcpus in &arguments.vcpus {
        let row = sweep(vcpus, arguments.rounds)?;
        println!(
            "{vcpus:>6}  {:>12}  {:>12}  {:>22}  {:>12}  {:>22}",
            time(row.bare_ns),
            time(row.provider_ns),
            row.provider_ratio,
            time(row.json_ns),
            row.json_ratio,
        );
    }
    Ok(())
}

struct Row {
    bare_ns: f64,
    provider_ns: f64,
    provider_ratio: String,
    json_ns: f64,
    json_ratio: String,
}

fn sweep(vcpus: usize, rounds: usize) -> Result<Row, Failure> {
    raise_nofile_limit(vcpus as u64 * 3 + 100).map_err(|error| error.to_string())?;
    let guest = Guest::boot(GuestConfig { vcpus, running: 1 }).map_err(|error| error.to_string())?;
    let bare = Bare::new(&guest)?;
    let provider = guest.provider();
    let target = StatsTarget::Vcpu;
    let query = StatsQuery::all(&target);
    let mut text = Vec::new();
    let (mut bare_ns, mut provider_ns, mut json_ns) = (Vec::new(), Vec::new(), Vec::new());
    let mut sink = Discard;
    // The first turn warms up.
    for round in 0..=rounds {
        let turns = [
            turn(|| bare.sweep()),
            turn(|| provider.query(&query, &mut sink).is_ok()),
            turn(|| {
                text.clear();
                let mut writer = Writer::new(&mut text);
                let mut json = JsonResults::new(&mut writer);
                let read = provider.query(&query, &mut json).is_ok();
                json.finish();
                read
            }),
        ];
        let [Some(a), Some(b), Some(c)] = turns else {
            return Err("a statistics file cannot be read".to_owned());
        };
        if round > 0 {
            bare_ns.push(a);
            provider_ns.push(b);
            json_ns.push(c);
        }
    }
    guest.stop().map_err(|error| error.to_string())?;
    let ratios = |over: &[f64]| over.iter().zip(&bare_ns).map(|(a, b)| a / b).collect::<Vec<_>>();
    Ok(Row {
        provider_ratio: spread(ratios(&provider_ns)),
        json_ratio: spread(ratios(&json_ns)),
        bare_ns: quantile(&mut bare_ns, 0.5),
        provider_ns: quantile(&mut provider_ns, 0.5),
        json_ns: quantile(&mut json_ns, 0.5),
    })
}

/// The least that reading every vCPU's values can cost: one `pread` each.
struct Bare {
    fds: Vec<OwnedFd>,
    offset: u64,
    len: usize,
}

impl Bare {
    fn new(guest: &Guest) -> Result<Self, Failure> {
        let fds = guest.vcpu_stats_fds().map_err(|error| error.to_string())?;
        let header = fds.first().ok_or("there is no vCPU")?;
        let mut bytes = [0; stats_runtime::kvm::Header::SIZE];
        rustix::io::pread(header, &mut bytes, 0).map_err(|error| error.to_string())?;
        let header_read =
            stats_runtime::kvm::Header::parse(&bytes).map_err(|error| error.to_string())?;
        let image = stats_runtime::kvm::record(header.as_fd()).map_err(|error| error.to_string())?;
        let offset = header_read.data_offset.into();
        let len = image.len().saturating_sub(usize::try_from(offset).unwrap_or(usize::MAX));
        Ok(Self { fds, offset, len })
    }

    fn sweep(&self) -> bool {
        let mut buffer = [0_u8; 8192];
        let Some(buffer) = buffer.get_mut(..self.len) else { return false };
        self.fds.iter().all(|fd| {
            let read = rustix::io::pread(fd, &mut *buffer, self.offset);
            black_box(&buffer);
            read == Ok(self.len)
        })
    }
}

/// A sink that looks at everything and keeps nothing.
struct Discard;

impl StatsSink for Discard {
    fn result(&mut self, qom_path: Option<&str>) {
        black_box(qom_path);
    }

    fn scalar(&mut self, name: &str, value: u64) {
        black_box((name, value));
    }

    fn boolean(&mut self, name: &str, value: bool) {
        black_box((name, value));
    }

    fn histogram(&mut self, name: &str, buckets: &[u64]) {
        black_box((name, buckets));
    }
}

/// Runs `work` over and over for a turn: nanoseconds for each, or `None` if it
/// failed.
fn turn(mut work: impl FnMut() -> bool) -> Option<f64> {
    let begin = Instant::now();
    let mut count = 0_u32;
    while begin.elapsed() < TURN {
        for _ in 0..8 {
            if !work() {
                return None;
            }
        }
        count += 8;
    }
    Some(begin.elapsed().as_secs_f64() * 1e9 / f64::from(count))
}

fn quantile(values: &mut [f64], at: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index within the values"
    )]
    let index = (values.len().saturating_sub(1) as f64 * at).round() as usize;
    values.get(index).copied().unwrap_or(f64::NAN)
}

fn spread(mut ratios: Vec<f64>) -> String {
    let [low, median, high] = [0.25, 0.5, 0.75].map(|at| quantile(&mut ratios, at));
    format!("{median:.2} [{low:.2}, {high:.2}]")
}

fn time(ns: f64) -> String {
    if ns < 10_000.0 { format!("{ns:.0} ns") } else { format!("{:.1} us", ns / 1000.0) }
}
