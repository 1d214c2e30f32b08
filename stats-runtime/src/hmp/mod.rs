//! HMP, the human monitor: lines in, text out.
//!
//! In: a command line. Out: what a person reads, lines ended by CR LF. What a
//! line means and how its answer looks are QEMU's.

mod args;
mod line;
mod machine;
mod render;
#[cfg(feature = "server")]
mod socket;
mod statistics;
mod table;

use qapi_stats::wire::Error;

use crate::commands::{Monitor, refusal};
use crate::host::{Host, Vcpu};
use args::{Arguments, Usage, first_name, is_space};
pub use line::{LINE_BYTES_MAX, LineMonitor};
#[cfg(feature = "server")]
pub use socket::LineServer;

/// A person at a monitor: what is remembered from line to line.
#[derive(Clone, Debug, Default)]
pub struct Human {
    /// The vCPU that lines are about; the first if none was chosen.
    cpu_index: Option<i64>,
}

impl Human {
    /// Nothing was said yet: lines are about the first vCPU.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lines are about the vCPU of this number from now on.
    ///
    /// # Errors
    ///
    /// That there is none; nothing changes then.
    pub fn select(&mut self, host: &dyn Host, cpu_index: i64) -> Result<(), Error> {
        let mut vcpus = host.vcpus().into_iter();
        if !vcpus.any(|vcpu| i64::try_from(vcpu.index) == Ok(cpu_index)) {
            return Err(Error::generic("Parameter 'cpu-index' expects a CPU number"));
        }
        self.cpu_index = Some(cpu_index);
        Ok(())
    }

    /// Executes a line. All that is wrong with it is told in the text, and so
    /// is what a read-only monitor refuses.
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
            return error_text(&refusal(first_name(entry.names)));
        }
        match (entry.run)(self, monitor, Arguments::new(entry.names, rest)) {
            Ok(text) => text,
            Err(Usage(what)) => {
                format!("{what}\r\nTry \"help {command}\" for more information\r\n")
            }
        }
    }

    /// The vCPU that lines are about. One that was chosen and has gone since
    /// leaves it to the first.
    fn vcpu(&self, host: &dyn Host) -> Option<Vcpu> {
        let mut vcpus = host.vcpus();
        let chosen = vcpus
            .iter()
            .position(|vcpu| i64::try_from(vcpu.index).ok() == self.cpu_index);
        let index = chosen.unwrap_or_default();
        (index < vcpus.len()).then(|| vcpus.swap_remove(index))
    }
}

/// How QEMU words that a command has failed.
fn error_text(error: &Error) -> String {
    format!("Error: {}\r\n", error.desc())
}
