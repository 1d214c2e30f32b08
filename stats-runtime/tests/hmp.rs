//! The human monitor, line by line.

#![cfg(feature = "hmp")]
#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use qapi_stats::control::{VersionInfo, VersionTriple};
use qapi_stats::run_state::RunState;
use qapi_stats::stats::{StatsProvider, StatsSchemaValue, StatsTarget, StatsType, StatsUnit};
use qapi_stats::wire::command::{Call, CommandInfo, CommandSet};
use qapi_stats::wire::{Error, Writer};
use stats_runtime::hmp::HmpState;
use stats_runtime::host::{Change, Host, Vcpu};
use stats_runtime::{Monitor, Registry};

/// A host that does what it is told, and says so.
#[derive(Default)]
struct TwoVcpus {
    paused: AtomicBool,
    pressed: AtomicU32,
}

impl TwoVcpus {
    fn change(&self, paused: bool) -> Change {
        if self.paused.swap(paused, Ordering::Relaxed) == paused {
            Change::Unchanged
        } else {
            Change::Made
        }
    }
}

impl Host for TwoVcpus {
    fn name(&self) -> Option<String> {
        Some("two".to_owned())
    }

    fn version(&self) -> VersionInfo {
        let (major, minor, micro) = (1, 2, 3);
        VersionInfo {
            qemu: VersionTriple {
                major,
                minor,
                micro,
            },
            package: " (test)".to_owned(),
        }
    }

    fn run_state(&self) -> RunState {
        match self.paused.load(Ordering::Relaxed) {
            true => RunState::Paused,
            false => RunState::Running,
        }
    }

    fn stop(&self) -> Result<Change, Error> {
        Ok(self.change(true))
    }

    fn cont(&self) -> Result<Change, Error> {
        Ok(self.change(false))
    }

    fn system_powerdown(&self) -> Result<Change, Error> {
        match self.pressed.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(Change::Made),
            _ => Err(Error::generic("The button is stuck")),
        }
    }

    fn vcpus(&self) -> Option<Vec<Vcpu>> {
        let vcpu = |index| {
            let vcpu = Vcpu::new(index, format!("/vcpu/{index}"));
            vcpu.on_thread(u32::try_from(index).ok().map(|index| 70 + index))
        };
        Some((0..2).map(vcpu).collect())
    }
}

fn stat(name: &str, type_: StatsType, unit: Option<StatsUnit>, exponent: i16) -> StatsSchemaValue {
    let base = (exponent != 0).then_some(10);
    StatsSchemaValue::new(name, type_)
        .in_unit(unit)
        .scaled(base, exponent)
}

fn registry() -> Registry {
    let registry = Registry::new();
    registry
        .add_stats_callbacks(
            StatsProvider::Kvm,
            |query, sink| {
                if *query.target() == StatsTarget::Vcpu {
                    for index in [1, 0] {
                        sink.result(Some(&format!("/vcpu/{index}")));
                        sink.histogram("halt", &[1, 2, 3]);
                        sink.boolean("guest_mode", index == 1);
                        sink.scalar("exits", 40 + index);
                    }
                }
                Ok(())
            },
            |sink| {
                sink.schema(StatsTarget::Vcpu);
                sink.stat(&stat(
                    "halt",
                    StatsType::Log2Histogram,
                    Some(StatsUnit::Seconds),
                    -9,
                ));
                sink.stat(&stat(
                    "guest_mode",
                    StatsType::Instant,
                    Some(StatsUnit::Boolean),
                    0,
                ));
                sink.stat(&stat("exits", StatsType::Cumulative, None, 0));
                Ok(())
            },
        )
        .unwrap();
    registry
}

fn monitor() -> Monitor {
    Monitor::new(registry(), TwoVcpus::default())
}

/// What a monitor with control answers to one line.
fn check(line: &str, cpu_index: Option<i64>, expected: &[&str]) {
    let monitor = monitor().with_control(true);
    let mut state = HmpState::new();
    if let Some(index) = cpu_index {
        state.select(&monitor, index).unwrap();
    }
    check_line(&mut state, &monitor, line, expected);
}

fn check_line(state: &mut HmpState, monitor: &Monitor, line: &str, expected: &[&str]) {
    let expected: String = expected.iter().map(|line| format!("{line}\r\n")).collect();
    assert_eq!(state.execute(monitor, line), expected, "{line}");
}

