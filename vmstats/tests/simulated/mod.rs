//! Monitors that speak QMP and invent what they tell: many at once, and hostile ones.

#![allow(dead_code, reason = "each test file uses a part")]

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};

/// What a monitor returns for a command with these arguments: an object with `error` is an
/// error.
pub(crate) type Answers = Arc<dyn Fn(&str, &Value) -> Arc<str> + Send + Sync>;

/// Returns the text of an answer.
pub(crate) fn text(value: &Value) -> Arc<str> {
    value.to_string().into()
}

/// Serves a monitor at a path, until the program ends.
pub(crate) fn serve(path: &Path, answers: Answers) {
    let listener = UnixListener::bind(path).unwrap();
    let accept = move || {
        for stream in listener.incoming() {
            let answers = Arc::clone(&answers);
            let converse = move || converse(&stream.unwrap(), &answers);
            let thread = thread::Builder::new().stack_size(256 << 10);
            thread.spawn(converse).unwrap();
        }
    };
    let thread = thread::Builder::new().stack_size(64 << 10);
    thread.spawn(accept).unwrap();
}

/// Serves one client until it leaves.
fn converse(stream: &UnixStream, answers: &Answers) {
    let greeting = json!({"QMP": {
        "version": {"qemu": {"micro": 0, "minor": 2, "major": 7}, "package": ""},
        "capabilities": [],
    }});
    let mut out = stream;
    if writeln!(out, "{greeting}").is_err() {
        return;
    }
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else {
            return;
        };
        let request: Value = serde_json::from_str(&line).unwrap();
        let command = request["execute"].as_str().unwrap();
        let value = match command {
            "qmp_capabilities" => "{}".into(),
            _ => answers(command, &request["arguments"]),
        };
        let id = &request["id"];
        let reply = match value.strip_prefix("{\"error\"") {
            Some(error) => format!("{{\"id\": {id}, \"error\"{error}"),
            None => format!("{{\"id\": {id}, \"return\": {value}}}"),
        };
        if writeln!(out, "{reply}").is_err() {
            return;
        }
    }
}

/// The statistics of a vCPU of an x86 machine: how KVM has them since 5.14.
const COUNTERS: [&str; 37] = [
    "pf_taken",
    "pf_fixed",
    "pf_emulate",
    "pf_spurious",
    "pf_fast",
    "pf_mmio_spte_created",
    "pf_guest",
    "tlb_flush",
    "invlpg",
    "exits",
    "io_exits",
    "mmio_exits",
    "signal_exits",
    "irq_window_exits",
    "nmi_window_exits",
    "l1d_flush",
    "halt_exits",
    "request_irq_exits",
    "irq_exits",
    "host_state_reload",
    "fpu_reload",
    "insn_emulation",
    "insn_emulation_fail",
    "hypercalls",
    "irq_injections",
    "nmi_injections",
    "req_event",
    "nested_run",
    "directed_yield_attempted",
    "directed_yield_successful",
    "preemption_reported",
    "preemption_other",
    "notify_window_exits",
    "halt_successful_poll",
    "halt_attempted_poll",
    "halt_poll_invalid",
    "halt_wakeup",
];
const SUMS: [&str; 3] = ["halt_poll_success_ns", "halt_poll_fail_ns", "halt_wait_ns"];
const HISTOGRAMS: [&str; 3] = [
    "halt_poll_success_hist",
    "halt_poll_fail_hist",
    "halt_wait_hist",
];

/// A machine like one of KVM's, with statistics that grow from query to query.
pub(crate) fn machine(name: &str, vcpus: usize) -> Answers {
    let name = name.to_owned();
    let paths: Vec<String> = (0..vcpus)
        .map(|index| format!("/machine/cpu[{index}]"))
        .collect();
    let queries = std::sync::atomic::AtomicU64::new(1);
    Arc::new(move |command, arguments| {
        text(&match command {
            "query-name" => json!({"name": name}),
            "query-uuid" => json!({"UUID": "00000000-0000-0000-0000-000000000000"}),
            "query-cpus-fast" => cpus(&paths),
            "query-stats-schemas" => {
                json!([{"provider": "kvm", "target": "vcpu", "stats": schema()}])
            }
            "query-stats" if arguments["target"] == "vcpu" => {
                let turn = queries.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                let names = &arguments["providers"][0]["names"];
                let has = |name: &str| {
                    names
                        .as_array()
                        .is_none_or(|names| names.iter().any(|one| one == name))
                };
                let of_vcpu = |path: &String| json!({"provider": "kvm", "qom-path": path, "stats": values(turn, &has)});
                Value::Array(paths.iter().map(of_vcpu).collect())
            }
            "query-stats" => json!([]),
            _ => json!({"error": {"class": "CommandNotFound", "desc": "none"}}),
        })
    })
}

/// Returns vCPUs without threads.
pub(crate) fn cpus(paths: &[String]) -> Value {
    let vcpu = |(index, path): (usize, &String)| json!({"cpu-index": index, "qom-path": path, "thread-id": 0, "target": "x86_64"});
    Value::Array(paths.iter().enumerate().map(vcpu).collect())
}

fn schema() -> Value {
    let counter = |name: &&str| json!({"name": name, "type": "cumulative", "exponent": 0});
    let of_time = |kind: &'static str| move |name: &&str| json!({"name": name, "type": kind, "unit": "seconds", "base": 10, "exponent": -9});
    let counters = COUNTERS.iter().map(counter);
    let sums = SUMS.iter().map(of_time("cumulative"));
    let histograms = HISTOGRAMS.iter().map(of_time("log2-histogram"));
    Value::Array(counters.chain(sums).chain(histograms).collect())
}

fn values(turn: u64, has: &dyn Fn(&str) -> bool) -> Value {
    let value = |name: &&str, value: Value| json!({"name": name, "value": value});
    let numbers = COUNTERS.iter().chain(&SUMS).filter(|name| has(name));
    let histograms = HISTOGRAMS.iter().filter(|name| has(name));
    let buckets: Vec<u64> = (0..32).rev().map(|bucket| bucket * turn).collect();
    let numbers = numbers.map(|name| value(name, json!(turn * 123_456_789)));
    let histograms = histograms.map(|name| value(name, json!(buckets)));
    Value::Array(numbers.chain(histograms).collect())
}

/// Serves machines with four vCPUs each, and returns their sockets.
pub(crate) fn many(folder: &Path, count: usize) -> Vec<PathBuf> {
    (0..count)
        .map(|number| {
            let path = folder.join(format!("{number:04}.sock"));
            serve(&path, machine(&format!("vm{number}"), 4));
            path
        })
        .collect()
}
