//! `vmstats query --watch`: rates, beside a monitor that is played and beside real ones.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod program;

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use program::played::{Answer, play};
use program::{Qemu, RawClient, Running, Server, stderr, stdout};
use serde_json::{Value, json};

/// A watching program, whose lines are read one by one.
struct Watch {
    stdout: BufReader<ChildStdout>,
    _program: Running,
}

impl Watch {
    fn start(arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_vmstats"))
            .args(["query", "--format", "jsonl"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self {
            stdout: BufReader::new(child.stdout.take().unwrap()),
            _program: Running(child),
        }
    }

    /// Returns the next line that satisfies a condition.
    fn find(&mut self, condition: impl Fn(&Value) -> bool) -> Value {
        let begin = Instant::now();
        loop {
            let mut line = String::new();
            assert!(self.stdout.read_line(&mut line).unwrap() > 0, "it ended");
            let line: Value = serde_json::from_str(&line).unwrap();
            if condition(&line) {
                return line;
            }
            assert!(begin.elapsed() < Duration::from_secs(30), "nothing came");
        }
    }

    /// Returns the next line of a statistic of a vCPU.
    fn stat(&mut self, vcpu: i64, name: &str) -> Value {
        self.find(|line| line["vcpu"] == vcpu && line["name"] == name)
    }
}

/// The vCPUs of a played monitor at one sample: index, counter, gauge, and buckets.
type Vcpus = &'static [(i64, u64, u64, [u64; 3])];

/// What a played monitor tells, sample by sample. `None` ends the connection, as the
/// end of the VM would; the next connection is to another run of it.
const PLAY: [Option<Vcpus>; 7] = [
    Some(&[(0, 100, 7, [1, 0, 0]), (1, 200, 7, [5, 5, 5])]),
    Some(&[(0, 150, 3, [1, 2, 0]), (1, 20, 9, [0, 1, 0])]),
    Some(&[
        (0, 170, 3, [1, 2, 4]),
        (1, 30, 9, [0, 1, 9]),
        (2, 5_000, 1, [8, 8, 8]),
    ]),
    Some(&[(0, 190, 3, [1, 2, 4]), (2, 5_010, 1, [8, 8, 9])]),
    None,
    Some(&[(0, 500, 1, [9, 9, 9])]),
    Some(&[(0, 600, 1, [9, 9, 9])]),
];

fn schemas() -> Value {
    json!([{"provider": "kvm", "target": "vcpu", "stats": [
        {"name": "exits", "type": "cumulative", "exponent": 0},
        {"name": "pages", "type": "instant", "exponent": 0},
        {"name": "waits", "type": "log2-histogram", "unit": "seconds", "base": 10,
         "exponent": -9},
    ]}])
}

fn cpu(index: i64, thread: i64) -> Value {
    json!({"cpu-index": index, "qom-path": path(index), "thread-id": thread,
           "target": "x86_64"})
}

/// Plays a monitor whose vCPUs are reset, plugged in, unplugged and started again.
fn play_changes(path_of_socket: &Path) {
    let mut next = 0;
    play(path_of_socket, move |run, command| {
        let reply = match command {
            "qmp_capabilities" => json!({}),
            "query-stats-schemas" => schemas(),
            "query-cpus-fast" => {
                let run = i64::try_from(run).unwrap();
                let cpus = (0..3).map(|index| cpu(index, 1_000_000_000 + index + 10 * run));
                cpus.collect()
            }
            "query-stats" => {
                let vcpus = PLAY.get(next).copied().unwrap_or(PLAY[6]);
                next += 1;
                let Some(vcpus) = vcpus else {
                    return Answer::End;
                };
                let results = vcpus.iter().map(|(index, exits, pages, waits)| {
                    let mut highest_first = *waits;
                    highest_first.reverse();
                    json!({"provider": "kvm", "qom-path": path(*index), "stats": [
                        {"name": "exits", "value": exits},
                        {"name": "pages", "value": pages},
                        {"name": "waits", "value": highest_first},
                    ]})
                });
                results.collect()
            }
            _ => return Answer::Unknown,
        };
        Answer::Return(reply)
    });
}

fn path(index: i64) -> String {
    format!("/machine/cpu[{index}]")
}

/// Asserts that a line has the rate of this growth over the time that it names.
fn assert_rate(line: &Value, increase: f64) {
    let seconds = line["seconds"].as_f64().unwrap();
    let rate = line["per-second"].as_f64().unwrap();
    assert!(
        (rate * seconds - increase).abs() < 0.01 * increase.max(1.0),
        "{line}"
    );
    assert!((0.05..5.0).contains(&seconds), "{line}");
}

#[test]
fn rates_are_told_through_reset_hotplug_unplug_and_restart() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("vm.sock");
    play_changes(&socket);
    let mut watch = Watch::start(&["--watch", "0.2", socket.to_str().unwrap()]);
    // The second sample: vCPU 1 counts from zero again, although its gauge grew.
    assert_rate(&watch.stat(0, "exits"), 50.0);
    assert_eq!(watch.stat(0, "pages")["value"], 3);
    let waits = watch.stat(0, "waits");
    assert_eq!(waits["increases"], json!([0, 2, 0]));
    assert_rate(&waits, 2.0);
    let reset = watch.stat(1, "exits");
    assert_eq!(
        (&reset["change"], &reset["value"]),
        (&json!("reset"), &json!(20))
    );
    assert_eq!(reset.get("per-second"), None);
    assert_eq!(watch.stat(1, "pages").get("change"), None);
    assert_eq!(watch.stat(1, "waits")["change"], "reset");
    // The third: vCPU 2 is new, so its 5,000 are no burst.
    assert_rate(&watch.stat(0, "exits"), 20.0);
    assert_rate(&watch.stat(1, "exits"), 10.0);
    assert_eq!(watch.stat(2, "exits")["change"], "begins");
    // The fourth: vCPU 1 is gone.
    assert_rate(&watch.stat(0, "exits"), 20.0);
    assert_rate(&watch.stat(2, "exits"), 10.0);
    // Another run of the VM: its first sample has no rates.
    let restarted = watch.stat(0, "exits");
    assert_eq!(
        (&restarted["change"], &restarted["value"]),
        (&json!("begins"), &json!(500))
    );
    assert_rate(&watch.stat(0, "exits"), 100.0);
    // The threads that it tells do not exist.
    let absent = watch.find(|line| line["provider"] == "sched");
    assert_eq!(absent["change"], "absent");
    assert!(!absent["reason"].as_str().unwrap().is_empty());
    assert_eq!(absent.get("value"), None);
}

/// A thread in the place of a vCPU's. It ends when it is dropped.
struct VcpuThread {
    id: i64,
    end: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl VcpuThread {
    fn start() -> Self {
        let (end, ended) = mpsc::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = thread::spawn(move || {
            tell.send(rustix::thread::gettid().as_raw_pid()).unwrap();
            // Fails when the other side is dropped.
            let _ = ended.recv();
        });
        Self {
            id: told.recv().unwrap().into(),
            end: Some(end),
            thread: Some(thread),
        }
    }
}

impl Drop for VcpuThread {
    fn drop(&mut self) {
        drop(self.end.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn vcpu_has_its_index_and_steal_each_time_it_is_plugged_in() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("vm.sock");
    let first = VcpuThread::start();
    let first_id = first.id;
    let second: Arc<Mutex<Option<VcpuThread>>> = Arc::default();
    let plugged = Arc::clone(&second);
    let mut exits = 0;
    play(&socket, move |_, command| {
        let plugged = plugged.lock().unwrap();
        exits += 1;
        let object = |index| {
            json!({"provider": "kvm", "qom-path": path(index),
                   "stats": [{"name": "exits", "value": exits}]})
        };
        Answer::Return(match (command, plugged.as_ref()) {
            ("qmp_capabilities", _) => json!({}),
            ("query-stats-schemas", _) => schemas(),
            ("query-cpus-fast", None) => json!([cpu(0, first_id)]),
            ("query-cpus-fast", Some(second)) => json!([cpu(0, first_id), cpu(1, second.id)]),
            ("query-stats", None) => json!([object(0)]),
            ("query-stats", Some(_)) => json!([object(0), object(1)]),
            _ => return Answer::Unknown,
        })
    });
    let mut watch = Watch::start(&["--watch", "0.05", socket.to_str().unwrap()]);
    for _ in 0..3 {
        *second.lock().unwrap() = Some(VcpuThread::start());
        assert!(watch.stat(1, "exits")["value"].is_number());
        assert!(watch.stat(1, "run_delay_ns")["value"].is_number());
        *second.lock().unwrap() = None;
        // The vCPU is unplugged, and the list of vCPUs is asked for again.
        for _ in 0..4 {
            watch.stat(0, "exits");
        }
    }
}

#[test]
fn values_that_cannot_be_read_are_absent_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("vm.sock");
    play(&socket, move |_, command| {
        Answer::Return(match command {
            "qmp_capabilities" => json!({}),
            "query-stats-schemas" => schemas(),
            "query-cpus-fast" => json!([]),
            "query-name" => json!({"name": "é".repeat(1000)}),
            "query-stats" => json!([{"provider": "kvm", "qom-path": path(0), "stats": [
                {"name": "exits", "value": 1},
                {"name": "waits", "value": vec![0; 5000]},
            ]}]),
            _ => return Answer::Unknown,
        })
    });
    let socket = socket.to_str().unwrap();
    let mut watch = Watch::start(&["--watch", "0.05", socket]);
    let absent = watch.find(|line| line["reason"].is_string() && line["provider"] == "kvm");
    assert_eq!(absent["reason"], "'waits' has too many buckets");
    assert_eq!(absent["qom-path"], path(0));
    // A name that is too long for a screen is cut.
    assert_eq!(absent["vm"], "é".repeat(512));
    // Beside it, the other value is read; and a table says what is absent.
    assert!(watch.find(|line| line["name"] == "exits")["value"].is_number());
    drop(watch);
    let table = Command::new(env!("CARGO_BIN_EXE_vmstats"))
        .args(["query", "--watch", "0.05", socket])
        .stdout(Stdio::piped())
        .spawn();
    let mut table = Running(table.unwrap());
    let stdout = BufReader::new(table.0.stdout.take().unwrap());
    let mut lines = stdout.lines().map(Result::unwrap);
    assert!(lines.any(|line| line.contains("'waits' has too many buckets")));
    assert!(lines.any(|line| line.starts_with("no sched of every vcpu: ")));
}

#[test]
fn watch_is_refused_when_it_could_show_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::recording(folder.path(), &[]);
    let none = folder.path().join("*.sckt");
    for (arguments, expected) in [
        (
            vec![server.socket.as_str(), "--names", "exitz"],
            "did you mean 'exits'?",
        ),
        (vec![server.socket.as_str(), "--vcpu", "7"], "no vCPU 7"),
        (
            vec![server.socket.as_str(), "--vcpu", "0-7"],
            "not all of the vCPUs 0 to 7 exist (there are 0 to 1)",
        ),
        (
            vec![server.socket.as_str(), "--format", "json"],
            "--format table",
        ),
        (vec![none.to_str().unwrap()], "no socket matches"),
        (vec!["/no/such.sock"], "there is no folder /no"),
    ] {
        let arguments = [&["query", "--watch", "0.1"], arguments.as_slice()].concat();
        let output = program::vmstats(&arguments, "");
        let error = stderr(&output);
        assert!(
            !output.status.success() && error.contains(expected),
            "{error}"
        );
        assert_eq!(stdout(&output), "");
    }
}

#[test]
fn steal_agrees_with_the_kernel_beside_a_busy_loop() {
    let Some(server) = Server::demo(&[]) else {
        return;
    };
    let stop = Arc::new(AtomicBool::new(false));
    let processors = thread::available_parallelism().unwrap().get();
    let loops: Vec<_> = (0..2 * processors)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || while !stop.load(Ordering::Relaxed) {})
        })
        .collect();
    let mut client = RawClient::connect(&server.socket);
    let vcpus = client.ask("{'execute': 'query-cpus-fast'}");
    let thread = vcpus["return"][0]["thread-id"].as_i64().unwrap();
    let kernel = || {
        let text = fs::read_to_string(format!("/proc/{thread}/task/{thread}/schedstat")).unwrap();
        let delay = text.split_whitespace().nth(1).unwrap();
        delay.parse::<u64>().unwrap()
    };
    let before = kernel();
    let names = ["--names", "run_delay_ns", "--watch", "0.5"];
    let mut watch = Watch::start(&[&names, [server.socket.as_str()].as_slice()].concat());
    let first = watch.stat(0, "run_delay_ns");
    let second = watch.stat(0, "run_delay_ns");
    let after = kernel();
    stop.store(true, Ordering::Relaxed);
    for one in loops {
        one.join().unwrap();
    }
    let [first_value, second_value] = [&first, &second].map(|line| line["value"].as_u64().unwrap());
    assert!(before < first_value && first_value < second_value && second_value <= after);
    let [increase, seconds] = [
        second["per-second"].as_f64().unwrap(),
        second["seconds"].as_f64().unwrap(),
    ];
    #[expect(clippy::cast_precision_loss, reason = "a few seconds in nanoseconds")]
    let expected = (second_value - first_value) as f64;
    assert!((increase * seconds - expected).abs() < 0.001 * expected);
}