#[test]
fn info_stats_describes_each_statistic_of_one_name_by_its_own_entry() {
    let twice = |type_| StatsSchemaValue::new("twice", type_);
    let registry = Registry::new();
    registry
        .add_stats_callbacks(
            StatsProvider::Kvm,
            |_, sink| {
                sink.result(None);
                sink.scalar("twice", 1);
                sink.scalar("twice", 2);
                Ok(())
            },
            move |sink| {
                sink.schema(StatsTarget::Vm);
                sink.stat(&twice(StatsType::Cumulative));
                sink.stat(&twice(StatsType::Peak));
                Ok(())
            },
        )
        .unwrap();
    let monitor = Monitor::new(registry, TwoVcpus::default());
    let expected = [
        "provider: kvm",
        "    twice (cumulative): 1",
        "    twice (peak): 2",
    ];
    check_line(&mut HmpState::new(), &monitor, "info stats vm", &expected);
}

#[test]
fn info_stats_prints_what_qemu_prints() {
    check(
        "info stats vcpu",
        None,
        &[
            "provider: kvm",
            "    halt (log2-histogram, ns): [1]=3 [2]=2 [3]=1 ",
            "    guest_mode (instant, boolean): no",
            "    exits (cumulative): 40",
        ],
    );
    check(
        "info stats vcpu exits",
        Some(1),
        &["provider: kvm", "    exits (cumulative): 41"],
    );
    check(
        "info stats vcpu exits,guest_mode kvm",
        None,
        &[
            "    guest_mode (instant, boolean): no",
            "    exits (cumulative): 40",
        ],
    );
    check(
        "info stats vcpu * kvm",
        None,
        &[
            "    halt (log2-histogram, ns): [1]=3 [2]=2 [3]=1 ",
            "    guest_mode (instant, boolean): no",
            "    exits (cumulative): 40",
        ],
    );
    for nothing in [
        "info stats vm",
        "info stats vcpu nosuch",
        "info stats vcpu ,",
        "",
        "  ",
    ] {
        check(nothing, None, &[]);
    }
}

#[test]
fn execute_reports_what_is_wrong_with_a_line() {
    let usage = "Try \"help info stats\" for more information";
    check("info stats", None, &["stats: string expected", usage]);
    check("info stats \"vm", None, &["stats: string expected", usage]);
    check("info stats VM", None, &["invalid stats target VM"]);
    check("info stats \"\"", None, &["invalid stats target "]);
    check("info stats vm a, b", None, &["invalid stats provider b"]);
    check("info stats zz * xyz", None, &["invalid stats target zz"]);
    check(
        "info stats vm * kvm extra",
        None,
        &["stats: extraneous characters at the end of line", usage],
    );
    check("nosuch a b", None, &["unknown command: 'nosuch'"]);
    check("info nosuch", None, &["unknown command: 'info nosuch'"]);
    check("help nosuch", None, &["unknown command: 'nosuch'"]);
    check(
        "help info nosuch",
        None,
        &["unknown command: 'info nosuch'"],
    );
    let error = HmpState::new().select(&monitor(), 2).unwrap_err();
    assert_eq!(error.desc(), "Parameter 'cpu-index' expects a CPU number");
}

/// The texts are those of QEMU 7.2.22.
#[test]
fn commands_describe_and_change_the_machine() {
    let monitor = monitor().with_control(true);
    let mut state = HmpState::new();
    let rows: &[(&str, &[&str])] = &[
        ("info name", &["two"]),
        ("info uuid", &["00000000-0000-0000-0000-000000000000"]),
        ("info version", &["1.2.3 (test)"]),
        ("info kvm", &["kvm support: enabled"]),
        ("info status", &["VM status: running"]),
        ("stop", &[]),
        ("info status", &["VM status: paused"]),
        ("s", &[]),
        ("cont", &[]),
        ("c", &[]),
        ("info status", &["VM status: running"]),
        (
            "info cpus",
            &["* CPU #0: thread_id=70", "  CPU #1: thread_id=71"],
        ),
        ("cpu 1", &[]),
        (
            "info cpus",
            &["  CPU #0: thread_id=70", "* CPU #1: thread_id=71"],
        ),
        (
            "info stats vcpu exits",
            &["provider: kvm", "    exits (cumulative): 41"],
        ),
        ("cpu 9", &["invalid CPU index"]),
        ("info stats vcpu exits kvm", &["    exits (cumulative): 41"]),
        ("system_powerdown", &[]),
        ("system_powerdown", &["Error: The button is stuck"]),
        ("quit", &["Error: This monitor cannot end the program"]),
    ];
    for (line, expected) in rows {
        check_line(&mut state, &monitor, line, expected);
    }
}

