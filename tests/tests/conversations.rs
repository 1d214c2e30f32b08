//! Recorded conversations, with a session and no socket: what QEMU answered,
//! and that it makes no difference where the client's bytes are cut.
//!
//! `cases/qmp` has cases with the answers of QEMU 7.2.22; where another folder
//! of such cases is known (`QMP_CASES`, or beside the repository), its bytes are
//! cut as well. What a case consists of is told in the driver that comes with
//! that folder; here is the part of it that needs no server.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use qapi_stats::machine::CpuInstanceProperties;
use qapi_stats::run_state::RunState;
use qapi_stats::stats::{StatsProvider, StatsTarget};
use qapi_wire::Error;
use serde_json::Value;
use stats_runtime::host::{Change, Vcpu};
use stats_runtime::qmp::Session;
use stats_runtime::{Host, Monitor, NoHost, Registry, Subscription};

/// Where QEMU puts the vCPUs of `-smp 2`.
const VCPUS: [&str; 2] = [
    "/machine/unattached/device[0]",
    "/machine/unattached/device[2]",
];

/// The machine that QEMU was recorded with.
#[derive(Default)]
struct Machine {
    paused: AtomicBool,
}

impl Machine {
    fn change(&self, paused: bool) -> Change {
        if self.paused.swap(paused, Ordering::SeqCst) == paused {
            Change::Unchanged
        } else {
            Change::Made
        }
    }
}

impl Host for Machine {
    fn name(&self) -> Option<String> {
        Some("qmpspec".to_owned())
    }

    fn uuid(&self) -> Option<String> {
        Some("11111111-2222-3333-4444-555555555555".to_owned())
    }

    fn run_state(&self) -> RunState {
        if self.paused.load(Ordering::SeqCst) {
            RunState::Paused
        } else {
            RunState::Running
        }
    }

    fn vcpus(&self) -> Option<Vec<Vcpu>> {
        let vcpu = |(index, qom_path): (u32, &str)| {
            let place = CpuInstanceProperties {
                socket_id: Some(0),
                core_id: Some(index.into()),
                thread_id: Some(0),
                ..CpuInstanceProperties::default()
            };
            Vcpu::new(index.into(), qom_path)
                .on_thread(Some(1000 + index))
                .at(place)
        };
        Some((0..).zip(VCPUS).map(vcpu).collect())
    }

    fn stop(&self) -> Result<Change, Error> {
        Ok(self.change(true))
    }

    fn cont(&self) -> Result<Change, Error> {
        Ok(self.change(false))
    }

    fn system_powerdown(&self) -> Result<Change, Error> {
        Ok(Change::Made)
    }

    fn quit(&self) -> Result<Change, Error> {
        Ok(Change::Made)
    }
}

fn monitor() -> Monitor {
    let registry = Registry::new();
    registry
        .add_stats_callbacks(
            StatsProvider::Kvm,
            |query, sink| {
                if *query.target() == StatsTarget::Vm {
                    sink.result(None);
                    sink.scalar("pages_4k", 7);
                }
                Ok(())
            },
            |_| Ok(()),
        )
        .unwrap();
    Monitor::new(registry, Arc::<Machine>::default()).with_control(true)
}

/// A client of a machine of its own.
struct Client {
    monitor: Monitor,
    subscription: Subscription,
    session: Session,
}

impl Client {
    fn new() -> Self {
        let monitor = monitor();
        Self {
            subscription: monitor.subscribe(|| {}),
            session: Session::new(&NoHost.version(), Default::default()),
            monitor,
        }
    }

    /// Everything that is answered now.
    fn answers(&mut self, into: &mut Vec<u8>) {
        loop {
            let context = self.monitor.context();
            self.subscription
                .run(&mut self.session, &self.monitor, &context);
            let count = self.session.output().len();
            if count == 0 {
                return;
            }
            into.extend_from_slice(self.session.output());
            self.session.sent(count);
        }
    }

    fn send(&mut self, bytes: &[u8], into: &mut Vec<u8>) {
        self.session.receive(bytes);
        self.answers(into);
    }
}

/// A recorded case: the bytes of each step up to where the client leaves.
struct Case {
    id: String,
    negotiation: &'static [u8],
    steps: Vec<Vec<u8>>,
    ends: bool,
    unordered: bool,
}

impl Case {
    fn read(case: &Value) -> Self {
        let negotiation: &[u8] = match case["negotiate"].as_str() {
            None | Some("plain") => b"{\"execute\":\"qmp_capabilities\"}\n",
            Some("oob") => {
                b"{\"execute\":\"qmp_capabilities\",\"arguments\":{\"enable\":[\"oob\"]}}\n"
            }
            _ => b"",
        };
        let steps = case["steps"].as_array().unwrap();
        let stays = |step: &&Value| step["reconnect"].is_null() && step["shutdown"].is_null();
        let here: Vec<&Value> = steps.iter().take_while(stays).collect();
        Self {
            id: case["id"].as_str().unwrap().to_owned(),
            negotiation,
            ends: here.len() < steps.len() && !steps[here.len()]["shutdown"].is_null(),
            steps: here.into_iter().map(bytes).collect(),
            unordered: case["unordered_lines"].as_bool().unwrap_or_default(),
        }
    }

    /// All that is answered when the client's bytes come in these pieces.
    fn answers<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> String {
        let mut client = Client::new();
        let mut answers = Vec::new();
        client.answers(&mut answers);
        for piece in pieces {
            client.send(piece, &mut answers);
        }
        if self.ends {
            client.session.end_of_input();
            client.answers(&mut answers);
        }
        without_times(&String::from_utf8(answers).unwrap())
    }
}

