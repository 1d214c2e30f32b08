//! The human monitor's commands, and their help.
//!
//! In: names. Out: entries, or what is told about them. Names, parameters and
//! descriptions are QEMU's (`hmp-commands.hx`), because clients and people
//! compare them.

use qapi_stats::wire::command::CommandSet as _;

use super::args::{Arguments, Usage, first_name, is_space, words};
use super::state::HmpState;
use super::{machine, statistics};
use crate::monitor::Monitor;

/// What a command does with its arguments: it answers with text.
type Run = fn(&mut HmpState, &Monitor, Arguments<'_>) -> Result<String, Usage>;

/// A command.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its names, separated by `|`.
    pub(super) names: &'static str,
    params: &'static str,
    help: &'static str,
    /// Whether it changes something.
    pub(super) controls: bool,
    pub(super) run: Run,
    pub(super) subcommands: &'static [Entry],
}

const fn entry(names: &'static str, params: &'static str, help: &'static str, run: Run) -> Entry {
    Entry {
        names,
        params,
        help,
        controls: false,
        run,
        subcommands: &[],
    }
}

const fn control(names: &'static str, help: &'static str) -> Entry {
    Entry {
        controls: true,
        ..entry(names, "", help, machine::order)
    }
}

/// All commands, in QEMU's order: that of their names.
pub(super) const COMMANDS: &[Entry] = &[
    control("cont|c", "resume emulation"),
    entry("cpu", "index", "set the default CPU", machine::cpu),
    entry(
        "help|?",
        "[cmd]",
        "show the help",
        |_, monitor, mut arguments| Ok(help(monitor, arguments.all())),
    ),
    Entry {
        subcommands: INFO,
        ..entry(
            "info",
            "[subcommand]",
            "show various information about the system state",
            |_, monitor, arguments| {
                arguments.end()?;
                Ok(help(monitor, "info"))
            },
        )
    },
    control("quit|q", "quit the emulator"),
    control("stop|s", "stop emulation"),
    control("system_powerdown", "send system power down event"),
];

const INFO: &[Entry] = &[
    entry("cpus", "", "show infos for each CPU", machine::info_cpus),
    entry("kvm", "", "show KVM information", machine::info_kvm),
    entry("name", "", "show the current VM name", machine::info_name),
    entry(
        "stats",
        "target [names] [provider]",
        "show statistics for the given target (vm or vcpu); optionally filter by\
         name (comma-separated list, or * for all) and provider",
        statistics::info_stats,
    ),
    entry(
        "status",
        "",
        "show the current VM status (running|paused)",
        machine::info_status,
    ),
    entry("uuid", "", "show the current VM UUID", machine::info_uuid),
    entry(
        "version",
        "",
        "show the version of QEMU",
        machine::info_version,
    ),
];

/// What a line names, and where its arguments begin; or what it names instead.
pub(super) fn find<'a>(
    line: &'a str,
    table: &'static [Entry],
) -> Result<(&'static Entry, usize), &'a str> {
    let (mut table, mut at) = (table, 0);
    loop {
        let rest = line.get(at..).unwrap_or_default();
        let begin = line.len() - rest.trim_start_matches(is_space).len();
        let name = line.get(begin..).unwrap_or_default();
        let name_bytes = name.find(|end| end == '/' || is_space(end));
        let end = begin + name_bytes.unwrap_or(name.len());
        let name = line.get(begin..end).unwrap_or_default();
        let entry = table.iter().find(|entry| entry.is_called(name));
        let entry = entry.ok_or(line.get(..end).unwrap_or_default())?;
        let behind = line.get(end..).unwrap_or_default();
        if entry.subcommands.is_empty() || behind.trim_start_matches(is_space).is_empty() {
            return Ok((entry, end));
        }
        (table, at) = (entry.subcommands, end);
    }
}

impl Entry {
    fn is_called(&self, name: &str) -> bool {
        self.names.split('|').any(|own| own == name)
    }

    /// Whether the monitor executes it.
    pub(super) fn is_allowed(&self, monitor: &Monitor) -> bool {
        (monitor.has_control() || !self.controls) && self.is_served(monitor)
    }

    /// Whether the monitor has it: what changes something is the QMP command of
    /// the name, which the schema of a VMM may leave out.
    pub(super) fn is_served(&self, monitor: &Monitor) -> bool {
        !self.controls || monitor.command(first_name(self.names)).is_some()
    }

    fn describe(&self, prefix: &[String], text: &mut String) {
        for word in prefix {
            text.push_str(word);
            text.push(' ');
        }
        let Self {
            names,
            params,
            help,
            ..
        } = self;
        text.push_str(&format!("{names} {params} -- {help}\r\n"));
    }
}

/// What `help` says about a topic: about a command, about all of those that
/// the monitor executes, or nothing where the topic is malformed.
fn help(monitor: &Monitor, topic: &str) -> String {
    let Some(topic) = words(topic) else {
        return String::new();
    };
    let mut text = String::new();
    let mut table = COMMANDS;
    for (index, word) in topic.iter().enumerate() {
        let (before, with) = (topic.get(..index), topic.get(..=index));
        let mut entries = table.iter().filter(|entry| entry.is_allowed(monitor));
        let Some(entry) = entries.find(|entry| entry.is_called(word)) else {
            return unknown(&with.unwrap_or_default().join(" "));
        };
        if entry.subcommands.is_empty() {
            entry.describe(before.unwrap_or_default(), &mut text);
            return text;
        }
        table = entry.subcommands;
    }
    for entry in table.iter().filter(|entry| entry.is_allowed(monitor)) {
        entry.describe(&topic, &mut text);
    }
    text
}

/// What is said about a command that is none.
pub(super) fn unknown(command: &str) -> String {
    format!("unknown command: '{command}'\r\n")
}