/// What is told of a line that is wrong, as QEMU 7.2.22 does.
#[test]
fn commands_reject_arguments_that_do_not_fit() {
    let rows = [
        ("cpu", "unexpected end of expression", "cpu"),
        ("cpu x", "invalid char 'x' in expression", "cpu"),
        (
            "cpu 1 2",
            "cpu: extraneous characters at the end of line",
            "cpu",
        ),
        (
            "stop x",
            "stop|s: extraneous characters at the end of line",
            "stop",
        ),
        (
            "stop/",
            "stop|s: extraneous characters at the end of line",
            "stop",
        ),
        (
            "q x",
            "quit|q: extraneous characters at the end of line",
            "q",
        ),
        (
            "  info   name   x",
            "name: extraneous characters at the end of line",
            "  info   name",
        ),
        (
            "info stats vm \"a\\q\"",
            "stats: string expected",
            "info stats",
        ),
        (
            "info stats vm a \"b",
            "stats: string expected",
            "info stats",
        ),
    ];
    for (line, what, topic) in rows {
        let hint = format!("Try \"help {topic}\" for more information");
        check(line, None, &[what, &hint]);
    }
    check("info stats/vm", None, &["invalid stats target /vm"]);
    check("  nosuch  x", None, &["unknown command: '  nosuch'"]);
    check("info  nosuch", None, &["unknown command: 'info  nosuch'"]);
    check("/info name", None, &["unknown command: ''"]);
    check("info /name", None, &["unknown command: 'info '"]);
}

#[test]
fn help_lists_the_commands_that_the_monitor_has() {
    check("help c", None, &["cont|c  -- resume emulation"]);
    check(
        "help info name x",
        None,
        &["info name  -- show the current VM name"],
    );
    check("help /", None, &["unknown command: '/'"]);
    check("help \"a", None, &[]);
    check("help \"\"", None, &["unknown command: ''"]);
    let names = |monitor: &Monitor, line: &str| -> Vec<String> {
        let text = HmpState::new().execute(monitor, line);
        let words = text
            .lines()
            .map(|line| line.split_once(" -- ").unwrap().0.trim_end());
        words.map(str::to_owned).collect()
    };
    let info = [
        "info cpus",
        "info kvm",
        "info name",
        "info stats target [names] [provider]",
        "info status",
        "info uuid",
        "info version",
    ];
    for line in ["info", "info  ", "help info"] {
        assert_eq!(names(&monitor(), line), info, "{line}");
    }
    let all = names(&monitor().with_control(true), "?");
    let controlled = ["cont|c", "quit|q", "stop|s", "system_powerdown"];
    assert!(
        controlled
            .iter()
            .all(|name| all.iter().any(|own| own == name))
    );
    let asks: Vec<&String> = all
        .iter()
        .filter(|name| !controlled.contains(&name.as_str()))
        .collect();
    assert_eq!(names(&monitor(), "help").iter().collect::<Vec<_>>(), asks);
}

#[test]
fn read_only_monitor_refuses_lines_that_change_the_machine() {
    let monitor = monitor();
    for line in ["stop", "s", "cont", "quit", "system_powerdown", "stop x"] {
        let text = HmpState::new().execute(&monitor, line);
        assert!(text.starts_with("Error: The command "), "{line}: {text}");
        assert!(
            text.ends_with(": this monitor is read-only\r\n"),
            "{line}: {text}"
        );
    }
    check_line(
        &mut HmpState::new(),
        &monitor,
        "info status",
        &["VM status: running"],
    );
    check_line(
        &mut HmpState::new(),
        &monitor,
        "help stop",
        &["unknown command: 'stop'"],
    );
}

/// Of a VMM's commands: `stop`.
struct OwnStop(AtomicU32);

const OWN_STOP: CommandInfo = CommandInfo::new("stop");

impl CommandSet for OwnStop {
    fn commands(&self) -> Vec<&'static CommandInfo> {
        vec![&OWN_STOP]
    }

    fn command(&self, name: &str) -> Option<&'static CommandInfo> {
        self.commands().into_iter().find(|info| info.name == name)
    }

    fn execute(&self, _: Call<'_>, _: &mut Writer<'_>) -> Result<(), Error> {
        match self.0.fetch_add(1, Ordering::Relaxed) {
            0 => Ok(()),
            _ => Err(Error::generic("not again")),
        }
    }
}

/// What people can do to the machine is what QMP's clients can.
#[test]
fn lines_execute_the_vmms_command_when_it_replaces_ours() {
    let own = Arc::new(OwnStop(AtomicU32::new(0)));
    let monitor = monitor()
        .with_extension(&[], Arc::clone(&own))
        .with_control(true);
    let mut state = HmpState::new();
    for (line, expected) in [
        ("stop", ""),
        ("  s", "Error: not again\r\n"),
        (" quit", "unknown command: 'quit'\r\n"),
        ("help quit", "unknown command: 'quit'\r\n"),
        ("help stop", "stop|s  -- stop emulation\r\n"),
        ("info status", "VM status: running\r\n"),
    ] {
        assert_eq!(state.execute(&monitor, line), expected, "{line}");
    }
    assert_eq!(own.0.load(Ordering::Relaxed), 2);
}
