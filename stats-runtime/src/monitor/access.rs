//! The commands that only observe the machine, and the commands that change
//! it.
//!
//! In: the name of a command. Out: what a client needs to execute it. The
//! table is the only place that says so; no name is interpreted.

/// The permission that a client needs to execute a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// None, because the command only observes.
    Observe,
    /// [Control](super::Monitor::with_control).
    Control,
}

/// The commands that this library implements with its current features.
const BUILT_IN: &[(&str, Access)] = &[
    ("cont", Access::Control),
    // Each line of the human monitor is checked when it is executed.
    #[cfg(feature = "hmp")]
    ("human-monitor-command", Access::Observe),
    ("qmp_capabilities", Access::Observe),
    ("qom-get", Access::Observe),
    ("qom-list", Access::Observe),
    ("query-commands", Access::Observe),
    ("query-cpus-fast", Access::Observe),
    ("query-kvm", Access::Observe),
    ("query-name", Access::Observe),
    ("query-qmp-schema", Access::Observe),
    ("query-stats", Access::Observe),
    ("query-stats-schemas", Access::Observe),
    ("query-status", Access::Observe),
    ("query-uuid", Access::Observe),
    ("query-version", Access::Observe),
    ("quit", Access::Control),
    ("stop", Access::Control),
    ("system_powerdown", Access::Control),
];

/// Returns what a command of this library needs, or `None` if this library does
/// not implement a command of that name.
pub(super) fn built_in(command: &str) -> Option<Access> {
    let row = BUILT_IN.iter().find(|(name, _)| *name == command);
    row.map(|(_, access)| *access)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(feature = "hmp")]
    fn table_has_one_row_for_each_command_of_the_schema() {
        let mut commands: Vec<_> = qapi_stats::COMMANDS.iter().map(|info| info.name).collect();
        commands.sort_unstable();
        let rows: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
        assert_eq!(rows, commands);
    }
}
