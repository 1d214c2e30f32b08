//! Times decoding and encoding of large messages, and compares with the types
//! of crate `qapi-qmp`.
//!
//! In: messages that are made here. Out: a line of JSON for each comparison,
//! with the times of both sides, measured in turns within one run. `cargo xtask
//! bench` makes rows of the lines.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a program for developers"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use full_schema::{QMP_SCHEMA, qmp};
use qapi_gen::{CheckOptions, FsLoader, Introspection, Style, check_with};
use qapi_wire::{Context, Decode, Encode, from_json, to_vec};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

/// The shortest time of a turn.
const TURN: Duration = Duration::from_millis(20);
const ROUNDS: usize = 31;

fn main() {
    let stats = stats();
    row::<Vec<qmp::stats::StatsResult>, Vec<qapi_qmp::StatsResult>>(
        "query-stats of 64 vCPUs",
        &stats,
    );
    let schema = introspection();
    row::<Vec<qmp::introspect::SchemaInfo>, Vec<qapi_qmp::SchemaInfo>>("query-qmp-schema", &schema);
    let blockdev = blockdev(12);
    row::<qmp::block_core::BlockdevOptions, qapi_qmp::BlockdevOptions>(
        "blockdev-add of 12 images",
        &blockdev,
    );
}

fn row<O, T>(what: &str, text: &str)
where
    O: Decode + Encode,
    T: DeserializeOwned + Serialize,
{
    let context = Context::tolerant();
    let ours: O = from_json(text.as_bytes(), &context).unwrap();
    let theirs: T = serde_json::from_str(text).unwrap();
    let bytes = text.as_bytes();
    compare(
        &format!("decode {what}"),
        || drop(black_box(from_json::<O>(black_box(bytes), &context))),
        || drop(black_box(serde_json::from_slice::<T>(black_box(bytes)))),
    );
    compare(
        &format!("encode {what}"),
        || drop(black_box(to_vec(black_box(&ours)))),
        || drop(black_box(serde_json::to_vec(black_box(&theirs)))),
    );
}

fn compare(what: &str, mut ours: impl FnMut(), mut theirs: impl FnMut()) {
    // The first turns warm up.
    let (ours_ns, other_ns): (Vec<f64>, Vec<f64>) = (0..=ROUNDS)
        .map(|_| (turn(&mut ours), turn(&mut theirs)))
        .skip(1)
        .unzip();
    println!(
        "{}",
        json!({ "what": what, "ours-ns": ours_ns, "other-ns": other_ns })
    );
}

/// Returns the mean nanoseconds of one call of `work`.
fn turn(work: &mut impl FnMut()) -> f64 {
    let begin = Instant::now();
    let mut count = 0_u32;
    while begin.elapsed() < TURN {
        work();
        count += 1;
    }
    begin.elapsed().as_secs_f64() * 1e9 / f64::from(count)
}

/// Returns as many statistics as KVM has for a vCPU, two of them histograms,
/// for 64 vCPUs.
fn stats() -> String {
    let vcpu = |vcpu: u64| {
        let scalars = (0..45).map(|n| {
            let value = (vcpu + 1) * (n + 1) * 7919;
            format!("{{\"name\": \"statistic_number_{n}\", \"value\": {value}}}")
        });
        let buckets = vec!["123456"; 32].join(", ");
        let histograms =
            (0..2).map(|n| format!("{{\"name\": \"histogram_{n}\", \"value\": [{buckets}]}}"));
        let stats: Vec<String> = scalars.chain(histograms).collect();
        format!(
            "{{\"provider\": \"kvm\", \"qom-path\": \"/machine/unattached/device[{vcpu}]\", \
             \"stats\": [{}]}}",
            stats.join(", ")
        )
    };
    let results: Vec<String> = (0..64).map(vcpu).collect();
    format!("[{}]", results.join(", "))
}

fn introspection() -> String {
    let options = CheckOptions {
        style: Style::Warn,
        ..CheckOptions::default()
    };
    let schema = check_with(QMP_SCHEMA, &FsLoader, options).schema.unwrap();
    Introspection::default().json(&schema)
}

/// Returns the options of an image with `images - 1` backing images.
fn blockdev(images: usize) -> String {
    let backing = match images {
        1 => String::new(),
        _ => format!(", \"backing\": {}", blockdev(images - 1)),
    };
    format!(
        "{{\"driver\": \"qcow2\", \"node-name\": \"image{images}\", \"read-only\": true, \
         \"cache\": {{\"direct\": true, \"no-flush\": false}}, \"discard\": \"unmap\", \
         \"file\": {{\"driver\": \"file\", \"node-name\": \"file{images}\", \"filename\": \
         \"/var/lib/images/disk{images}.qcow2\", \"aio\": \"native\"}}, \
         \"l2-cache-size\": 1048576{backing}}}"
    )
}