fn bytes(step: &Value) -> Vec<u8> {
    let parts = step["parts"].as_array();
    let parts = parts.map_or(std::slice::from_ref(step), Vec::as_slice);
    parts.iter().flat_map(part).collect()
}

fn part(part: &Value) -> Vec<u8> {
    let with_vcpus = |text: &str| {
        let text = text.replace("${vcpu0}", VCPUS[0]);
        text.replace("${vcpu1}", VCPUS[1]).into_bytes()
    };
    if let Some(text) = part["send"].as_str() {
        return with_vcpus(text);
    }
    if let Some(text) = part["hex"].as_str() {
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        return (0..text.len()).step_by(2).map(byte).collect();
    }
    let Some(text) = part["repeat"].as_str() else {
        return Vec::new();
    };
    let count = part["count"].as_u64().unwrap();
    let numbered = part["numbered"].as_bool().unwrap_or_default();
    let one = |number: u64| match numbered {
        true => with_vcpus(&text.replace("%d", &number.to_string())),
        false => text.as_bytes().to_vec(),
    };
    (0..count).flat_map(one).collect()
}

/// With zeros for when an event happened: the only numbers behind these names.
fn without_times(text: &str) -> String {
    let mut out = text.to_owned();
    for name in ["\"seconds\": ", "\"microseconds\": "] {
        let mut pieces = out.split(name);
        let mut blanked = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            blanked.push_str(name);
            blanked.push('0');
            blanked.push_str(piece.trim_start_matches(|c: char| c.is_ascii_digit()));
        }
        out = blanked;
    }
    out
}

fn own_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("cases/qmp")
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn cases(folder: &Path) -> Vec<Case> {
    let document = read(&folder.join("cases.json"));
    let cases = document["cases"].as_array().unwrap();
    let is_slow = |case: &Value| {
        let tags = case["tags"].as_array();
        tags.is_some_and(|tags| tags.iter().any(|tag| tag == "slow"))
    };
    let quick = cases.iter().filter(|case| !is_slow(case));
    quick.map(Case::read).collect()
}

/// Threads' ids are the operating system's.
fn normalize(line: &str) -> Value {
    fn walk(value: &mut Value) {
        match value {
            Value::Object(members) => {
                if members.contains_key("cpu-index") {
                    members.remove("thread-id");
                }
                members.values_mut().for_each(walk);
            }
            Value::Array(elements) => elements.iter_mut().for_each(walk),
            Value::String(text) => {
                let mut pieces = text.split("thread_id=");
                let begin = pieces.next().unwrap_or_default().to_owned();
                let digits = |c: char| c.is_ascii_digit();
                let rest = pieces.map(|piece| piece.trim_start_matches(digits));
                *text = rest.fold(begin, |begin, piece| begin + "thread_id=" + piece);
            }
            _ => {}
        }
    }
    let mut value = serde_json::from_str(&without_times(line)).unwrap();
    walk(&mut value);
    value
}

#[test]
fn answers_equal_those_of_a_recorded_qemu() {
    let recorded = read(&own_folder().join("reference-7.2.json"));
    let recorded = recorded["answers"].as_array().unwrap();
    let cases = cases(&own_folder());
    assert_eq!(cases.len(), recorded.len());
    for (case, recorded) in cases.iter().zip(recorded) {
        assert_eq!(case.id, recorded["id"].as_str().unwrap());
        let mut client = Client::new();
        client.send(case.negotiation, &mut Vec::new());
        let steps = recorded["steps"].as_array().unwrap();
        assert_eq!(case.steps.len(), steps.len(), "{}", case.id);
        for (step, expected) in case.steps.iter().zip(steps) {
            let mut answers = Vec::new();
            client.send(step, &mut answers);
            let answers = String::from_utf8(answers).unwrap();
            let mut found: Vec<Value> = answers.lines().map(normalize).collect();
            let expected = expected.as_array().unwrap().iter();
            let mut expected: Vec<Value> = expected
                .map(|line| normalize(line[0].as_str().unwrap()))
                .collect();
            if case.unordered {
                found.sort_by_key(Value::to_string);
                expected.sort_by_key(Value::to_string);
            }
            let step = String::from_utf8_lossy(step);
            assert_eq!(found, expected, "{}: {step}", case.id);
        }
    }
}

/// Two pieces, cut at any byte; and one byte at a time. In a long conversation
/// the first cuts are so many bytes apart that there are some hundred.
fn check_cuts(case: &Case) {
    const CUTS: usize = 400;
    let whole: Vec<u8> = std::iter::once(case.negotiation)
        .chain(case.steps.iter().map(Vec::as_slice))
        .collect::<Vec<_>>()
        .concat();
    let answers = case.answers(std::iter::once(whole.as_slice()));
    for at in (1..whole.len()).step_by(1 + whole.len() / CUTS) {
        let (head, tail) = whole.split_at(at);
        let id = &case.id;
        assert_eq!(
            case.answers([head, tail].into_iter()),
            answers,
            "{id}: {at}"
        );
    }
    assert_eq!(case.answers(whole.chunks(1)), answers, "{}", case.id);
}

#[test]
fn answers_are_the_same_wherever_the_input_is_cut() {
    for case in cases(&own_folder()) {
        check_cuts(&case);
    }
}

#[test]
fn answers_are_the_same_when_others_recordings_are_cut() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/qmp");
    let folder = std::env::var_os("QMP_CASES").map_or_else(beside, PathBuf::from);
    if !folder.join("cases.json").exists() {
        skip::because(format_args!(
            "no recorded conversations in {}",
            folder.display()
        ));
        return;
    }
    for case in cases(&folder) {
        check_cuts(&case);
    }
}
