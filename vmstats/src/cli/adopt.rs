//! The arguments of `adopt`.
//!
//! In: words. Out: which QEMUs are adopted, and where their files go.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::value::interval;

/// Hand the statistics files of QEMUs over to `vmstats host`.
///
/// QEMU 8.1 and later keep a statistics file of KVM open for each vCPU. This command finds
/// such QEMUs, takes duplicates of these files (pidfd_getfd) and gives them to the host with
/// the name and the UUID of the command line. Neither the QEMU nor its monitor is asked, and
/// nothing in it changes. Statistics of the whole VM are missing, because QEMU opens
/// their file only during a query; see docs/host.md.
///
/// At the start, every capability but CAP_SYS_PTRACE is dropped. Without CAP_SYS_PTRACE, only QEMUs
/// of the same user can be adopted.
///
/// Runs until SIGINT, SIGTERM or SIGHUP; `vmstats host` drops the adopted VMs then.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// The socket at which `vmstats host` takes hand-overs
    #[arg(
        long,
        value_name = "PATH",
        default_value = "/run/vmstats/host/handover.sock"
    )]
    pub socket: PathBuf,
    /// The number of seconds from one look for QEMUs and their vCPUs to the next
    #[arg(long, value_name = "S", default_value = "1", value_parser = interval, allow_negative_numbers = true)]
    pub interval: Duration,
    /// Look for QEMUs only once, and end when those that were adopted have ended; the exit
    /// status is 1 if no QEMU can be adopted
    #[arg(long)]
    pub once: bool,
    /// Print which QEMUs could be adopted and why others could not, and end
    #[arg(long, visible_alias = "dry-run", conflicts_with = "once")]
    pub list: bool,
    /// Print the list as one line of JSON for each QEMU
    #[arg(long, requires = "list")]
    pub json: bool,
    /// Adopt only the QEMU with this process id; may be given several times
    #[arg(long = "pid", value_name = "PID", value_parser = clap::value_parser!(u32).range(1..))]
    pub pids: Vec<u32>,
}
