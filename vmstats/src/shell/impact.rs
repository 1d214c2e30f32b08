//! Commands that end, stop or reset somebody's machine.
//!
//! In: a command. Out: what the command does to the machine, if the user must
//! confirm it. The table is the only list of such commands.

/// The commands by their names in QMP and in the human monitor, and what they do.
const COMMANDS: [(&[&str], &str); 5] = [
    (&["quit", "q"], "ends the virtual machine"),
    (&["stop", "s"], "stops the virtual machine"),
    (
        &["system_powerdown"],
        "presses the power button of the guest",
    ),
    (&["system_reset"], "resets the guest without a shutdown"),
    (
        &["inject-nmi", "nmi"],
        "interrupts the guest, which may crash it",
    ),
];

/// Returns what a command of QMP does to the machine.
pub(super) fn of_command(name: &str) -> Option<&'static str> {
    let (_, impact) = COMMANDS.iter().find(|(names, _)| names.contains(&name))?;
    Some(impact)
}

/// Returns what a line of the human monitor does to the machine.
pub(super) fn of_hmp_line(line: &str) -> Option<&'static str> {
    line.split_whitespace().next().and_then(of_command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn impact_is_told_of_commands_that_change_the_machine() {
        for line in ["quit", " q ", "stop", "s", "system_reset", "nmi 0"] {
            assert!(of_hmp_line(line).is_some(), "{line}");
        }
        for line in ["", "info status", "cont", "help quit", "quitter"] {
            assert_eq!(of_hmp_line(line), None, "{line}");
        }
    }
}
