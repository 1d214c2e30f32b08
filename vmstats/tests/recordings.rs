//! Commands on recordings that were written by hand: two days, hangs, virtual machines that
//! came late or never answered, and names that would control a terminal.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;

use std::thread;
use std::time::{Duration, Instant};

use program::{RawClient, Server, stderr, stdout};
use serde_json::{Value, json};
use tempfile::TempDir;

/// 2026-11-28T08:00:00Z.
const BEGIN: u64 = 1_795_852_800;

/// A request and its reply, in milliseconds after [`BEGIN`].
type Times = (u64, u64);

/// A recording of virtual machines with one vCPU and one counter, which grows by ten between
/// two samples.
struct Made {
    folder: TempDir,
}

impl Made {
    /// Writes a recording. `intervals` are milliseconds after [`BEGIN`], each with the
    /// interval from then on, in milliseconds; `vms` are names with the times of their
    /// samples, and `events` are endpoints with the times and texts of failures.
    fn new(
        intervals: &[(u64, u64)],
        stat: &str,
        vms: &[(&str, Vec<Times>)],
        events: &[(&str, u64, &str)],
    ) -> Self {
        let nanos = |millis: u64| BEGIN * 1_000_000_000 + millis * 1_000_000;
        let mut lines: Vec<Value> = Vec::new();
        for (name, samples) in vms {
            for (number, (begin, end)) in samples.iter().enumerate() {
                lines.push(json!({
                    "sample": number, "t0": nanos(*begin), "t1": nanos(*end),
                    "vm": format!("{name}.sock"), "run": 0, "provider": "kvm",
                    "target": "vcpu", "vcpu": 0, "object": "/vcpu0", stat: 10 * number,
                }));
            }
        }
        for (vm, at, text) in events {
            lines.push(json!({
                "t0": nanos(*at), "t1": nanos(*at), "vm": vm, "event": "failed", "text": text,
            }));
        }
        lines.sort_by_key(|line| line["t0"].as_u64());
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let described = vms.iter().map(|(name, _)| {
            json!({"vm": format!("{name}.sock"), "endpoint": format!("{name}.sock"),
                   "name": name, "version": "1"})
        });
        let intervals = intervals.iter().map(
            |(since, millis)| json!({"since": nanos(*since), "nanoseconds": millis * 1_000_000}),
        );
        let schema = json!({
            "format": "vmstats recording", "version": 1, "host": "here",
            "intervals": intervals.collect::<Vec<Value>>(),
            "vms": described.collect::<Vec<Value>>(),
            "tables": [{"provider": "kvm", "target": "vcpu",
                        "stats": [{"name": stat, "type": "cumulative", "exponent": 0}]}],
        });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("schema.json"), schema.to_string()).unwrap();
        std::fs::write(folder.path().join("tail.jsonl"), text).unwrap();
        Self { folder }
    }

    fn path(&self) -> &str {
        self.folder.path().to_str().unwrap()
    }

    fn part(&self, part: &str) -> String {
        format!("{}@{part}", self.path())
    }

    /// Writes a report, and returns what the program printed, and the page.
    fn report(&self) -> (String, String) {
        let page = self.folder.path().join("page.html");
        let told = run(&["report", self.path(), "-o", page.to_str().unwrap()]);
        (told, std::fs::read_to_string(page).unwrap())
    }
}

/// Runs a command that has to succeed, and returns its output.
fn run(arguments: &[&str]) -> String {
    let output = program::vmstats(arguments, "");
    assert!(output.status.success(), "{}", stderr(&output));
    stdout(&output)
}

/// Runs a command that has to fail, and returns its error.
fn fail(arguments: &[&str]) -> String {
    let output = program::vmstats(arguments, "");
    assert_eq!(output.status.code(), Some(1), "{}", stdout(&output));
    stderr(&output)
}

/// Returns samples that are answered at once, every `step` milliseconds.
fn every(step: u64, from: u64, to: u64) -> Vec<Times> {
    let count = (to - from) / step;
    (0..=count)
        .map(|number| (from + number * step, from + number * step))
        .collect()
}

