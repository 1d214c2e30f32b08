//! The human monitor's commands about the machine.
//!
//! In: a command's arguments. Out: text in the words of QEMU's `hmp-cmds.c`.

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

/// Runs `query` for a command that takes no arguments. Returns the text that
/// `format` makes of the outcome, or the text of the error.
fn query_then_format<T>(
    arguments: &Arguments<'_>,
    query: impl FnOnce() -> Result<T, Error>,
    format: impl FnOnce(T) -> String,
) -> Answer {
    arguments.end()?;
    Ok(query().map_or_else(|error| error_text(&error), format))
}

fn no_output((): ()) -> String {
    String::new()
}

/// Executes the QMP command of the same name, which takes no arguments. A
/// VMM's own command replaces the monitor's, as for QMP clients.
pub(super) fn run_qmp_command(
    _: &mut HmpState,
    monitor: &Monitor,
    arguments: Arguments<'_>,
) -> Answer {
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
    query_then_format(&arguments, execute, no_output)
}

pub(super) fn cpu(state: &mut HmpState, monitor: &Monitor, mut arguments: Arguments<'_>) -> Answer {
    let index = arguments.integer()?;
    arguments.end()?;
    Ok(match state.select(monitor, index.into()) {
        Ok(()) => String::new(),
        Err(_) => "invalid CPU index\r\n".to_owned(),
    })
}

pub(super) fn info_cpus(
    state: &mut HmpState,
    monitor: &Monitor,
    arguments: Arguments<'_>,
) -> Answer {
    let selected = state.vcpu(monitor);
    let line = |index, thread_id| {
        let is_selected = selected
            .as_ref()
            .is_some_and(|selected| i64::try_from(selected.index) == Ok(index));
        let mark = if is_selected { '*' } else { ' ' };
        format!("{mark} CPU #{index}: thread_id={thread_id}\r\n")
    };
    query_then_format(
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
    query_then_format(
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
    query_then_format(
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
    query_then_format(
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
    query_then_format(
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
    query_then_format(
        &arguments,
        || monitor.query_version(),
        |info| {
            let triple = &info.qemu;
            let (major, minor, micro) = (triple.major, triple.minor, triple.micro);
            format!("{major}.{minor}.{micro}{}\r\n", info.package)
        },
    )
}
