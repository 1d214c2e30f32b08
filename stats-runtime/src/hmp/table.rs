//! The table of the human monitor's commands, and their help.
//!
//! In: names. Out: entries of the table, or the text of `help`. Names,
//! parameters and descriptions are those of QEMU's `hmp-commands.hx`, because
//! clients and people compare them.

use qapi_stats::wire::command::CommandSet as _;

use super::args::{Arguments, Usage, first_name, is_space, words};
use super::state::HmpState;
use super::{machine, statistics};
use crate::monitor::Monitor;

/// A command's function: from its arguments to the text of its answer.
type Run = fn(&mut HmpState, &Monitor, Arguments<'_>) -> Result<String, Usage>;

/// A command, or a group of commands.
#[derive(Debug)]
pub(super) struct Entry {
    /// The names, separated by `|`.
    pub(super) names: &'static str,
    params: &'static str,
    help: &'static str,
    /// True if the entry executes the QMP command of its first name, and then
    /// needs the permission that the QMP command needs. Other entries only
    /// observe.
    is_qmp_command: bool,
    pub(super) run: Run,
    /// The commands of the group; empty for a command.
    pub(super) subcommands: &'static [Entry],
}

const fn entry(names: &'static str, params: &'static str, help: &'static str, run: Run) -> Entry {
    Entry {
        names,
        params,
        help,
        is_qmp_command: false,
        run,
        subcommands: &[],
    }
}

const fn qmp_command(names: &'static str, help: &'static str) -> Entry {
    Entry {
        is_qmp_command: true,
        ..entry(names, "", help, machine::run_qmp_command)
    }
}

/// All commands in the order of their names, as in QEMU.
pub(super) const COMMANDS: &[Entry] = &[
    qmp_command("cont|c", "resume emulation"),
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
    qmp_command("quit|q", "quit the emulator"),
    qmp_command("stop|s", "stop emulation"),
    qmp_command("system_powerdown", "send system power down event"),
];

const INFO: &[Entry] = &[
    entry("cpus", "", "show infos for each CPU", machine::info_cpus),
    entry("kvm", "", "show KVM information", machine::info_kvm),
    entry("name", "", "show the current VM name", machine::info_name),
    entry(
        "stats",
        "target [names] [provider]",
        // QEMU's text lacks the blank between "by" and "name". The recorded
        // dialogue in tests/cases/qmp/reference-7.2.json pins this text.
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

/// Finds the command that a line names, and the index at which its arguments
/// begin.
///
/// # Errors
///
/// Returns the beginning of the line up to the unknown name, if the table has
/// no command of that name.
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
        let rest = line.get(end..).unwrap_or_default();
        if entry.subcommands.is_empty() || rest.trim_start_matches(is_space).is_empty() {
            return Ok((entry, end));
        }
        (table, at) = (entry.subcommands, end);
    }
}

impl Entry {
    fn is_called(&self, name: &str) -> bool {
        self.names.split('|').any(|own| own == name)
    }

    /// Returns whether the monitor executes the command.
    pub(super) fn is_allowed(&self, monitor: &Monitor) -> bool {
        !self.is_qmp_command || (monitor.allows(self.first_name()) && self.is_served(monitor))
    }

    /// Returns whether the monitor has the command. The schema of a VMM may lack
    /// a QMP command.
    pub(super) fn is_served(&self, monitor: &Monitor) -> bool {
        !self.is_qmp_command || monitor.command(self.first_name()).is_some()
    }

    pub(super) fn first_name(&self) -> &'static str {
        first_name(self.names)
    }

    /// Appends the command's line of `help`. `prefix` has the names of the
    /// groups that contain the command.
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

/// Returns the answer of `help`: the line of the command that `topic` names, or
/// the lines of all commands of a group that the monitor executes. The answer
/// is empty if a word of `topic` is malformed.
fn help(monitor: &Monitor, topic: &str) -> String {
    let Some(topic) = words(topic) else {
        return String::new();
    };
    let mut text = String::new();
    let mut table = COMMANDS;
    for (index, word) in topic.iter().enumerate() {
        let (groups, path) = (topic.get(..index), topic.get(..=index));
        let mut entries = table.iter().filter(|entry| entry.is_allowed(monitor));
        let Some(entry) = entries.find(|entry| entry.is_called(word)) else {
            return unknown(&path.unwrap_or_default().join(" "));
        };
        if entry.subcommands.is_empty() {
            entry.describe(groups.unwrap_or_default(), &mut text);
            return text;
        }
        table = entry.subcommands;
    }
    for entry in table.iter().filter(|entry| entry.is_allowed(monitor)) {
        entry.describe(&topic, &mut text);
    }
    text
}

/// Returns the answer to a line that names no command.
pub(super) fn unknown(command: &str) -> String {
    format!("unknown command: '{command}'\r\n")
}