#[test]
fn vcpu_that_is_plugged_into_a_qemu_begins() {
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control.sock");
    let option = format!("unix:{},server=on,wait=off", control.display());
    let options = ["-smp", "1,maxcpus=2", "-qmp", &option];
    let Some(qemu) = Qemu::start(folder.path(), &options) else {
        return;
    };
    let mut watch = Watch::start(&["--watch", "0.2", &qemu.socket]);
    watch.stat(0, "exits");
    let mut client = RawClient::connect(control.to_str().unwrap());
    let slots = client.ask("{'execute': 'query-hotpluggable-cpus'}");
    let slots = slots["return"].as_array().unwrap();
    let free = slots
        .iter()
        .find(|slot| slot.get("qom-path").is_none())
        .unwrap();
    let mut arguments = free["props"].clone();
    arguments["driver"] = free["type"].clone();
    let request = json!({"execute": "device_add", "arguments": arguments});
    assert!(client.ask(&request.to_string()).get("return").is_some());
    let begins = watch.stat(1, "exits");
    assert_eq!(begins["change"], "begins", "{begins}");
    assert!(watch.stat(1, "exits")["per-second"].is_number());
    // The steal time of the new vCPU is read too.
    assert!(watch.stat(1, "run_delay_ns")["value"].is_number());
}