#[test]
fn late_answer_is_told_when_the_monitor_hung_for_less_than_the_timeout() {
    let mut samples = every(1_000, 0, 9_000);
    samples.push((10_000, 18_800));
    samples.extend(every(1_000, 19_000, 25_000));
    let made = Made::new(&[(0, 1_000)], "exits", &[("web", samples)], &[]);
    let table = run(&["diff", &made.part("..+9s"), &made.part("+9s..")]);
    let lines: Vec<&str> = table.lines().collect();
    let of = |side: &str| lines.iter().rfind(|line| line.starts_with(side)).unwrap();
    assert!(!of("A: ").contains("late"), "{table}");
    assert!(
        of("B: ").contains("late answers: 1, the longest after 8.8 s"),
        "{table}"
    );
    let (_, page) = made.report();
    assert!(page.contains("the monitor took 8.8 s to answer"));
    assert!(page.contains("class=\"gap\""));
}

#[test]
fn vm_is_not_served_before_its_first_and_after_its_last_sample() {
    let vms = [
        ("early", every(50, 0, 3_500)),
        ("late", every(50, 1_000, 1_800)),
    ];
    let made = Made::new(&[(0, 50)], "exits", &vms, &[]);
    let server = Server::start(&["serve", "--replay", made.path(), "--vm", "late"]);
    let mut client = RawClient::connect(&server.socket);
    let request = json!({"execute": "query-stats", "arguments": {"target": "vcpu"}});
    let mut seen: Vec<bool> = Vec::new();
    let start = Instant::now();
    while seen != [false, true, false] {
        assert!(start.elapsed() < Duration::from_secs(20), "{seen:?}");
        let reply = client.ask(&request.to_string());
        if let Some(reason) = reply["error"]["desc"].as_str() {
            assert!(reason.contains("nothing was recorded from"), "{reason}");
        }
        let is_answered = reply.get("return").is_some();
        if seen.last() != Some(&is_answered) {
            seen.push(is_answered);
        }
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn part_ends_on_the_day_after_it_began_when_its_end_is_an_earlier_time() {
    let hour = 3_600_000;
    let made = Made::new(
        &[(0, 3_600_000)],
        "exits",
        &[("web", every(hour, 0, 49 * hour))],
        &[],
    );
    let dump = |part: &str| run(&["dump", &made.part(part), "--format", "jsonl"]);
    // From 23:00 of the first day to 08:00 of the second one.
    let text = dump("23:00..08:30");
    let lines: Vec<Value> = { text.lines() }
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let values: Vec<u64> = { lines.iter() }
        .map(|line| line["value"].as_u64().unwrap())
        .collect();
    assert_eq!(values.first(), Some(&150));
    assert_eq!(values.last(), Some(&240));
    assert_eq!(dump("09:00..10:00").lines().count(), 2);
    // The page says which day it means.
    assert!(made.report().1.contains("<span>2026-11-30 09:00:00</span>"));
}

#[test]
fn gap_is_judged_by_the_interval_at_its_time_when_recorders_had_several() {
    let mut samples = every(4_000, 0, 40_000);
    samples.extend(every(500, 41_000, 50_000));
    samples.extend(every(500, 53_000, 60_000));
    let intervals = [(0, 4_000), (41_000, 500)];
    let made = Made::new(&intervals, "exits", &[("web", samples)], &[]);
    let table = run(&["diff", &made.part("..+40s"), &made.part("+41s..")]);
    let of = |side: &str| table.lines().rfind(|line| line.starts_with(side)).unwrap();
    assert_eq!(of("A: "), "A: 40.0 s between 11 samples");
    assert_eq!(of("B: "), "B: 16.0 s between 34 samples, gaps: 1");
    let rates = |part: &str| {
        let lines = run(&["dump", &made.part(part), "--format", "jsonl"]);
        lines.matches("\"per-second\"").count()
    };
    assert_eq!((rates("..+40s"), rates("+41s..")), (10, 32));
    let (_, page) = made.report();
    assert!(page.contains("4s, then 500ms"));
    assert_eq!(page.matches("without any").count(), 1);
}

#[test]
fn report_names_a_vm_when_it_never_answered() {
    let events = [("mute.sock", 1_000, "no answer in time")];
    let made = Made::new(
        &[(0, 1_000)],
        "exits",
        &[("web", every(1_000, 0, 4_000))],
        &events,
    );
    let (told, page) = made.report();
    assert!(told.contains(": 2 VMs, "), "{told}");
    assert!(page.contains("5 of 2 VMs"));
    let section = page
        .split("<section>")
        .find(|one| one.contains(">mute.sock</h2>"));
    let section = section.unwrap();
    for expected in ["no answer in time", "It has no sample in this time."] {
        assert!(section.contains(expected), "{expected}: {section}");
    }
    assert!(!page.contains("What happened to the recorder"));
    let alone = Made::new(
        &[(0, 1_000)],
        "exits",
        &[("web", every(1_000, 0, 4_000))],
        &[],
    );
    let (told, page) = alone.report();
    assert!(told.contains(": 1 VM, "), "{told}");
    assert!(page.contains("5 of 1 VM<"));
}

#[test]
fn report_lists_the_events_around_the_split_when_there_are_many() {
    let texts: Vec<String> = (0..200)
        .map(|number| format!("failure {number}."))
        .collect();
    let events = (0..).zip(&texts);
    let events: Vec<(&str, u64, &str)> = events
        .map(|(number, text)| ("web.sock", 10 * number, text.as_str()))
        .collect();
    let made = Made::new(
        &[(0, 100)],
        "exits",
        &[("web", every(100, 0, 1_990))],
        &events,
    );
    let (_, page) = made.report();
    assert!(page.contains("failure 95.") && page.contains("failure 105."));
    assert!(!page.contains("failure 5.") && !page.contains("failure 195."));
    assert!(page.contains("earlier events</li>") && page.contains("later events</li>"));
}

#[test]
fn names_control_no_terminal_when_they_are_written_as_lines() {
    let vms = [("b\u{1b}[2J", every(1_000, 0, 4_000))];
    let made = Made::new(&[(0, 1_000)], "st\u{1b}[31m", &vms, &[]);
    let path = made.path();
    let escaped = "b\\u{1b}[2J";
    let csv = run(&["dump", path, "--format", "csv"]);
    let differences = run(&["diff", path, path, "--zeros", "--format", "csv"]);
    let openmetrics = run(&["dump", path, "--format", "openmetrics"]);
    for (text, expected) in [
        (&csv, escaped),
        (&csv, "st\\u{1b}[31m"),
        (&differences, escaped),
        (&openmetrics, "b\\\\u{1b}[2J"),
        (&openmetrics, "kvm vcpu st\\\\u{1b}[31m (cumulative)"),
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    // JSON has an escape of its own, so that its readers get the name itself.
    let lines = run(&["dump", path, "--format", "jsonl"]);
    let line: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    assert_eq!(line["vm"], "b\u{1b}[2J");
    assert!(!lines.contains('\u{1b}'));
}

#[test]
fn copy_says_what_to_do_when_its_path_is_taken() {
    let made = Made::new(
        &[(0, 1_000)],
        "exits",
        &[("web", every(1_000, 0, 4_000))],
        &[],
    );
    for command in ["snapshot", "pack"] {
        let taken = made.folder.path().join(command);
        std::fs::create_dir(&taken).unwrap();
        let taken = taken.to_str().unwrap();
        let error = fail(&[command, made.path(), "-o", taken]);
        assert!(error.contains("name another one"), "{error}");
    }
    // Nothing is left of a file that was begun.
    assert_eq!(std::fs::read_dir(made.folder.path()).unwrap().count(), 4);
}
