//! From a line of the human monitor to the command that it names.
//!
//! In: a line. Out: the text that the command answers with, or an error in
//! QEMU's words.

use super::args::{Arguments, Usage, error_text, is_space};
use super::state::HmpState;
use super::table;
use crate::monitor::{Monitor, refusal};

impl HmpState {
    /// Executes a line and returns the text of the answer. The text also reports
    /// what is wrong with the line, and that a read-only monitor refuses the
    /// command.
    pub fn execute(&mut self, monitor: &Monitor, line: &str) -> String {
        if line.trim_start_matches(is_space).is_empty() {
            return String::new();
        }
        let (entry, end) = match table::find(line, table::COMMANDS) {
            Ok(found) => found,
            Err(unknown) => return table::unknown(unknown),
        };
        let (command, rest) = line.split_at_checked(end).unwrap_or((line, ""));
        if !entry.is_served(monitor) {
            return table::unknown(command.trim_start_matches(is_space));
        }
        if !entry.is_allowed(monitor) {
            return error_text(&refusal(entry.first_name()));
        }
        match (entry.run)(self, monitor, Arguments::new(entry.names, rest)) {
            Ok(text) => text,
            Err(Usage(what)) => {
                format!("{what}\r\nTry \"help {command}\" for more information\r\n")
            }
        }
    }
}
