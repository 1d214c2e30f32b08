//! What the human monitor says about the machine, and does with it.
//!
//! In: a command's arguments. Out: text, as QEMU's `hmp-cmds.c` words it.

use qapi_stats::control::Commands as _;
use qapi_stats::machine::Commands as _;
use qapi_stats::misc::Commands as _;
use qapi_stats::run_state::{Commands as _, RunState};
use qapi_stats::wire::command::{Call, CommandSet as _};
use qapi_stats::wire::{Error, Node, Writer};

use super::args::{Arguments, Usage, error_text};
use super::state::HmpState;
use crate::monitor::Monitor;

type Answer = Result<String, Usage>;

/// A handler that takes no arguments and says what went wrong, or else what
/// `text` makes of the outcome.
fn answer<T>(
    arguments: &Arguments<'_>,
    ask: impl FnOnce() -> Result<T, Error>,
    text: impl FnOnce(T) -> String,
) -> Answer {
    arguments.end()?;
    Ok(ask().map_or_else(|error| error_text(&error), text))
}

fn nothing((): ()) -> String {
    String::new()
}

/// Executes the QMP command of the same name, which takes nothing: this
/// monitor's, or the VMM's own where it has one.
pub(super) fn order(_: &mut HmpState, monitor: &Monitor, arguments: Arguments<'_>) -> Answer {
    let name = arguments.command();
    let execute = || {
        let context = monitor.context();
        let call = Call {
            name,
            arguments: Node::empty_object(),
            context: &context,
        };
        monitor.execute(call, &mut Writer::new(&mut Vec::new()))
    };
    answer(&arguments, execute, nothing)
}

pub(super) fn cpu(human: &mut HmpState, monitor: &Monitor, mut arguments: Arguments<'_>) -> Answer {
    let index = arguments.integer()?;
    arguments.end()?;
    Ok(match human.select(monitor.host(), index.into()) {
        Ok(()) => String::new(),
        Err(_) => "invalid CPU index\r\n".to_owned(),
    })
}

pub(super) fn info_cpus(
    human: &mut HmpState,
    monitor: &Monitor,
    arguments: Arguments<'_>,
) -> Answer {
    let chosen = human.vcpu(monitor.host());
    let line = |index, thread_id| {
        let is_chosen = chosen
            .as_ref()
            .is_some_and(|chosen| i64::try_from(chosen.index) == Ok(index));
        let mark = if is_chosen { '*' } else { ' ' };
        format!("{mark} CPU #{index}: thread_id={thread_id}\r\n")
    };
    answer(
        &arguments,
        || monitor.query_cpus_fast(),
        |cpus| {
            cpus.iter()
                .map(|cpu| line(cpu.cpu_index, cpu.thread_id))
                .collect()
        },
    )
}

pub(super) fn info_kvm(_: &mut HmpState, monitor: &Monitor, arguments: Arguments<'_>) -> Answer {
    answer(
        &arguments,
        || monitor.query_kvm(),
        |kvm| {
            let support = match (kvm.present, kvm.enabled) {
                (true, true) => "enabled",
                (true, false) => "disabled",
                (false, _) => "not compiled",
            };
            format!("kvm support: {support}\r\n")
        },
    )
}

pub(super) fn info_name(_: &mut HmpState, monitor: &Monitor, arguments: Arguments<'_>) -> Answer {
    answer(
        &arguments,
        || monitor.query_name(),
        |info| {
            info.name
                .map(|name| format!("{name}\r\n"))
                .unwrap_or_default()
        },
    )
}

pub(super) fn info_status(_: &mut HmpState, monitor: &Monitor, arguments: Arguments<'_>) -> Answer {
    answer(
        &arguments,
        || monitor.query_status(),
        |info| match (info.running, info.status) {
            (true, _) => "VM status: running\r\n".to_owned(),
            (false, RunState::Paused) => "VM status: paused\r\n".to_owned(),
            (false, other) => format!("VM status: paused ({other})\r\n"),
        },
    )
}

pub(super) fn info_uuid(_: &mut HmpState, monitor: &Monitor, arguments: Arguments<'_>) -> Answer {
    answer(
        &arguments,
        || monitor.query_uuid(),
        |info| format!("{}\r\n", info.uuid),
    )
}

pub(super) fn info_version(
    _: &mut HmpState,
    monitor: &Monitor,
    arguments: Arguments<'_>,
) -> Answer {
    answer(
        &arguments,
        || monitor.query_version(),
        |info| {
            let triple = &info.qemu;
            let (major, minor, micro) = (triple.major, triple.minor, triple.micro);
            format!("{major}.{minor}.{micro}{}\r\n", info.package)
        },
    )
}
